#pragma once
// The container engine that jobs with an image run on, and what of this machine and this user counts there.

#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "executors/containers/container_executor.h"
#include "executors/launcher.h"
#include "runner/engine/engine.h"

namespace runner::cli {

struct ContainerSetup {
  engine::ContainerSettings settings;  // without a socket: there is no engine
  std::string engine;                  // "docker 20.10.24 at '/run/docker.sock'"
  std::string why_not;                 // then: what was found, and why it is of no use
};

/// The engine at `socket`; when that is empty the first that answers, or else the first that is there. Waits
/// a second for each at most. Any thread.
ContainerSetup find_containers(const std::filesystem::path& socket = {});

/// The containers of one run of `runner exec`.
class LocalContainers {
 public:
  /// `parent`: the directory of the runs' directories. The launcher outlives it. Without an engine it is
  /// nothing. Throws Error.
  LocalContainers(const executors::Launcher& launcher, engine::ContainerSettings settings,
                  const std::filesystem::path& parent);

  const engine::ContainerSettings& settings() const noexcept { return settings_; }
  /// nullptr when there is no engine.
  executors::ContainerExecutor* executor() noexcept { return executor_ ? &*executor_ : nullptr; }
  /// Removes from the engine what runs left that were killed, once their directories are gone: on a thread of
  /// its own, for which the destructor waits. Failures are logged. Once.
  void begin_sweep();

 private:
  void sweep() noexcept;

  const std::filesystem::path parent_;
  engine::ContainerSettings settings_;
  std::optional<executors::ContainerExecutor> executor_;
  std::jthread sweep_;  // last: it uses the others
};

}  // namespace runner::cli
