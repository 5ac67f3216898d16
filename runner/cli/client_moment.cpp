#include <array>

#include "runner/cli/client_answers.h"

namespace runner::cli {
namespace {

std::optional<int> digits(std::string_view text) {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return text.empty() ? std::nullopt : std::optional(number);
}

}  // namespace

std::optional<TimePoint> parse_moment(std::string_view text) {
  using std::chrono::day, std::chrono::month, std::chrono::year;
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kShape.size() + 1 || text.back() != 'Z') return std::nullopt;
  for (std::size_t at = 0; at < kShape.size(); ++at) {
    if (kShape[at] != 'd' && text[at] != kShape[at]) return std::nullopt;
  }
  std::array<int, 6> parts{};
  constexpr std::array<std::size_t, 6> kFrom{0, 5, 8, 11, 14, 17};
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const auto number = digits(text.substr(kFrom[part], part == 0 ? 4 : 2));
    if (!number) return std::nullopt;
    parts[part] = *number;
  }
  int milliseconds = 0;
  if (const std::string_view rest = text.substr(kShape.size(), text.size() - kShape.size() - 1);
      !rest.empty()) {
    if (rest.front() != '.' || rest.size() > 10) return std::nullopt;
    std::string fraction(rest.substr(1));
    if (!digits(fraction)) return std::nullopt;
    fraction.resize(3, '0');
    milliseconds = *digits(fraction);
  }
  const std::chrono::year_month_day date{year{parts[0]}, month{static_cast<unsigned>(parts[1])},
                                         day{static_cast<unsigned>(parts[2])}};
  if (!date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
  return TimePoint(std::chrono::sys_days(date).time_since_epoch()) + std::chrono::hours(parts[3]) +
         std::chrono::minutes(parts[4]) + std::chrono::seconds(parts[5]) +
         std::chrono::milliseconds(milliseconds);
}

}  // namespace runner::cli
