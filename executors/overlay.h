#pragma once
// Mounting a workspace in the supervisor's own mount namespace.

#include "executors/launcher.h"
#include "executors/supervisor.h"

namespace runner::executors {

/// Takes the calling process (one thread) into a mount namespace of its own and mounts `overlay` there.
/// The Report says how far it came; Stage::started means mounted.
Report mount_overlay(const OverlayMount& overlay);

}  // namespace runner::executors
