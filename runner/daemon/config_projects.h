#pragma once
// The projects of a configuration file. Internal to this folder.

#include <filesystem>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/node.h"
#include "runner/daemon/config_file.h"
#include "runner/daemon/config_secret.h"

namespace runner::daemon {

/// `list`: what the key 'projects' has; null = nothing. `poll_interval` counts where a project says none.
std::vector<ConfigProject> read_config_projects(const pipelines::Node* list,
                                                std::chrono::milliseconds poll_interval,
                                                ConfigSecrets& secrets, TimePoint now,
                                                pipelines::Diagnostics& out);

}  // namespace runner::daemon
