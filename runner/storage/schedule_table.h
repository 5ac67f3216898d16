#pragma once
// Pipelines that start by the clock.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::storage {

/// All but the variables, which may hold secrets.
struct ScheduleRecord {
  std::int64_t id = 0;
  std::int64_t project = 0;
  std::string description, cron, time_zone, ref;
  bool active = true;
  std::string owner;                     // name of the user in whose name it runs
  std::optional<TimePoint> next_run_at;  // the owner of the clock reckons it; nullopt: never
  std::optional<TimePoint> last_run_at;  // written by advance() and played(), like the four below
  std::int64_t version = 0;              // optimistic lock, +1 per change by people
  TimePoint created_at{};
  TimePoint reckoned_at{};            // what the clock showed when next_run_at was reckoned
  std::optional<TimePoint> retry_at;  // the run at next_run_at could not be made; not before this
  std::int64_t failures = 0;          // in a row
  std::string last_error;             // "" = the last run was made as it should be
  std::optional<std::int64_t> last_pipeline;
};

/// What came of a run.
struct ScheduleOutcome {
  std::optional<std::int64_t> pipeline;  // nullopt: there is none
  std::string error;                     // why not, or what is wrong with it; see storable_text()
};

/// No retry is put off for longer. One that seems to be was noted by a clock that was set back since.
inline constexpr std::chrono::minutes kLongestRetry{15};

class Schedules {
 public:
  Schedules(Tx& tx, const Sealer& sealer) noexcept : tx_(tx), sealer_(sealer) {}
  /// Id, version and last_run_at are not looked at. `variables` is JSON text, at most 1 MiB. Returns the id.
  /// Throws Error{invalid_input} for texts that cannot be, Error{not_found} without the project.
  std::int64_t insert(const ScheduleRecord& record, std::string_view variables);
  std::optional<ScheduleRecord> find(std::int64_t id);
  /// By id, those after `after`.
  std::vector<ScheduleRecord> of_project(std::int64_t project, std::int64_t after = 0,
                                         std::size_t limit = kMaxPage);
  /// nullopt when the schedule is gone. Throws as Sealer::open() does.
  std::optional<Secret> variables(std::int64_t id);
  /// Active ones whose time has come, also that of a retry, the longest waiting first.
  std::vector<ScheduleRecord> due(TimePoint now, std::size_t limit);
  /// The earliest time after `after` at which one is due; what to sleep for.
  std::optional<TimePoint> next_due(TimePoint after = TimePoint::min());
  /// Active ones that were reckoned when the clock showed more than `time`, by id.
  std::vector<ScheduleRecord> reckoned_after(TimePoint time, std::size_t limit);
  /// All but id, project, time of creation, and what runs write; without `variables` those stay. Retries and
  /// the last error are forgotten: it may work now. The version becomes `expected_version` + 1. False when
  /// that is no longer current, or it is gone; nothing was written.
  bool replace(const ScheduleRecord& next, std::int64_t expected_version,
               std::optional<std::string_view> variables = {});
  /// Goes on from the run at `due` to the one at `next`, in the transaction that makes the pipeline, so that
  /// no run is made twice. False when its time is no longer `due`, or it is not active: make none then. Not a
  /// change of the version: what people edit meanwhile is not in the way. Likewise those below.
  bool advance(std::int64_t id, TimePoint due, std::optional<TimePoint> next, TimePoint ran_at,
               const ScheduleOutcome& outcome = {});
  /// The run at `due` could not be made, and is tried again at `retry_at`. False as advance().
  bool put_off(std::int64_t id, TimePoint due, TimePoint retry_at, std::string_view error);
  /// The run at `due` was reckoned by a clock that was wrong; `next` is right.
  bool reckon_anew(std::int64_t id, TimePoint due, std::optional<TimePoint> next, TimePoint now);
  /// Somebody had it run, beside its times.
  void played(std::int64_t id, std::int64_t pipeline, TimePoint at);
  /// Fine when it is gone already.
  void remove(std::int64_t id);

 private:
  Tx& tx_;
  const Sealer& sealer_;
};

}  // namespace runner::storage
