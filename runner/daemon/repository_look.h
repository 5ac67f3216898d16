#pragma once
// One look at the repository of a project: asks for the refs, and for those that are news fetches and makes
// pipelines.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "runner/daemon/merge_requests.h"
#include "runner/daemon/pipeline_maker.h"
#include "runner/daemon/project_access.h"
#include "runner/daemon/watched_refs.h"
#include "runner/engine/engine.h"
#include "runner/git/mirror.h"
#include "runner/git/remote.h"
#include "runner/storage/delivery_table.h"
#include "runner/storage/project_table.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct LookParts {
  storage::Store& store;
  const storage::Sealer& sealer;
  PipelineMaker& maker;
  engine::Engine& engine;
  const Clock& clock;
  std::filesystem::path data_dir;
  /// False: nothing can be stored for now, so nobody looks. May be empty.
  std::function<bool()> may_store = {};
};

struct LookStats {
  std::uint64_t fetches = 0, pipelines = 0;
};

/// Any thread, several projects at a time; one project may be looked at twice at once, and nothing happens
/// twice. All of it blocks on the network until `stop`.
class RepositoryLook {
 public:
  RepositoryLook(LookParts parts, git::RemoteLimits limits, std::stop_token stop)
      : parts_(std::move(parts)),
        limits_(limits),
        stop_(std::move(stop)),
        requests_(parts_.store, parts_.sealer, stop_) {}

  /// False: the project is gone. Deliveries of webhooks that were there before are finished. Throws Error.
  bool look(std::int64_t project);
  /// See ProjectWatch.
  std::int64_t start_pipeline(const storage::ProjectRecord& project, const std::string& ref, Trigger trigger);
  Made run_scheduled(const storage::ProjectRecord& project, const std::string& ref, Trigger trigger,
                     const Settle& settle);
  git::RemoteRefs ask(const storage::ProjectRecord& project);
  LookStats stats() const { return {fetches_, pipelines_}; }

 private:
  struct Opened {
    storage::ProjectRecord project;
    ProjectAccess access;
    std::map<std::string, std::string> heads;
    std::vector<storage::DeliveryRecord> deliveries;
  };
  std::optional<Opened> open(std::int64_t project);
  ProjectAccess access_of(const storage::ProjectRecord& project);
  std::size_t look_at(Opened& opened);
  Made make_of_ref(const storage::ProjectRecord& project, const std::string& ref, Trigger trigger,
                   const Settle& settle);
  /// Branches, tags, and these refs.
  void fetch(git::Mirror& mirror, const git::RemoteAccess& access, const std::vector<std::string>& more);
  /// Returns the heads of merge requests among them.
  std::vector<std::string> forget_gone(const Opened& opened, const git::RemoteRefs& remote);
  void note(const storage::ProjectRecord& project, const std::vector<ChangedRef>& heads);
  bool make(const storage::ProjectRecord& project, git::Mirror& mirror, const ChangedRef& ref,
            const std::map<std::int64_t, RequestHint>& hints);
  void supersede(const storage::ProjectRecord& project, const Trigger& trigger, std::int64_t newest);
  void finish_deliveries(const Opened& opened, std::size_t made);

  const LookParts parts_;
  const git::RemoteLimits limits_;
  const std::stop_token stop_;
  const MergeRequests requests_;
  std::atomic<std::uint64_t> fetches_{0}, pipelines_{0};
};

}  // namespace runner::daemon
