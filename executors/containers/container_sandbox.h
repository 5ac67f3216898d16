#pragma once
// The container of a job, in which its steps run one after another.

#include <filesystem>
#include <memory>

#include "executors/containers/sandbox_file.h"
#include "executors/executor.h"
#include "executors/launcher.h"
#include "executors/shell_executor.h"

namespace runner::executors {

/// What a sandbox needs of its executor. Outlives the sandbox.
struct StepStarter {
  const Launcher& launcher;
  std::string program;  // ours, as it is executed
  StepLife life = StepLife::beyond_runner;
};

/// A sandbox whose container is there. `used`: a step may have run in it.
std::unique_ptr<Sandbox> make_container_sandbox(const StepStarter& starter, std::filesystem::path state_dir,
                                                StoredSandbox stored, bool used);

}  // namespace runner::executors
