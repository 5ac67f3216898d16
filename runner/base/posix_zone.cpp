#include "runner/base/posix_zone.h"

#include <algorithm>
#include <utility>

namespace runner {
namespace {

namespace chrono = std::chrono;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<PosixZone> parse() {
    PosixZone zone;
    if (!parse_kind(zone.standard)) return std::nullopt;
    if (text_.empty()) return zone;
    ZoneKind daylight;
    daylight.daylight = true;
    if (!parse_name(daylight.abbreviation)) return std::nullopt;
    daylight.offset = zone.standard.offset + chrono::hours(1);
    if (!text_.starts_with(',') && !parse_offset(daylight.offset)) return std::nullopt;
    zone.daylight = std::move(daylight);
    if (!parse_date(zone.start) || !parse_date(zone.end) || !text_.empty()) return std::nullopt;
    return zone;
  }

 private:
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool parse_kind(ZoneKind& kind) { return parse_name(kind.abbreviation) && parse_offset(kind.offset); }

  /// Three letters or more, or anything of letters, digits and signs in <>.
  bool parse_name(std::string& name) {
    const bool quoted = take('<');
    std::size_t size = 0;
    while (size < text_.size() &&
           (is_letter(text_[size]) ||
            (quoted && (is_digit(text_[size]) || text_[size] == '+' || text_[size] == '-'))))
      ++size;
    if (size < 3 || size > 32) return false;
    name = text_.substr(0, size);
    text_.remove_prefix(size);
    return !quoted || take('>');
  }

  bool parse_number(int& number, int low, int high) {
    std::size_t size = 0;
    number = 0;
    while (size < text_.size() && size < 4 && is_digit(text_[size]))
      number = number * 10 + (text_[size++] - '0');
    text_.remove_prefix(size);
    return size > 0 && number >= low && number <= high;
  }

  /// [+-]hh[:mm[:ss]]
  bool parse_time(chrono::seconds& time, int most_hours) {
    const bool negative = take('-');
    if (!negative) take('+');
    int hours = 0;
    int minutes = 0;
    int seconds = 0;
    if (!parse_number(hours, 0, most_hours)) return false;
    if (take(':')) {
      if (!parse_number(minutes, 0, 59)) return false;
      if (take(':') && !parse_number(seconds, 0, 59)) return false;
    }
    time = chrono::hours(hours) + chrono::minutes(minutes) + chrono::seconds(seconds);
    if (negative) time = -time;
    return true;
  }

  /// POSIX counts what is to be added to local time to get UTC.
  bool parse_offset(chrono::seconds& offset) {
    if (!parse_time(offset, 24)) return false;
    offset = -offset;
    return true;
  }

  bool parse_date(ZoneRuleDate& date) {
    using Form = ZoneRuleDate::Form;
    if (!take(',')) return false;
    if (take('J')) {
      date.form = Form::julian;
      if (!parse_number(date.day, 1, 365)) return false;
    } else if (take('M')) {
      date.form = Form::weekday_of_month;
      if (!parse_number(date.month, 1, 12) || !take('.') || !parse_number(date.week, 1, 5) || !take('.') ||
          !parse_number(date.day, 0, 6))
        return false;
    } else {
      date.form = Form::day_of_year;
      if (!parse_number(date.day, 0, 365)) return false;
    }
    date.time = chrono::hours(2);
    return !take('/') || parse_time(date.time, 167);
  }

  std::string_view text_;
};

/// The day as if there were no zones, plus the time on it.
chrono::sys_seconds in_year(const ZoneRuleDate& date, chrono::year year) {
  const chrono::sys_days january(year / 1 / 1);
  chrono::sys_days day = january;
  switch (date.form) {
    case ZoneRuleDate::Form::julian:
      day += chrono::days(date.day - 1 + (year.is_leap() && date.day >= 60 ? 1 : 0));
      break;
    case ZoneRuleDate::Form::day_of_year:
      day += chrono::days(date.day);
      break;
    case ZoneRuleDate::Form::weekday_of_month: {
      const auto month = year / chrono::month(static_cast<unsigned>(date.month));
      const chrono::weekday weekday(static_cast<unsigned>(date.day));
      day = date.week == 5 ? chrono::sys_days(month / weekday[chrono::last])
                           : chrono::sys_days(month / weekday[static_cast<unsigned>(date.week)]);
      break;
    }
  }
  return chrono::sys_seconds(day) + date.time;
}

}  // namespace

std::vector<PosixZone::Change> PosixZone::changes(chrono::year first, chrono::year last) const {
  std::vector<Change> all;
  if (!daylight) return all;
  for (chrono::year year = first; year <= last; ++year) {
    all.push_back({in_year(start, year) - standard.offset, true});
    all.push_back({in_year(end, year) - daylight->offset, false});
  }
  // "XXX3EDT4,0/0,J365/23" ends and starts at the same moment, which means daylight saving time for ever.
  std::sort(all.begin(), all.end(), [](const Change& a, const Change& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.daylight < b.daylight;
  });
  std::vector<Change> kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i + 1 < all.size() && all[i + 1].begin == all[i].begin) continue;
    if (kept.empty() || kept.back().daylight != all[i].daylight) kept.push_back(all[i]);
  }
  return kept;
}

std::optional<PosixZone> parse_posix_zone(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace runner
