#pragma once
// What is told of actions that fail. Internal to this folder.

#include "runner/api/actions.h"

namespace runner::api {

/// Actions::start_pipeline(). Throws Refusal: 422 without such a ref or for a wrong pipeline file, 503 when
/// the repository cannot be reached, with the reason, as the one who asks can mend it.
std::int64_t start_or_refuse(Actions& actions, const storage::ProjectRecord& project,
                             const StartRequest& request);

}  // namespace runner::api
