#pragma once
// A person's shell in the container of a job whose step has ended: the container is started once more with a
// step that only waits, and the shell runs beside that (Docker's Engine API, "exec").

#include <memory>
#include <string>

#include "executors/containers/engine_api.h"
#include "executors/executor.h"

namespace runner::executors {

/// The script of the step that only waits.
StepSpec waiting_step(const StepId& id);
/// `script`: the file in the container that its shell becomes. `waiting` is that step, started; `sink` is
/// its. Throws Error.
std::unique_ptr<TerminalSession> open_container_terminal(const EngineApi& api, const std::string& container,
                                                         const std::string& script,
                                                         std::unique_ptr<LogSink> sink,
                                                         std::unique_ptr<Step> waiting);

}  // namespace runner::executors
