#pragma once
// Between columns and values: what every schema of ours agrees on. Times are milliseconds since 1970 UTC.

#include <cstdint>
#include <optional>
#include <string>

#include "runner/base/clock.h"
#include "runner/database/sql.h"

namespace runner::database {

/// Throw Error{corrupt} when the column holds something else.
std::int64_t as_integer(const Value& value);
std::optional<std::int64_t> as_optional_integer(const Value& value);
const std::string& as_text(const Value& value);
TimePoint as_time(const Value& value);
std::optional<TimePoint> as_optional_time(const Value& value);

Value to_value(TimePoint time);
Value to_value(std::optional<TimePoint> time);

}  // namespace runner::database
