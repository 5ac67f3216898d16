#pragma once
// JSON as the API answers with it. Internal to this folder. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/http/message.h"

namespace runner::api {

/// "2026-01-31T16:47:55.123Z".
std::string format_time(TimePoint time);

/// Members in the order they are added. What is not there is null.
class JsonObject {
 public:
  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& text_or_null(std::string_view name, const std::optional<std::string>& value);
  JsonObject& number(std::string_view name, std::optional<std::int64_t> value);
  JsonObject& size(std::string_view name, std::optional<std::uint64_t> value);
  JsonObject& real(std::string_view name, std::optional<double> value);
  JsonObject& flag(std::string_view name, bool value);
  JsonObject& time(std::string_view name, std::optional<TimePoint> value);
  JsonObject& texts(std::string_view name, const std::vector<std::string>& values);
  /// `json` is JSON text.
  JsonObject& raw(std::string_view name, std::string_view json);
  std::string take() &&;

 private:
  std::string json_;
};

/// Of JSON texts.
std::string json_list(const std::vector<std::string>& items);

/// Not to be kept by a cache.
http::Response json_response(int status, std::string json);
/// {"items", "next"}.
http::Response list_response(const std::vector<std::string>& items, const std::optional<std::string>& next);

}  // namespace runner::api
