#pragma once
// What is to be told to forges, written down with the change that it tells of. One act of the outbox for each
// project, commit and name of a status: a newer one takes the place of an older one that still waits.

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "runner/base/clock.h"
#include "runner/forge/commit_status.h"
#include "runner/storage/project_table.h"
#include "runner/storage/records.h"
#include "runner/storage/sealer.h"
#include "runner/storage/secret.h"
#include "runner/storage/store.h"

namespace runner::forge {

/// The kind of these acts in the outbox.
inline constexpr const char* kStatusKind = "commit_status";

/// The token for the forge of `place`: the newest `forge_token`, else what opens the repository over http
/// when the API is of the same host. nullopt: there is none. Throws as Sealer::open() does.
std::optional<storage::Secret> forge_token(storage::Tx& tx, const storage::Sealer& sealer,
                                           const storage::ProjectRecord& project, const ForgePlace& place);

/// Any thread.
class StatusOutbox {
 public:
  /// What is no end waits for `hold_back`, so that of quick changes the last is sent.
  StatusOutbox(const storage::Sealer& sealer, const Clock& clock, std::chrono::milliseconds hold_back)
      : sealer_(sealer), clock_(clock), hold_back_(hold_back) {}

  /// In the transaction that writes the change. `whole`: the pipeline's own status changed; `jobs`: those
  /// whose status did, their newest attempts. Nothing for a project without a forge or without a token, and
  /// for a commit that has a newer pipeline.
  void note(storage::Tx& tx, const storage::PipelineRecord& pipeline, bool whole,
            const std::vector<const storage::JobRecord*>& jobs) const;

 private:
  const storage::Sealer& sealer_;
  const Clock& clock_;
  const std::chrono::milliseconds hold_back_;
};

}  // namespace runner::forge
