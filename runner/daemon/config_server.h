#pragma once
// What a configuration file says of the server itself. Internal to this folder.

#include "runner/daemon/config_file.h"
#include "runner/daemon/config_map.h"
#include "runner/daemon/config_secret.h"

namespace runner::daemon {

/// Asks for its keys in `map`, which is the file as a whole.
ConfigServer read_config_server(ConfigMap& map, const ConfigSecrets& secrets);

}  // namespace runner::daemon
