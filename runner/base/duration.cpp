#include "runner/base/duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "runner/base/text.h"

namespace runner {
namespace {

constexpr double kMinute = 60;
constexpr double kHour = 60 * kMinute;
constexpr double kDay = 24 * kHour;
constexpr double kWeek = 7 * kDay;
constexpr double kMonth = 30 * kDay;
constexpr double kYear = 365.25 * kDay;

struct Unit {
  double seconds;
  std::array<std::string_view, 5> names;
};

constexpr std::array<Unit, 7> kUnits = {{
    {1, {"s", "sec", "secs", "second", "seconds"}},
    {kMinute, {"m", "min", "mins", "minute", "minutes"}},
    {kHour, {"h", "hr", "hrs", "hour", "hours"}},
    {kDay, {"d", "dy", "day", "days", {}}},
    {kWeek, {"w", "wk", "wks", "week", "weeks"}},
    {kMonth, {"mo", "mos", "month", "months", {}}},
    {kYear, {"y", "yr", "yrs", "year", "years"}},
}};

constexpr std::array<std::string_view, 20> kSmallNumbers = {
    "zero",     "one",     "two",     "three",     "four",     "five",    "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<std::string_view, 8> kTens = {"twenty", "thirty",  "forty",  "fifty",
                                                   "sixty",  "seventy", "eighty", "ninety"};
constexpr std::array<std::string_view, 3> kJoiners = {"and", "with", "plus"};

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) noexcept {
  return c >= 'a' && c <= 'z';
}

template <std::size_t Size>
std::optional<std::size_t> index_in(const std::array<std::string_view, Size>& words, std::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<std::size_t>(found - words.begin());
}

std::optional<double> unit_seconds(std::string_view word) {
  if (word.empty()) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (index_in(unit.names, word)) return unit.seconds;
  }
  return std::nullopt;
}

/// Digits with at most one point that has a digit behind it.
std::optional<double> parse_number(std::string_view text) {
  if (text.empty() || !is_digit(text.back())) return std::nullopt;
  if (std::count(text.begin(), text.end(), '.') > 1) return std::nullopt;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; }))
    return std::nullopt;
  double value = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Splits into numbers, words and commas; nullopt at any other character.
std::optional<std::vector<std::string_view>> tokenize(std::string_view text) {
  std::vector<std::string_view> tokens;
  while (!(text = trim(text)).empty()) {
    std::size_t length = 1;
    if (is_letter(text[0])) {
      while (length < text.size() && is_letter(text[length])) ++length;
    } else if (is_digit(text[0]) || text[0] == '.') {
      while (length < text.size() && (is_digit(text[length]) || text[length] == '.')) ++length;
    } else if (text[0] != ',') {
      return std::nullopt;
    }
    tokens.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return tokens;
}

/// Reads tokens from the left: { [joiner] [number] unit } [number].
class WordParser {
 public:
  explicit WordParser(std::vector<std::string_view> tokens) : tokens_(std::move(tokens)) {}

  std::optional<double> parse() {
    double total = 0;
    while (at_ < tokens_.size()) {
      if (tokens_[at_] == "," || index_in(kJoiners, tokens_[at_])) {
        // "1 week, and 2 days" has two of them.
        ++at_;
        if (at_ < tokens_.size() && tokens_[at_ - 1] == "," && index_in(kJoiners, tokens_[at_])) ++at_;
      }
      const std::optional<double> number = take_number();
      const std::optional<double> unit = at_ < tokens_.size() ? unit_seconds(tokens_[at_]) : std::nullopt;
      if (unit) {
        ++at_;
        total += number.value_or(1) * *unit;
      } else if (number && at_ == tokens_.size()) {
        total += *number;  // a last number without unit is seconds
      } else {
        return std::nullopt;
      }
    }
    return total;
  }

 private:
  std::optional<double> take_number() {
    if (at_ == tokens_.size()) return std::nullopt;
    if (const auto number = parse_number(tokens_[at_])) {
      ++at_;
      return number;
    }
    std::optional<double> value;
    if (const auto tens = index_in(kTens, tokens_[at_])) {
      ++at_;
      value = static_cast<double>(*tens) * 10 + 20;
      const auto ones = at_ < tokens_.size() ? index_in(kSmallNumbers, tokens_[at_]) : std::nullopt;
      if (ones && *ones >= 1 && *ones <= 9) {
        ++at_;
        *value += static_cast<double>(*ones);
      }
    } else if (const auto small = index_in(kSmallNumbers, tokens_[at_])) {
      ++at_;
      value = static_cast<double>(*small);
    }
    if (at_ < tokens_.size() && tokens_[at_] == "hundred") {
      ++at_;
      value = value.value_or(1) * 100;
    }
    return value;
  }

  std::vector<std::string_view> tokens_;
  std::size_t at_ = 0;
};

/// "1:30:00": from the right seconds, minutes, hours, days, months, years.
std::optional<double> parse_clock(std::string_view text) {
  constexpr std::array<double, 6> kPlaces = {1, kMinute, kHour, kDay, kMonth, kYear};
  const std::vector<std::string_view> parts = split(text, ':');
  if (parts.size() > kPlaces.size()) return std::nullopt;
  double total = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto number = parse_number(trim(parts[parts.size() - 1 - i]));
    if (!number) return std::nullopt;
    total += *number * kPlaces[i];
  }
  return total;
}

std::optional<double> parse_seconds(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return parse_clock(text);
  auto tokens = tokenize(text);
  if (!tokens) return std::nullopt;
  return WordParser(std::move(*tokens)).parse();
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::string lower = to_lower(trim(text));
  const std::optional<double> seconds = parse_seconds(lower);
  // A thousand years is far beyond any use and far below any overflow.
  if (!seconds || !(*seconds <= 1000 * kYear)) return std::nullopt;
  const std::chrono::milliseconds duration(std::llround(*seconds * 1000));
  if (duration.count() <= 0) return std::nullopt;
  return duration;
}

}  // namespace runner
