#pragma once
// One step in a container, seen from the runner.

#include <memory>
#include <string>
#include <vector>

#include "executors/containers/engine_api.h"
#include "executors/containers/sandbox_file.h"
#include "executors/executor.h"
#include "executors/shell_step.h"

namespace runner::executors {

/// Where the container of a step is found.
struct ContainerPlace {
  EngineApi api;
  std::string name;
  std::vector<ServiceName> logged = {};  // services whose output follows that of the step
  std::filesystem::path marker = {};     // see pass_service_logs()
};

/// A step whose process was started here or found again: `process` is the one that follows the container. Its
/// wait() throws Error for a container that could not be started: invalid_input when that is the job's doing.
std::unique_ptr<Step> make_container_step(StepPlace place, ContainerPlace container,
                                          std::unique_ptr<Step> process, LogSink& sink);

}  // namespace runner::executors
