#pragma once
// The part of `runner exec` that runs a planned pipeline: puts the engine together, shows, reports, cleans
// up.

#include "pipelines/plan.h"
#include "runner/cli/options.h"
#include "runner/cli/project.h"
#include "runner/cli/selection.h"
#include "runner/engine/engine.h"

namespace runner::executors {
class Launcher;
}  // namespace runner::executors

namespace runner::cli {

/// Blocks until the pipeline has ended. Returns the exit code; throws what the machinery throws. When it
/// returns, no process, mount or directory of the run is left. Call it while the process has one thread.
int run_pipeline(const ExecOptions& options, const executors::Launcher& launcher, Project& project,
                 pipelines::PipelineFacts facts, pipelines::Plan plan, const Chosen& chosen,
                 const engine::ContainerSettings& containers);

}  // namespace runner::cli
