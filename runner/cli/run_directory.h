#pragma once
// The private directory of one run, and what dead runs left behind. Any thread.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "runner/base/fd.h"

namespace runner::cli {

/// A new directory (0700) that is removed at the end. A lock on it tells that its run is alive; the kernel
/// drops the lock with the process, however it ends.
class RunDirectory {
 public:
  /// Below `parent`, which is made when missing. Throws Error.
  explicit RunDirectory(const std::filesystem::path& parent);
  RunDirectory(RunDirectory&&) noexcept = default;
  RunDirectory& operator=(RunDirectory&&) = delete;
  ~RunDirectory();

  const std::filesystem::path& path() const noexcept { return path_; }
  /// Now rather than at the end, to tell about failures. Throws Error.
  void remove();

 private:
  std::filesystem::path path_;
  UniqueFd lock_;
};

/// Removes directories of runs, and of tries of a mount, below `parent` whose process is gone, after
/// `end_processes` has been called for each. Failures are logged: they are no reason not to run.
void remove_dead_runs(const std::filesystem::path& parent,
                      const std::function<void(const std::filesystem::path& run)>& end_processes) noexcept;

/// A directory of this user's below the system's temporary ones, for runs whose data directory cannot hold
/// workspaces. nullopt when somebody else owns the name. Made (0700) when missing.
std::optional<std::filesystem::path> private_temporary(const std::filesystem::path& temporary) noexcept;

}  // namespace runner::cli
