#include "runner/storage/row.h"

#include "runner/base/error.h"

namespace runner::storage {

pipelines::JobStatus as_status(const Value& value) {
  if (const auto status = pipelines::parse_job_status(as_text(value))) return *status;
  throw Error(ErrorCode::corrupt, "unknown job status '" + as_text(value) + "' in the database");
}

Value to_value(pipelines::JobStatus status) {
  return std::string(pipelines::to_string(status));
}

}  // namespace runner::storage
