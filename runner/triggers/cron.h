#pragma once
// Cron expressions with time zones: when a schedule comes next. Pure; a value; any thread.
//
// Five fields as Vixie cron has them, "minute hour day-of-month month day-of-week":
//
//     minute        0-59
//     hour          0-23
//     day of month  1-31
//     month         1-12 or jan-dec
//     day of week   0-7 or sun-sat; 0 and 7 are Sunday
//
// A field is a list "1,5,10-20" of numbers, ranges, and "*"; a range and "*" may have a step: "*/15",
// "8-18/2". Names are for months and weekdays, in any case, in lists and ranges too. Instead of fields:
// @yearly, @annually, @monthly,
// @weekly, @daily, @midnight, @hourly. What other dialects add (seconds, "?", "L", "W", "#", "H", "5/10") is
// refused.
//
// Days: when both day fields are restricted, a day that is in one of them is enough ("0 0 13 * fri": each
// Friday and each 13th). A field is not restricted when it begins with "*", "*/2" too, as in Vixie cron; then
// both must fit.
//
// Clocks that are put forward or back, as cron of Debian has it (cron(8)). It depends on whether the field of
// the minute or of the hour begins with "*":
//
//   - neither does: the schedule means times of the day. One that the clocks jump over comes at the first
//   moment
//     after the jump, and several such come once, together. One that the clocks show twice comes the first
//     time only.
//   - one does ("*/10 * * * *", "30 * * * *"): the schedule means a rhythm. It comes at each moment at which
//   the clock
//     shows such a time: never for what is jumped over, twice for what is shown twice.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runner/base/clock.h"
#include "runner/base/time_zone.h"

namespace runner::triggers {

/// Why a text is no cron expression. Message and help as in messages for users: lower case, no full stop.
struct CronError {
  std::string message;
  std::string help;        // how to mend it
  std::size_t offset = 0;  // into the text
};

class Cron {
 public:
  /// nullopt with `error` set when the text is none. Texts of more than 1000 bytes are none.
  static std::optional<Cron> parse(std::string_view text, CronError& error);

  /// The first moment after `time`, never `time` itself, at which the schedule comes; always a whole minute
  /// of local time, or the moment after a jump. nullopt when it never comes ("0 0 30 2 *"), when `time` is
  /// not in the years 1 to 9950, or when nothing comes in 50 years. Takes microseconds, whatever the
  /// distance.
  std::optional<TimePoint> next_after(TimePoint time, const TimeZone& zone) const;

  /// As it was written, without blanks around it.
  const std::string& text() const noexcept { return text_; }

  /// Bit n is set when n is one of the values; that of Sunday is bit 0.
  struct Fields {
    std::uint64_t minutes = 0;
    std::uint32_t hours = 0;
    std::uint32_t days = 0;
    std::uint32_t months = 0;
    std::uint32_t weekdays = 0;
    bool any_minute = false;  // the field begins with "*"; likewise below
    bool any_hour = false;
    bool any_day = false;
    bool any_weekday = false;
  };
  const Fields& fields() const noexcept { return fields_; }

 private:
  Cron() = default;
  std::string text_;
  Fields fields_;
};

}  // namespace runner::triggers
