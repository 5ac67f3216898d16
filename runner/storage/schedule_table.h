#pragma once
// Pipelines that start by the clock.

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
  std::optional<TimePoint> last_run_at;  // written by advance() alone
  std::int64_t version = 0;              // optimistic lock, +1 per change by people
  TimePoint created_at{};
};

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
  /// Active ones whose time has come, the longest waiting first.
  std::vector<ScheduleRecord> due(TimePoint now, std::size_t limit);
  /// The earliest time at which one is due; what to sleep for.
  std::optional<TimePoint> next_due();
  /// All but id, project, last_run_at and time of creation; without `variables` those stay. The version
  /// becomes `expected_version` + 1. False when that is no longer current, or it is gone; nothing was
  /// written.
  bool replace(const ScheduleRecord& next, std::int64_t expected_version,
               std::optional<std::string_view> variables = {});
  /// Goes on from the run at `due` to the one at `next`, in the transaction that makes the pipeline, so that
  /// no run is made twice. False when its time is no longer `due`, or it is not active: make none then. Not a
  /// change of the version: what people edit meanwhile is not in the way.
  bool advance(std::int64_t id, TimePoint due, std::optional<TimePoint> next, TimePoint ran_at);
  /// Fine when it is gone already.
  void remove(std::int64_t id);

 private:
  Tx& tx_;
  const Sealer& sealer_;
};

}  // namespace runner::storage
