#pragma once
// Runs steps as processes of this machine, each under a supervisor.
//
// Files in a sandbox's state directory: `sandbox` (the spec, without secrets) and `step.ID/` per step, see
// supervisor.h. Every process of a step has RUNNER_STEP_COOKIE=... in its environment: only by it are
// processes found whose supervisor was killed.

#include <cstdint>

#include "executors/executor.h"
#include "executors/launcher.h"

namespace runner::executors {

/// What becomes of running steps when the runner ends, or is killed.
enum class StepLife : std::uint8_t {
  beyond_runner,  // they go on, and a restarted runner finds them: reopen(), attach()
  with_runner,    // their supervisors stop them: SIGTERM, and two seconds later SIGKILL
};

class ShellExecutor final : public Executor {
 public:
  /// `launcher` must outlive the executor and everything made by it.
  explicit ShellExecutor(const Launcher& launcher, StepLife life = StepLife::beyond_runner)
      : launcher_(launcher), life_(life) {}

  std::string_view name() const noexcept override { return "shell"; }
  Capabilities probe() override;
  /// `image` and `labels` mean nothing here. Throws Error{invalid_input} when memory or CPU limits are asked
  /// for.
  std::unique_ptr<Sandbox> prepare(const SandboxSpec& spec, LogSink& sink, std::stop_token stop) override;
  std::unique_ptr<Sandbox> reopen(const SandboxId& id, const std::filesystem::path& state_dir) override;
  void destroy(const SandboxId& id, const std::filesystem::path& state_dir, Deadline deadline) override;

 private:
  const Launcher& launcher_;
  const StepLife life_;
};

}  // namespace runner::executors
