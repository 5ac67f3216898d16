#pragma once
// What people change is told as an event, and written down in the audit log. Internal to this folder.

#include <cstdint>
#include <optional>
#include <string>

#include "runner/api/context.h"
#include "runner/api/json_output.h"

namespace runner::api {

struct Change {
  std::int64_t project = 0;
  const char* kind = "";  // "project.created"
  std::string object;     // what was changed: "variable DEPLOY_KEY"
  // For the audit log only.
  std::string environment = {};
  std::string reason = {};              // people's words
  std::string before = {}, after = {};  // digests
  std::optional<std::int64_t> deployment = {};
  std::string fingerprint = {};
};

/// In the transaction of the change. The payload tells more of it, and gets who did it.
void tell_change(const Context& context, storage::Tx& tx, const Change& change, JsonObject payload,
                 const Caller& caller);

}  // namespace runner::api
