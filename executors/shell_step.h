#pragma once
// One step of the shell executor, seen from the runner.

#include <filesystem>
#include <memory>
#include <string>

#include "executors/executor.h"
#include "executors/launcher.h"
#include "runner/base/fd.h"

namespace runner::executors {

/// Where to find a step, and what marks its processes.
struct StepPlace {
  std::filesystem::path dir;
  std::string cookie;  // "RUNNER_STEP_COOKIE=..."
};

/// A step whose supervisor was just launched.
std::unique_ptr<Step> make_shell_step(StepPlace place, LaunchedStep launched, LogSink& sink);
/// A step found by its directory, running or ended.
std::unique_ptr<Step> attach_shell_step(StepPlace place, std::uint64_t log_offset, LogSink& sink);

/// Connects to the supervisor of the step in `dir`. nullopt: there is none (any more).
std::optional<LaunchedStep> find_supervisor(const std::filesystem::path& dir);
/// Until the supervisor itself has ended, and with it its mounts. False when the deadline passed.
bool wait_until_ended(const UniqueFd& pidfd, Deadline deadline);
/// Ends what still runs of a step. Throws Error{timeout} when something outlives the deadline.
void end_step(const StepPlace& place, Deadline deadline);

}  // namespace runner::executors
