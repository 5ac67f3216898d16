#pragma once
// The time zone strings of POSIX ("CET-1CEST,M3.5.0,M10.5.0/3"), with the extension of RFC 8536 3.3.1 (hours
// from -167 to 167). The last line of a TZif file is one: it holds for all times after those the file lists.
// Pure.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner {

/// One kind of local time: "CEST" is two hours ahead of UTC and daylight saving time.
struct ZoneKind {
  std::chrono::seconds offset{0};  // added to UTC
  bool daylight = false;
  std::string abbreviation;
};

/// A day of every year and a time on it, counted from the midnight at which the day begins.
struct ZoneRuleDate {
  enum class Form : std::uint8_t { julian, day_of_year, weekday_of_month };
  Form form = Form::julian;
  int day = 0;    // julian: 1-365, 29 February never counted; day_of_year: 0-365; weekday: 0 (Sunday) to 6
  int month = 0;  // weekday_of_month: 1-12
  int week = 0;   // weekday_of_month: 1-5, where 5 is the last
  std::chrono::seconds time{0};
};

struct PosixZone {
  ZoneKind standard;
  std::optional<ZoneKind> daylight;
  ZoneRuleDate start;  // of daylight saving time, in standard time
  ZoneRuleDate end;    // in daylight saving time

  /// From `begin` on, until the next change, it is daylight saving time or not.
  struct Change {
    std::chrono::sys_seconds begin;
    bool daylight = false;
  };
  /// The changes of these years in order; none when there is no daylight saving time. No two begin at once,
  /// and none repeats the state of the one before it.
  std::vector<Change> changes(std::chrono::year first, std::chrono::year last) const;
};

/// nullopt for a text that is none. Daylight saving time without its rules is refused: POSIX leaves them
/// open.
std::optional<PosixZone> parse_posix_zone(std::string_view text);

}  // namespace runner
