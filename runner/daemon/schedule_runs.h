#pragma once
// The runs of schedules: which are due, and how one is made. Each is made exactly once, whatever is killed
// when: its pipeline and the schedule's next time are one transaction. Runs that were missed, as nobody
// served or the clock was put forward, come once, late; then the next time counts. What cannot be reached is
// asked again, ever less often.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/daemon/pipeline_maker.h"
#include "runner/daemon/trigger.h"
#include "runner/storage/project_table.h"
#include "runner/storage/schedule_table.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// What came of looking at a schedule whose time had come.
enum class RunResult : std::uint8_t {
  made,     // a pipeline
  invalid,  // one that says what is wrong with the pipeline file
  none,     // the pipeline file gives none
  skipped,  // the project is paused, or the owner may not run it any more; said in its record
  put_off,  // the ref or the repository cannot be reached: again later
  gone,     // it was changed, removed or run by another meanwhile
};
/// The text of metrics: the enumerator's name.
const char* to_string(RunResult result) noexcept;
inline constexpr std::size_t kRunResults = 6;

struct ScheduleParts {
  storage::Store& store;
  const storage::Sealer& sealer;
  const Clock& clock;
  /// ProjectWatch::run_scheduled().
  std::function<Made(const storage::ProjectRecord& project, const std::string& ref, Trigger trigger,
                     const Settle& settle)>
      make;
};

/// Any thread; of one schedule one thread at a time, or the others get `gone`.
class ScheduleRuns {
 public:
  explicit ScheduleRuns(ScheduleParts parts) : parts_(std::move(parts)) {}

  /// Those whose time has come, longest waiting first; at most kMaxPage. Blocks on the store. Throws Error.
  std::vector<storage::ScheduleRecord> due();
  /// When the next one after those comes.
  std::optional<TimePoint> next();
  /// One of due(). Blocks on the network. Throws Error only when the store fails: nothing was made then.
  RunResult run(const storage::ScheduleRecord& schedule);
  /// The clock may have been set back since next times were reckoned. Cron's rule (cron(8)): by less than
  /// three hours, nothing comes twice; by more, it was wrong, and what it shows now counts. Returns how many
  /// were reckoned anew. Blocks on the store. Throws Error.
  std::size_t follow_clock();

  /// How often there was each result.
  std::uint64_t count(RunResult result) const { return counts_[static_cast<std::size_t>(result)]; }

 private:
  struct Opened;
  RunResult make(const storage::ScheduleRecord& schedule);
  std::optional<Opened> open(const storage::ScheduleRecord& schedule);
  RunResult skip(const storage::ScheduleRecord& schedule, const Opened& opened);
  RunResult put_off(const storage::ScheduleRecord& schedule, const std::string& why);

  const ScheduleParts parts_;
  std::array<std::atomic<std::uint64_t>, kRunResults> counts_{};
};

}  // namespace runner::daemon
