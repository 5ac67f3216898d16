#pragma once
// Makes the projects and schedules of the store what a configuration file says. By name, so that the same
// file again changes nothing. Blocks on the store.

#include <string>
#include <vector>

#include "runner/daemon/config_file.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// In whose name schedules of a file run; no user can be called so.
inline constexpr const char* kConfigOwner = "configuration file";

/// All of it in one transaction, or nothing when it throws Error. Of projects that an earlier file had and
/// this one has not, nothing is removed: they are paused. Schedules that are not there any more are removed.
/// Returns what was changed, a sentence each.
std::vector<std::string> apply_config(storage::Store& store, const storage::Sealer& sealer,
                                      const ConfigFile& config, TimePoint now);

/// There is no file any more: all is as people left it, and theirs to change.
void forget_config(storage::Store& store);

}  // namespace runner::daemon
