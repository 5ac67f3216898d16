#pragma once
// What the shell of a container reads to become a step. Pure; any thread.

#include <string>

#include "executors/executor.h"

namespace runner::executors {

/// A text for any POSIX shell that sets the step's environment on top of the container's, goes to its
/// directory and becomes its command; a command or directory that is not there ends it with a message and 126
/// or 127. Values may hold any byte but zero. Names that a shell cannot assign are set by `env`.
/// Throws Error{invalid_input} for an empty command, a zero byte, and a name with '=' in it.
std::string step_script(const StepSpec& step, const std::filesystem::path& workspace);

}  // namespace runner::executors
