#include "runner/api/json_output.h"

#include <array>
#include <charconv>
#include <cmath>

#include "runner/base/text.h"
#include "runner/base/timestamp.h"
#include "runner/http/problem.h"

namespace runner::api {

std::string format_time(TimePoint time) {
  return format_iso8601_ms(time);
}

JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  json_ += json_.empty() ? "{" : ",";
  json_ += http::json_text(name);
  json_ += ":";
  json_ += json;
  return *this;
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  return raw(name, http::json_text(value));
}

JsonObject& JsonObject::text_or_null(std::string_view name, const std::optional<std::string>& value) {
  return raw(name, value ? http::json_text(*value) : "null");
}

JsonObject& JsonObject::number(std::string_view name, std::optional<std::int64_t> value) {
  return raw(name, value ? std::to_string(*value) : "null");
}

JsonObject& JsonObject::size(std::string_view name, std::optional<std::uint64_t> value) {
  return raw(name, value ? std::to_string(*value) : "null");
}

JsonObject& JsonObject::real(std::string_view name, std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return raw(name, "null");
  std::array<char, 64> digits{};
  const auto [end, failed] = std::to_chars(digits.data(), digits.data() + digits.size(), *value);
  return raw(name, failed == std::errc() ? std::string_view(digits.data(), end) : "null");
}

JsonObject& JsonObject::flag(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}

JsonObject& JsonObject::time(std::string_view name, std::optional<TimePoint> value) {
  return raw(name, value ? http::json_text(format_time(*value)) : "null");
}

JsonObject& JsonObject::texts(std::string_view name, const std::vector<std::string>& values) {
  std::vector<std::string> items;
  items.reserve(values.size());
  for (const std::string& value : values) items.push_back(http::json_text(value));
  return raw(name, json_list(items));
}

std::string JsonObject::take() && {
  return json_.empty() ? "{}" : std::move(json_) + "}";
}

std::string json_list(const std::vector<std::string>& items) {
  return "[" + join(items, ",") + "]";
}

http::Response json_response(int status, std::string json) {
  http::Response response = http::text_response(status, std::move(json) + "\n", "application/json");
  response.headers.add("Cache-Control", "no-store");
  return response;
}

http::Response list_response(const std::vector<std::string>& items, const std::optional<std::string>& next) {
  JsonObject list;
  list.raw("items", json_list(items)).text_or_null("next", next);
  return json_response(200, std::move(list).take());
}

}  // namespace runner::api
