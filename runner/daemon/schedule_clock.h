#pragma once
// Has schedules run when their time comes (schedule_runs.h). One thread sleeps until then; a few make the
// pipelines, so that a repository that does not answer keeps no other waiting.

#include <cstddef>
#include <memory>

#include "runner/daemon/metrics.h"
#include "runner/daemon/schedule_runs.h"

namespace runner::daemon {

/// Any thread.
class ScheduleClock {
 public:
  /// What the parts refer to outlives it. Throws Error when there are no descriptors.
  explicit ScheduleClock(ScheduleParts parts, std::size_t threads = 4);
  /// As stop().
  ~ScheduleClock();
  ScheduleClock(const ScheduleClock&) = delete;
  ScheduleClock& operator=(const ScheduleClock&) = delete;

  /// Starts threads. Once.
  void start();
  /// Nothing new is begun; waits for what is. What blocks on the network is ended by others (ProjectWatch).
  /// Idempotent.
  void stop();
  /// Schedules were added, changed or removed. Does not block.
  void changed() noexcept;
  /// runner_schedules_*.
  void add_metrics(MetricsText& text) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::daemon
