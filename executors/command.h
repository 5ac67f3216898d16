#pragma once
// Starting the command of a step from its supervisor.

#include <sys/types.h>

#include "executors/launcher.h"
#include "executors/supervisor.h"
#include "runner/base/fd.h"

namespace runner::executors {

struct StartedCommand {
  Report report;  // Stage::started, or why not
  pid_t pid = -1;
};

/// In a session of its own, standard input as the caller's, both outputs to `output`, no other descriptor, no
/// signal blocked, killed when its supervisor is. The current directory is the caller's. argv[0] without a
/// slash is looked up in the PATH of `request.env`.
StartedCommand start_command(const LaunchRequest& request, const UniqueFd& output);

}  // namespace runner::executors
