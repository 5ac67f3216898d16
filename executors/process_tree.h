#pragma once
// Finding and ending processes through /proc. Costs a pass over all processes; off the ordinary path.

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>

namespace runner::executors {

/// Sends SIGTERM once to every living descendant of the calling process: to all of `group`, the process group
/// of a child that was not reaped yet, at once, and to the others one by one. Orphans count when the caller
/// is their subreaper. A pid that was reused in between is never hit.
void terminate_descendants(pid_t group);

/// SIGKILL to every descendant of the calling process. They are stopped first, so that a process that forks
/// without end cannot outrun this. The caller reaps.
void kill_descendants();

/// SIGKILL to every process whose environment at its start held `entry` ("NAME=value"), and to their
/// descendants, until none is left. False when some still live at the deadline.
bool kill_by_environment(std::string_view entry, std::chrono::steady_clock::time_point deadline);

}  // namespace runner::executors
