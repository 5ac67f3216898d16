#pragma once
// Looks at the repositories of all projects: from time to time, and when a webhook says there is something
// new. A look asks for the refs; only when a watched one has changed is anything fetched.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runner/daemon/repository_look.h"
#include "runner/engine/engine.h"
#include "runner/git/remote.h"
#include "runner/storage/project_table.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct WatchOptions {
  std::size_t threads = 4;  // projects looked at at the same time
  std::chrono::milliseconds longest_back_off{900'000};
  git::RemoteLimits limits;
};

/// How the last look at a project went.
struct LookState {
  std::optional<TimePoint> at, ok_at;
  std::string error;         // of the last look; "" = it went well
  std::size_t failures = 0;  // in a row
};

struct WatchStats {
  std::uint64_t looks = 0, failed_looks = 0, fetches = 0, pipelines = 0;
};

/// Any thread.
class ProjectWatch {
 public:
  /// Starts threads. References must outlive it.
  ProjectWatch(const LookParts& parts, WatchOptions options);
  /// As stop().
  ~ProjectWatch();
  ProjectWatch(const ProjectWatch&) = delete;
  ProjectWatch& operator=(const ProjectWatch&) = delete;

  /// Ends all looks, and waits for them. Idempotent.
  void stop();
  /// Projects were added, changed or removed.
  void reload();
  /// Look at this one now.
  void poke(std::int64_t project);

  /// Fetches, and makes a pipeline for the ref ("" = the default branch), whatever it had. Blocks on the
  /// network. See api::Actions::start_pipeline().
  std::int64_t start_pipeline(const storage::ProjectRecord& project, const std::string& ref, Trigger trigger);
  /// The same for a schedule: `settle` is true with the pipeline. A wrong pipeline file gives one that says
  /// so. Throws Error {not_found} without the ref, and when the repository cannot be reached.
  Made run_scheduled(const storage::ProjectRecord& project, const std::string& ref, Trigger trigger,
                     const Settle& settle);
  /// Asks the remote now. Throws Error.
  git::RemoteRefs ask(const storage::ProjectRecord& project);

  std::map<std::int64_t, LookState> states() const;
  LookState state(std::int64_t project) const;
  WatchStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::daemon
