#pragma once
// What one deployment has that another has not. Internal to this folder.

#include <optional>
#include <string>

#include "runner/api/context.h"
#include "runner/api/json_output.h"
#include "runner/git/commit_range.h"
#include "runner/storage/deployment_table.h"

namespace runner::api {

/// Which one it is, when and by whom; "null" for none.
std::string point_json(storage::Tx& tx, const std::optional<storage::DeploymentRecord>& deployment);

/// Commits and files. Blocks on the disk, so it is not for a transaction. `base`: nullopt, there is none.
std::string commits_json(Actions& actions, const storage::ProjectRecord& project,
                         const std::optional<storage::DeploymentRecord>& base,
                         const storage::DeploymentRecord& deployment);

/// Archives and images of the jobs before; null where one of both does not know its own. Pure.
std::string inputs_diff_json(const storage::DeploymentRecord& base,
                             const storage::DeploymentRecord& deployment);
/// Keys of two blocks, as JSON texts; null where one is "". Pure.
std::string block_diff_json(const std::string& base, const std::string& block);

/// Those that jobs of the environment are given, by name, with what became of them since `base` was.
std::string variables_diff_json(storage::Tx& tx, const storage::Sealer& sealer,
                                const storage::ProjectRecord& project,
                                const storage::EnvironmentRecord& environment,
                                const storage::DeploymentRecord& base);

}  // namespace runner::api
