#pragma once
// Between rows and values. Internal to this folder.

#include <optional>
#include <string>

#include "pipelines/status.h"
#include "runner/base/clock.h"
#include "runner/storage/sql.h"

namespace runner::storage {

/// Throw Error{corrupt} when the column holds something else.
std::int64_t as_integer(const Value& value);
std::optional<std::int64_t> as_optional_integer(const Value& value);
const std::string& as_text(const Value& value);
TimePoint as_time(const Value& value);
std::optional<TimePoint> as_optional_time(const Value& value);
pipelines::JobStatus as_status(const Value& value);

Value to_value(TimePoint time);
Value to_value(std::optional<TimePoint> time);
Value to_value(pipelines::JobStatus status);

}  // namespace runner::storage
