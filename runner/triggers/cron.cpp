#include "runner/triggers/cron.h"

#include <bit>

namespace runner::triggers {
namespace {

namespace chrono = std::chrono;
using chrono::local_days;
using chrono::local_seconds;
using chrono::minutes;
using chrono::sys_seconds;

using LocalMinute = chrono::local_time<minutes>;

constexpr chrono::year kFirstYear{1};
constexpr chrono::year kLastYear{9950};
// 29 February comes again after eight years at most, and may then lie in a jump of the clocks a few times.
constexpr chrono::years kHorizon{50};

/// The lowest set bit that is not below `from`.
std::optional<unsigned> next_bit(std::uint64_t bits, unsigned from) {
  if (from > 63) return std::nullopt;
  bits &= ~std::uint64_t{0} << from;
  if (bits == 0) return std::nullopt;
  return static_cast<unsigned>(std::countr_zero(bits));
}

bool fits_day(const Cron::Fields& fields, chrono::year_month_day date, local_days day) {
  const bool in_days = (fields.days >> static_cast<unsigned>(date.day()) & 1U) != 0;
  const bool in_weekdays = (fields.weekdays >> chrono::weekday(day).c_encoding() & 1U) != 0;
  return fields.any_day || fields.any_weekday ? in_days && in_weekdays : in_days || in_weekdays;
}

/// The first day that fits, not before `from` and not after the end of `last`.
std::optional<local_days> next_day(const Cron::Fields& fields, local_days from, chrono::year last) {
  chrono::year_month_day date(from);
  while (date.year() <= last) {
    if ((fields.months >> static_cast<unsigned>(date.month()) & 1U) == 0) {
      date = (date.year() / date.month() + chrono::months(1)) / 1;
      continue;
    }
    const local_days day(date);
    if (fits_day(fields, date, day)) return day;
    date = chrono::year_month_day(day + chrono::days(1));
  }
  return std::nullopt;
}

/// The first time of a day that fits, not before `from`.
std::optional<minutes> next_time(const Cron::Fields& fields, minutes from) {
  const auto hour = static_cast<unsigned>(from / chrono::hours(1));
  const auto minute = static_cast<unsigned>((from % chrono::hours(1)).count());
  const auto first_hour = next_bit(fields.hours, hour);
  if (!first_hour) return std::nullopt;
  if (*first_hour == hour) {
    if (const auto found = next_bit(fields.minutes, minute)) return chrono::hours(hour) + minutes(*found);
  }
  const auto later_hour = *first_hour == hour ? next_bit(fields.hours, hour + 1) : first_hour;
  const auto found = next_bit(fields.minutes, 0);
  if (!later_hour || !found) return std::nullopt;
  return chrono::hours(*later_hour) + minutes(*found);
}

/// The first local time that fits, not before `from`.
std::optional<LocalMinute> next_local(const Cron::Fields& fields, LocalMinute from, chrono::year last) {
  auto day = chrono::floor<chrono::days>(from);
  auto time = from - day;
  while (const auto fitting = next_day(fields, day, last)) {
    if (*fitting != day) time = minutes(0);
    if (const auto found = next_time(fields, time)) return *fitting + *found;
    day = *fitting + chrono::days(1);
    time = minutes(0);
  }
  return std::nullopt;
}

/// A schedule that means times of the day.
std::optional<sys_seconds> next_of_clock(const Cron::Fields& fields, sys_seconds after, const TimeZone& zone,
                                         chrono::year last) {
  // Times that are shown for the second time come from moments that are past: at most those of one overlap.
  auto local = next_local(fields, chrono::floor<minutes>(zone.to_local(after)) + minutes(1), last);
  while (local) {
    const auto moments = zone.to_utc(*local);
    if (moments.first > after) return moments.first;
    local = next_local(fields, *local + minutes(1), last);
  }
  return std::nullopt;
}

/// A schedule that means a rhythm: the moments of each even stretch of time for themselves.
std::optional<sys_seconds> next_of_rhythm(const Cron::Fields& fields, sys_seconds after, const TimeZone& zone,
                                          chrono::year last) {
  TimeZone::Period period = zone.at(after);
  LocalMinute from =
      chrono::floor<minutes>(local_seconds(after.time_since_epoch() + period.kind.offset)) + minutes(1);
  while (const auto local = next_local(fields, from, last)) {
    const sys_seconds moment(chrono::seconds(local->time_since_epoch()) - period.kind.offset);
    if (moment < period.end) return moment;
    const sys_seconds begin = period.end;
    period = zone.at(begin);
    from = chrono::ceil<minutes>(local_seconds(begin.time_since_epoch() + period.kind.offset));
  }
  return std::nullopt;
}

}  // namespace

std::optional<TimePoint> Cron::next_after(TimePoint time, const TimeZone& zone) const {
  const auto after = chrono::floor<chrono::seconds>(time);
  const chrono::year year = chrono::year_month_day(chrono::floor<chrono::days>(after)).year();
  // Far from these years the calendar of the standard library does not count right.
  if (after < chrono::sys_days(kFirstYear / 1 / 1) ||
      after >= chrono::sys_days((kLastYear + chrono::years(1)) / 1 / 1))
    return std::nullopt;
  const bool rhythm = fields_.any_minute || fields_.any_hour;
  const auto next = rhythm ? next_of_rhythm(fields_, after, zone, year + kHorizon)
                           : next_of_clock(fields_, after, zone, year + kHorizon);
  if (!next) return std::nullopt;
  return TimePoint(*next);
}

}  // namespace runner::triggers
