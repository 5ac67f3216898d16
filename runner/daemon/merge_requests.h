#pragma once
// Merge requests of a project that is looked at: which of them get a pipeline, and what is known of each.
// Whoever may open one decides what runs, so the project must say that it wants them.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "runner/daemon/trigger.h"
#include "runner/daemon/watched_refs.h"
#include "runner/forge/forge_http.h"
#include "runner/forge/merge_request.h"
#include "runner/git/mirror.h"
#include "runner/storage/delivery_table.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// What the webhooks that wait said of merge requests, by number: the last one counts. What cannot be read is
/// passed over. Pure.
struct RequestHint {
  bool opened = false, closed = false;  // or changed; or merged
  std::string source_branch, target_branch;
  bool from_fork = true;
};
std::map<std::int64_t, RequestHint> request_hints(const std::vector<storage::DeliveryRecord>& deliveries);

/// What becomes of the changed refs of a look.
struct SortedRefs {
  std::vector<ChangedRef> wanted;  // these get pipelines
  std::vector<ChangedRef> noted;   // these are only remembered
};
/// Branches and tags are wanted. Of merge requests those that changed since they were first looked at, and
/// those that a webhook tells of; not those that were there when they were switched on, nor closed ones.
/// `remote` has all that there is. At most `most` of them at a time: the others are news for the next look.
/// Pure.
SortedRefs sort_requests(const storage::ProjectRecord& project, std::vector<ChangedRef> changed,
                         const git::RemoteRefs& remote, const std::map<std::int64_t, RequestHint>& hints,
                         std::size_t most);

class MergeRequests {
 public:
  /// References outlive it. Any thread.
  MergeRequests(const storage::Store& store, const storage::Sealer& sealer, std::stop_token stop)
      : store_(store), sealer_(sealer), stop_(std::move(stop)) {}

  /// Asks the forge when there is a token, else believes the webhook, else takes the default branch for the
  /// target. The mirror has the commit and the branches. nullopt: it is closed. Blocks on the network; a
  /// forge that does not say is said in the log.
  std::optional<MergeRequestTrigger> describe(const storage::ProjectRecord& project,
                                              const git::Mirror& mirror, std::int64_t number,
                                              const std::string& sha,
                                              const std::map<std::int64_t, RequestHint>& hints) const;

 private:
  const storage::Store& store_;
  const storage::Sealer& sealer_;
  const std::stop_token stop_;
};

}  // namespace runner::daemon
