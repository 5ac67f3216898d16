#include "runner/forge/status_outbox.h"

#include <algorithm>

#include "runner/storage/credential_table.h"
#include "runner/storage/outbox_table.h"
#include "runner/storage/pipeline_table.h"

namespace runner::forge {
namespace {

using storage::CredentialKind;
using storage::CredentialRecord;

std::optional<CredentialRecord> token_record(storage::Credentials& credentials, std::int64_t project,
                                             const ForgePlace& place) {
  std::optional<CredentialRecord> own, repository;
  for (CredentialRecord& each : credentials.of_project(project)) {
    if (each.kind == CredentialKind::forge_token) {
      own = std::move(each);
    } else if (place.same_host &&
               (each.kind == CredentialKind::token || each.kind == CredentialKind::password)) {
      repository = std::move(each);
    }
  }
  return own ? own : repository;
}

bool is_merge_request(const std::string& source) {
  return source == "merge_request_event";
}

}  // namespace

std::optional<storage::Secret> forge_token(storage::Tx& tx, const storage::Sealer& sealer,
                                           const storage::ProjectRecord& project, const ForgePlace& place) {
  storage::Credentials credentials(tx, sealer);
  const auto found = token_record(credentials, project.id, place);
  return found ? credentials.open(found->id) : std::nullopt;
}

void StatusOutbox::note(storage::Tx& tx, const storage::PipelineRecord& pipeline, bool whole,
                        const std::vector<const storage::JobRecord*>& jobs) const {
  if (!pipeline.project_id) return;
  const auto project = storage::Projects(tx).find(*pipeline.project_id);
  if (!project) return;
  const ForgePlace place = place_of(*project);
  if (place.kind == ForgeKind::none) return;
  storage::Credentials credentials(tx, sealer_);
  if (!token_record(credentials, project->id, place)) return;
  const bool merge_request = is_merge_request(pipeline.source);
  const auto newer = storage::Pipelines(tx).newer_sources(project->id, pipeline.sha, pipeline.id);
  if (std::any_of(newer.begin(), newer.end(),
                  [&](const std::string& source) { return is_merge_request(source) == merge_request; }))
    return;
  const TimePoint now = clock_.now();
  storage::Outbox outbox(tx);
  const auto put = [&](const CommitStatus& status) {
    const bool last = is_completed(status.status) || status.status == pipelines::JobStatus::manual;
    outbox.put({key_of(status),
                kStatusKind,
                std::nullopt,
                encode(status),
                now,
                0,
                last ? now : now + hold_back_,
                {}});
  };
  if (whole) {
    if (const auto status = status_of(pipeline)) put(*status);
  }
  for (const storage::JobRecord* job : jobs) {
    if (const auto status = status_of(pipeline, *job)) put(*status);
  }
}

}  // namespace runner::forge
