#pragma once
// The configuration file of `runner serve`, found, read and put below the options. Main thread only.

#include <optional>

#include "runner/cli/options.h"
#include "runner/daemon/config_file.h"

namespace runner::cli {

struct ServeConfig {
  std::optional<daemon::ConfigFile> file;  // nullopt: there is none
  std::optional<int> exit_code;            // nothing is to be served
};

/// Prints what is wrong with the file. `options` get what it says and no option does. Blocks on the disk.
/// Throws Error.
ServeConfig load_serve_config(ServeOptions& options);

}  // namespace runner::cli
