#pragma once
// Containers of a server's jobs: how they are made, and how those are found that nobody looks after.

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

#include "executors/containers/container_executor.h"
#include "executors/launcher.h"
#include "runner/engine/engine.h"

namespace runner::daemon {

/// For the executor of this program. Throws Error when the program's file cannot be told.
executors::ContainerOptions container_options(const engine::ContainerSettings& settings);

/// What was removed to keep the budgets of the engine's disk, since the start.
struct DiskReclaimed {
  std::uint64_t images = 0, image_bytes = 0, build_cache_bytes = 0;
};

/// Removes from the engine what belongs to no attempt any more, and keeps the budgets: at once, and each
/// minute. A thread of its own; an engine that is away is asked again.
class ContainerSweeper {
 public:
  /// `jobs`: the directory of attempts. `launcher` outlives it. Without an engine it does nothing.
  ContainerSweeper(const executors::Launcher& launcher, engine::ContainerSettings settings,
                   std::filesystem::path jobs);

  DiskReclaimed reclaimed() const;

 private:
  void run(const std::stop_token& stop);
  void keep_budgets();

  const engine::ContainerSettings settings_;
  const std::filesystem::path jobs_;
  executors::ContainerExecutor executor_;
  mutable std::mutex mutex_;
  DiskReclaimed reclaimed_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace runner::daemon
