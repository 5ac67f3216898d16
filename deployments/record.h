#pragma once
// What a stored deployment says. Pure but for newest_attempt(), which reads; any thread. Throws
// Error{corrupt} for a state there is none.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "deployments/state.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/records.h"

namespace runner::deployments {

State state_of(const storage::DeploymentRecord& deployment);
/// It writes a journal: how it ends is said there. Others are carried out by the commands of their job.
bool has_journal(const storage::DeploymentRecord& deployment);
/// The attempt of a job that it was made for, or after which the one that carries it out comes; 0: unknown.
std::int64_t attempt_of(const storage::DeploymentRecord& deployment);
/// Of the job of this name; nullopt when its pipeline is gone.
std::optional<storage::JobRecord> newest_attempt(storage::Tx& tx, std::int64_t pipeline,
                                                 const std::string& name);

/// The states in which a deployment waits at the gate, by name.
const std::vector<std::string>& waiting_states();
/// Those in which somebody carries it out, or is to.
const std::vector<std::string>& effectful_states();

}  // namespace runner::deployments
