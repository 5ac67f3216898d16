#pragma once
// The fields of a schedule as people give them. Internal to this folder.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "runner/storage/schedule_table.h"

namespace runner::api {

enum class ScheduleForm : std::uint8_t { creation, change };

/// What was given, and is well-formed.
struct ScheduleFields {
  std::optional<std::string> description, cron, time_zone, ref;
  std::optional<bool> active;
  std::optional<std::map<std::string, std::string>> variables;  // all there are from now on
  std::optional<std::int64_t> version;                          // the one that was read before

  /// With the next time reckoned from `now` when it may be another one than before.
  void apply(storage::ScheduleRecord& schedule, TimePoint now) const;
};

/// Blocks on the disk, where time zones are. Throws Refusal.
ScheduleFields read_schedule_fields(std::string_view body, ScheduleForm form, TimePoint now);

}  // namespace runner::api
