#pragma once
// Between rows and the values of pipelines. Internal to this folder.

#include "pipelines/status.h"
#include "runner/database/row.h"

namespace runner::storage {

using database::as_integer;
using database::as_optional_integer;
using database::as_optional_time;
using database::as_text;
using database::as_time;
using database::Row;
using database::to_value;
using database::Value;

/// Throws Error{corrupt} when the column holds something else.
pipelines::JobStatus as_status(const Value& value);

Value to_value(pipelines::JobStatus status);

}  // namespace runner::storage
