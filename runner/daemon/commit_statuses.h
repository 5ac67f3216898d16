#pragma once
// Commit statuses put together: written with the changes of pipelines, sent by a thread, counted.

#include <chrono>
#include <memory>

#include "runner/base/clock.h"
#include "runner/daemon/metrics.h"
#include "runner/engine/engine.h"
#include "runner/forge/status_outbox.h"
#include "runner/forge/status_sender.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct StatusOptions {
  forge::SenderOptions sender;
  std::chrono::milliseconds hold_back{1'000};  // see forge::StatusOutbox
};

class CommitStatuses {
 public:
  /// References outlive it. Nothing is sent before start().
  CommitStatuses(storage::Store& store, const storage::Sealer& sealer, const Clock& clock,
                 StatusOptions options)
      : store_(store),
        sealer_(sealer),
        clock_(clock),
        options_(std::move(options)),
        outbox_(sealer, clock, options_.hold_back) {}

  void start() { sender_ = std::make_unique<forge::StatusSender>(store_, sealer_, clock_, options_.sender); }
  /// What is in flight is broken off; it is sent again by the next one.
  void stop() {
    if (sender_) sender_->stop();
  }

  /// In the transaction of the change; any thread.
  void note(storage::Tx& tx, const engine::StoredChange& change) const {
    outbox_.note(tx, change.pipeline, change.pipeline_changed, change.jobs);
  }
  /// After it; any thread once it was started.
  void wake() {
    if (sender_) sender_->wake();
  }
  void add_metrics(MetricsText& text) const;

 private:
  storage::Store& store_;
  const storage::Sealer& sealer_;
  const Clock& clock_;
  const StatusOptions options_;
  const forge::StatusOutbox outbox_;
  std::unique_ptr<forge::StatusSender> sender_;
};

}  // namespace runner::daemon
