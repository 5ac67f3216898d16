#include "runner/daemon/commit_statuses.h"

#include "runner/storage/outbox_table.h"

namespace runner::daemon {

void CommitStatuses::add_metrics(MetricsText& text) const {
  using forge::ForgeKind;
  const forge::SenderStats stats = sender_ ? sender_->stats() : forge::SenderStats();
  text.family("runner_commit_statuses_total", "counter", "Commit statuses that forges were sent.");
  for (const ForgeKind kind : {ForgeKind::github, ForgeKind::gitlab, ForgeKind::gitea}) {
    for (const char* result : {"delivered", "failed", "dropped"}) {
      const auto found = stats.results.find({kind, result});
      text.sample("runner_commit_statuses_total",
                  found == stats.results.end() ? 0 : static_cast<double>(found->second),
                  {{"forge", std::string(to_string(kind))}, {"result", result}});
    }
  }
  std::int64_t waiting = 0;
  store_.read([&](storage::Tx& tx) { waiting = storage::Outbox(tx).count(forge::kStatusKind); });
  text.family("runner_commit_statuses_waiting", "gauge", "Commit statuses that are still to be sent.");
  text.sample("runner_commit_statuses_waiting", static_cast<double>(waiting));
}

}  // namespace runner::daemon
