// Windows in which nothing is deployed: each week, or once, in the time of a zone.

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "deployments/protection.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/base/time_zone.h"

namespace runner::deployments {
namespace {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::minutes;
using std::chrono::sys_seconds;

constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/// A weekday or a date, and a time of day.
struct Mark {
  std::optional<unsigned> weekday;  // 0 = Sunday
  local_days date{};
  minutes time{0};
};

[[noreturn]] void refuse(const std::string& text) {
  throw Error(ErrorCode::invalid_input,
              "freeze: " + in_quotes(text) + " is no time: write it like 'Fri 16:00' or '2026-12-23 18:00'");
}

unsigned number(std::string_view digits, const std::string& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) refuse(text);
  return value;
}

Mark parse_mark(const std::string& text) {
  const std::vector<std::string_view> words = split_words(text);
  if (words.size() != 2 || words[1].size() != 5 || words[1][2] != ':') refuse(text);
  const unsigned hour = number(words[1].substr(0, 2), text), minute = number(words[1].substr(3), text);
  if (minute > 59 || hour > 24 || (hour == 24 && minute > 0)) refuse(text);
  Mark mark;
  mark.time = minutes(hour * 60 + minute);
  if (words[0].size() == 10 && words[0][4] == '-' && words[0][7] == '-') {
    const std::chrono::year_month_day date{
        std::chrono::year(static_cast<int>(number(words[0].substr(0, 4), text))),
        std::chrono::month(number(words[0].substr(5, 2), text)),
        std::chrono::day(number(words[0].substr(8), text))};
    if (!date.ok()) refuse(text);
    mark.date = local_days(date);
    return mark;
  }
  const std::string day = to_lower(words[0]);
  for (unsigned index = 0; index < kDays.size(); ++index) {
    if (day.size() >= 3 && day.substr(0, 3) == kDays[index] &&
        (day.size() == 3 || (day.size() > 5 && day.ends_with("day"))))
      mark.weekday = index;
  }
  if (!mark.weekday) refuse(text);
  return mark;
}

/// The last such moment at or before the day `today`, by the calendar.
local_seconds last_of(const Mark& mark, local_days today) {
  if (!mark.weekday) return mark.date + mark.time;
  const std::chrono::weekday now(today);
  const auto back = now - std::chrono::weekday(*mark.weekday);
  return today - back + mark.time;
}

/// Of one window: the end of what holds at `now`.
std::optional<sys_seconds> end_of(const FreezeWindow& window, const TimeZone& zone, sys_seconds now) {
  const Mark from = parse_mark(window.from), to = parse_mark(window.to);
  if (from.weekday.has_value() != to.weekday.has_value())
    throw Error(ErrorCode::invalid_input, "freeze: from " + in_quotes(window.from) + " to " +
                                              in_quotes(window.to) +
                                              ": both are days of the week, or both are dates");
  const auto today = std::chrono::floor<days>(zone.to_local(now));
  // A week may be entered on its last day: the one that began before, too.
  for (const int weeks : {0, 1}) {
    const local_seconds begin = last_of(from, today) - days(from.weekday ? 7 * weeks : 0);
    local_seconds end = to.date + to.time;
    if (to.weekday) {
      end = last_of(to, std::chrono::floor<days>(begin));
      while (end <= begin) end += days(7);
    }
    const sys_seconds first = zone.to_utc(begin).first, last = zone.to_utc(end).last;
    if (first <= now && now < last) return last;
    if (!from.weekday) break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<TimePoint> frozen_until(const std::vector<FreezeWindow>& windows, TimePoint now) {
  std::vector<std::pair<const FreezeWindow*, TimeZone>> all;
  all.reserve(windows.size());
  for (const FreezeWindow& window : windows) all.emplace_back(&window, TimeZone::load(window.zone));
  std::optional<sys_seconds> until;
  sys_seconds at = std::chrono::floor<std::chrono::seconds>(now);
  // One window may open into another; a year of that is for ever.
  for (int rounds = 0; rounds < 400; ++rounds) {
    std::optional<sys_seconds> later;
    for (const auto& [window, zone] : all)
      if (const auto end = end_of(*window, zone, at); end && (!later || *end > *later)) later = end;
    if (!later) break;
    until = at = *later;
  }
  if (!until) return std::nullopt;
  return TimePoint(*until);
}

}  // namespace runner::deployments
