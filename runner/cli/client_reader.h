#pragma once
// Members of a JSON object of a server's answer, taken with the type they must have. Pure; any thread.

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"

namespace runner::cli {

/// A member that is null or missing is "not there", which only require() minds. All of it throws
/// Error{corrupt} for one of another type. The value outlives it.
class Reader {
 public:
  /// `what` is for messages: "project".
  Reader(const nlohmann::json& value, std::string_view what);

  /// Null: it is not there.
  const nlohmann::json* find(const char* name) const;
  void require(const char* name) const;
  void take(const char* name, std::string& out) const;
  void take(const char* name, bool& out) const;
  void take(const char* name, std::int64_t& out) const;
  void take(const char* name, std::optional<std::int64_t>& out) const;
  void take(const char* name, std::uint64_t& out) const;
  void take(const char* name, std::optional<std::uint64_t>& out) const;
  void take(const char* name, std::optional<double>& out) const;
  void take(const char* name, std::optional<TimePoint>& out) const;
  void take(const char* name, std::vector<std::string>& out) const;
  void for_each(const char* name, const std::function<void(const nlohmann::json&)>& visit) const;

 private:
  [[noreturn]] void fail(const char* name, std::string_view kind) const;
  const nlohmann::json& expect(bool holds, const char* name, std::string_view kind,
                               const nlohmann::json& found) const;
  std::optional<std::int64_t> integer(const char* name) const;

  const nlohmann::json& value_;
  std::string what_;
};

}  // namespace runner::cli
