#pragma once
// What a job that deploys is given by the jobs before it: what people agree to when they approve, and what
// tells whether the same was deployed elsewhere. Blocks on the store.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runner/storage/deployment_table.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// A JSON array, an object for each of the jobs (indices into the plan of the pipeline): "job", "archive"
/// (SHA-256 of what it left) with "bytes", and "images", by their digests, that it handed over. nullopt: an
/// archive is still being made. Throws Error{corrupt}.
std::optional<std::string> inputs_of(storage::Tx& tx, std::int64_t pipeline,
                                     const std::vector<std::size_t>& jobs);

/// What the plan of a deployment says of them; nullopt when it says nothing.
std::optional<std::string> planned_inputs(const storage::DeploymentRecord& deployment);
/// The plan with them in it.
std::string with_inputs(const std::string& plan, const std::string& inputs);

}  // namespace runner::daemon
