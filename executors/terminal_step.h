#pragma once
// A step of the shell executor on a terminal of its own: a pseudo-terminal whose one end is the step's. The
// step is a process of the program itself, started with the words `on-terminal FILE COMMAND...`, that makes
// the terminal its own and becomes the command.

#include <functional>
#include <memory>

#include "executors/executor.h"

namespace runner::executors {

inline constexpr const char* kOnTerminalWord = "on-terminal";

/// Starts a step whose output nobody reads.
using StartUnseen = std::function<std::unique_ptr<Step>(const StepSpec& spec, LogSink& sink)>;
/// `program` is our own file; its main() calls on_terminal_main(). Throws Error.
std::unique_ptr<TerminalSession> open_shell_terminal(const StepSpec& spec, const std::string& program,
                                                     const StartUnseen& start);

/// What main() does for `on-terminal FILE COMMAND...`: `argv` begins with the file. Returns only when it
/// cannot.
int on_terminal_main(char** argv);

}  // namespace runner::executors
