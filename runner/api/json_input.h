#pragma once
// The body of a request: one JSON object whose fields are asked for one by one, so that what nobody asks for
// is refused. Internal to this folder. One thread.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/api/refusal.h"

namespace runner::api {

/// Usage: ask for every field there may be, then call finish(). What is wrong with a field is remembered; the
/// field counts as absent then.
class JsonInput {
 public:
  /// An empty body is an object without fields. Throws Refusal for what is no JSON object, has a field twice,
  /// or is nested deeper than any field needs: `deepest` lists and objects in one another.
  explicit JsonInput(std::string_view body, int deepest = 2);
  ~JsonInput();
  JsonInput(const JsonInput&) = delete;
  JsonInput& operator=(const JsonInput&) = delete;

  bool has(const std::string& field) const;
  /// Without zero bytes.
  std::optional<std::string> text(const std::string& field, std::size_t max_bytes);
  /// The same, but "" for null too.
  std::optional<std::string> text_or_null(const std::string& field, std::size_t max_bytes);
  std::optional<std::int64_t> integer(const std::string& field, std::int64_t least, std::int64_t most);
  std::optional<bool> flag(const std::string& field);
  std::optional<std::vector<std::string>> texts(const std::string& field, std::size_t max_items,
                                                std::size_t max_bytes);
  std::map<std::string, std::string> variables(const std::string& field);
  /// An object whose members somebody else knows, as JSON text.
  std::optional<std::string> object(const std::string& field);

  void complain(const std::string& field, std::string message);
  /// Complains when it is not there, or was wrong.
  void require(const std::string& field);
  /// Throws Refusal when something was wrong or a field was not asked for.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::api
