#pragma once
// What people write of a schedule, checked: when it comes, in which time zone, with which variables. The one
// place that the API, the configuration file and the clock ask. Any thread.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "runner/base/clock.h"
#include "runner/base/time_zone.h"
#include "runner/triggers/cron.h"

namespace runner::triggers {

/// Why there are no times; messages as for users, with the mend. "" = nothing is wrong with that field.
struct TimesProblem {
  std::string cron, time_zone;
};

class ScheduleTimes {
 public:
  /// nullopt with `problem` set when one of them is wrong, or the schedule would never come. Blocks on the
  /// disk, where the zones are.
  static std::optional<ScheduleTimes> read(std::string_view cron, std::string_view time_zone, TimePoint now,
                                           TimesProblem& problem);

  /// See Cron::next_after().
  std::optional<TimePoint> next_after(TimePoint time) const { return cron_.next_after(time, zone_); }

 private:
  ScheduleTimes(Cron cron, TimeZone zone) : cron_(std::move(cron)), zone_(std::move(zone)) {}
  Cron cron_;
  TimeZone zone_;
};

/// Variables of a schedule as they are stored (schedule_table.h): a JSON object of texts. SECRET: they may
/// hold some.
std::string variables_text(const std::map<std::string, std::string>& variables);
/// Throws Error{corrupt}, which shows no value.
std::map<std::string, std::string> read_variables(std::string_view text);

}  // namespace runner::triggers
