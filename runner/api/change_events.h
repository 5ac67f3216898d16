#pragma once
// What people change is told as events. Internal to this folder.

#include "runner/api/context.h"
#include "runner/api/json_output.h"

namespace runner::api {

/// In the transaction of the change. `kind` is "project.created"; the payload tells whose it is, and gets who
/// did it.
void tell_change(const Context& context, storage::Tx& tx, std::int64_t project, const char* kind,
                 JsonObject payload, const Caller& caller);

}  // namespace runner::api
