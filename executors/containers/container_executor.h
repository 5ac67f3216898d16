#pragma once
// Runs the steps of a job in a container of Docker or Podman, over the engine's socket (Docker's Engine API).
//
// One container for each sandbox, started again for each step: what the script leaves outside the workspace
// is there in the after-script. The workspace is a volume that the engine mounts from the same layers a step
// of the shell executor would get. Each step is followed by a process of ours under a supervisor, so that it
// outlives the runner and is found again as others are (container_client.h). The engine's files and ours must
// be on the same machine.

#include <cstddef>
#include <functional>
#include <string>

#include "executors/containers/container_bodies.h"
#include "executors/containers/container_sandbox.h"
#include "executors/containers/engine_api.h"
#include "executors/executor.h"
#include "executors/launcher.h"
#include "executors/shell_executor.h"

namespace runner::executors {

struct ContainerOptions {
  std::filesystem::path socket;  // "/run/docker.sock"
  /// What marks all that we make in the engine as ours; that of another runner on it must differ. Best a text
  /// that stays with the data directory.
  std::string owner;
  /// The program's own file; its main() calls container_step_main() for `container-step`.
  std::string program;
  Ulimits ulimits;               // of all containers; Podman applies none of its own over this API
  std::filesystem::path images;  // see ImageRecords; empty: nobody asks later which images were pulled
};

class ContainerExecutor final : public Executor {
 public:
  /// `launcher` must outlive the executor and everything made by it. Does not talk to the engine.
  ContainerExecutor(const Launcher& launcher, ContainerOptions options,
                    StepLife life = StepLife::beyond_runner);

  std::string_view name() const noexcept override { return "container"; }
  /// Throws Error{unavailable} with the mend when there is no engine.
  Capabilities probe() override;
  /// Throws Error: invalid_input for what the job must mend (an image that is not there, its login),
  /// unavailable, cancelled. What was made by then stays until destroy().
  std::unique_ptr<Sandbox> prepare(const SandboxSpec& spec, LogSink& sink, std::stop_token stop) override;
  std::unique_ptr<Sandbox> reopen(const SandboxId& id, const std::filesystem::path& state_dir) override;
  /// Throws Error when the engine is gone or will not; it can be called again then.
  void destroy(const SandboxId& id, const std::filesystem::path& state_dir, Deadline deadline) override;

  /// Removes from the engine what is labelled as ours and belongs to no sandbox that `is_live`: what killed
  /// processes left. It is asked about what was found already, so it must know each sandbox before prepare()
  /// is called. How many things that were. Goes on after a failure; throws the first. Call it at the start
  /// and now and then.
  std::size_t sweep(const std::function<bool(const std::string& sandbox)>& is_live, Deadline deadline);

 private:
  void make_container(const EngineApi& api, const SandboxSpec& spec, const ContainerNames& names,
                      const ImageFacts& image, const std::stop_token& stop) const;
  void make_volume(const EngineApi& api, const SandboxSpec& spec, const ContainerNames& names,
                   const std::stop_token& stop) const;

  const ContainerOptions options_;
  const StepStarter starter_;
};

}  // namespace runner::executors
