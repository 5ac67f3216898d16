#pragma once
// Mounting a workspace in the supervisor's own mount namespace.

#include <string>

#include "executors/launcher.h"
#include "executors/supervisor.h"

namespace runner::executors {

/// Takes the calling process (one thread) into a mount namespace of its own and mounts `overlay` there.
/// The Report says how far it came; Stage::started means mounted.
Report mount_overlay(const OverlayMount& overlay);

/// A volatile mount leaves a mark so that nobody uses the upper directory after a crash of the machine. A
/// job's upper directory is thrown away then, and the mark would refuse the job's next step. Fine when there
/// is none.
void forget_volatile_mark(const std::string& work);

}  // namespace runner::executors
