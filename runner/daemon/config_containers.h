#pragma once
// `containers:` of the configuration file (docs/serve.md).

#include "runner/daemon/config_file.h"
#include "runner/daemon/config_map.h"
#include "runner/daemon/config_secret.h"
#include "runner/engine/engine.h"

namespace runner::daemon {

/// Problems are told to the map.
ConfigContainers read_config_containers(ConfigMap& map, const ConfigSecrets& secrets);

/// What the file says, over what is there.
void apply(const ConfigContainers& said, engine::ContainerSettings& settings);

}  // namespace runner::daemon
