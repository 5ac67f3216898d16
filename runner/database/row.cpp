#include "runner/database/row.h"

#include "runner/base/error.h"

namespace runner::database {
namespace {

template <typename T>
const T& get(const Value& value, const char* what) {
  if (const T* found = std::get_if<T>(&value)) return *found;
  throw Error(ErrorCode::corrupt, std::string("a column of the database should hold ") + what);
}

}  // namespace

std::int64_t as_integer(const Value& value) {
  return get<std::int64_t>(value, "an integer");
}

std::optional<std::int64_t> as_optional_integer(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
  return as_integer(value);
}

const std::string& as_text(const Value& value) {
  return get<std::string>(value, "text");
}

TimePoint as_time(const Value& value) {
  return TimePoint(std::chrono::milliseconds(as_integer(value)));
}

std::optional<TimePoint> as_optional_time(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
  return as_time(value);
}

Value to_value(TimePoint time) {
  return static_cast<std::int64_t>(time.time_since_epoch().count());
}

Value to_value(std::optional<TimePoint> time) {
  return time ? to_value(*time) : Value(std::monostate{});
}

}  // namespace runner::database
