#pragma once
// Where attempts run. The engine decides that one starts and what follows from its end; a host does it: in
// threads of this process (local_jobs.h), or in processes that outlive it.

#include <cstdint>
#include <functional>

#include "runner/engine/job_order.h"
#include "runner/engine/stop_control.h"

namespace runner::engine {

/// Called by the engine's job threads and its archiver, at the same time. Nothing throws: what fails becomes
/// a failed outcome, or an error of the archives.
class JobHost {
 public:
  virtual ~JobHost() = default;

  /// Told once by run(), in its thread. What the attempt was given may be gone when it returns. Never throws.
  using OnEnd = std::function<void(JobOutcome outcome)>;
  /// Runs the attempt, or goes on with it when an engine before this one started it (by `order.state.id`),
  /// tells how it ended, and returns when nothing is left of it. `control` says when it is to stop.
  virtual void run(const JobOrder& order, StopControl& control, const OnEnd& on_end) noexcept = 0;
  /// Writes what is in `collected` to `order.archive_root`, or waits until that is done. `stop`: give up.
  virtual Archives archive(const ArchiveOrder& order, const Collected& collected,
                           const std::function<bool()>& stop) noexcept = 0;
  /// Everything the attempt left is in the store: nothing of it will be asked for again. Engine thread,
  /// quick.
  virtual void settle(std::int64_t attempt) noexcept = 0;
  /// False: it begins none for now. The engine asks again. Engine thread, quick.
  virtual bool accepts() const noexcept { return true; }
  /// Whether it ends jobs that are over their time by itself, so that nobody else need.
  virtual bool keeps_time() const noexcept = 0;
};

}  // namespace runner::engine
