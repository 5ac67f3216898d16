#pragma once
// Named places where a test ends the process or makes a step fail, to prove that nothing half-done is seen
// afterwards. Release builds have none: the call is empty there (RUNNER_FAILPOINTS is set by the debug and
// sanitizer presets).
//
// A handler is set by a test in the process, or by RUNNER_FAILPOINT=NAME[:N] in the environment: SIGKILL the
// N-th time (default first) NAME is reached. Any thread.

#include <functional>
#include <string_view>

namespace runner {

#ifdef RUNNER_FAILPOINTS
/// Names are "folder.what": "layers.renamed".
void failpoint(std::string_view name);
/// Called at each failpoint of this process, on the thread that reaches it; may throw. Empty: none. Set it
/// while no other thread runs.
void set_failpoint_handler(std::function<void(std::string_view name)> handler);
#else
inline void failpoint(std::string_view) noexcept {}
#endif

}  // namespace runner
