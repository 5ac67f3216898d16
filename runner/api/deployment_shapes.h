#pragma once
// Environments and deployments as JSON. Internal to this folder.

#include <string>

#include "deployments/gate.h"
#include "runner/api/context.h"
#include "runner/api/json_output.h"
#include "runner/storage/deployment_table.h"

namespace runner::api {

/// All of these read in the transaction of the caller.
std::string environment_json(storage::Tx& tx, const storage::EnvironmentRecord& environment);
/// What runs there: "null" when nothing was ever deployed.
std::string current_json(storage::Tx& tx, const storage::EnvironmentRecord& environment);
/// What lists tell of a deployment.
JsonObject deployment_object(const storage::EnvironmentRecord& environment,
                             const storage::DeploymentRecord& deployment);
/// All of it: also who agreed, who is missing, and until when it waits.
std::string deployment_json(const Context& context, storage::Tx& tx, const deployments::GateView& view);

/// Of "{environment}" in the project "{name}". Throws Refusal (404).
storage::EnvironmentRecord get_environment(storage::Tx& tx, const Call& call);

}  // namespace runner::api
