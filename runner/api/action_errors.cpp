#include "runner/api/action_errors.h"

#include "runner/api/refusal.h"
#include "runner/base/error.h"

namespace runner::api {

std::int64_t start_or_refuse(Actions& actions, const storage::ProjectRecord& project,
                             const StartRequest& request) {
  try {
    return actions.start_pipeline(project, request);
  } catch (const Error& error) {
    // The text of a failed system call tells of this machine, not of the repository.
    if (error.system()) throw;
    if (error.code() == ErrorCode::not_found) refuse_field("ref", error.what());
    if (error.code() == ErrorCode::unavailable)
      throw Refusal({.status = 503, .detail = error.what()}, {{"Retry-After", "30"}});
    throw;
  }
}

}  // namespace runner::api
