#include "runner/base/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

namespace runner {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

bool is_between(char c, char low, char high) noexcept {
  return c >= low && c <= high;
}

bool is_harmless_in_shell(char c) noexcept {
  return is_between(c, 'a', 'z') || is_between(c, 'A', 'Z') || is_between(c, '0', '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

/// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours cost 1 each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::size_t skip_range(std::string_view text, std::size_t at, char low, char high) noexcept {
  while (at < text.size() && is_between(text[at], low, high)) ++at;
  return at;
}

/// Where the escape sequence that starts at `at` (an ESC) ends. A broken one ends before the byte that breaks
/// it.
std::size_t end_of_escape(std::string_view text, std::size_t at) noexcept {
  ++at;
  if (at >= text.size()) return at;
  const char kind = text[at];
  if (kind == '[') {
    at = skip_range(text, at + 1, '\x30', '\x3f');
    at = skip_range(text, at, '\x20', '\x2f');
    return at < text.size() && is_between(text[at], '\x40', '\x7e') ? at + 1 : at;
  }
  if (kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_') {
    // A string up to BEL or ESC backslash; an unfinished one must not eat the lines that follow.
    for (++at; at < text.size() && text[at] != '\n'; ++at) {
      if (text[at] == '\a') return at + 1;
      if (text[at] == '\x1b') return at + 1 < text.size() && text[at + 1] == '\\' ? at + 2 : at;
    }
    return at;
  }
  at = skip_range(text, at, '\x20', '\x2f');
  return at < text.size() && is_between(text[at], '\x30', '\x7e') ? at + 1 : at;
}

unsigned byte_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<unsigned char>(text[at]);
}

/// Length of the well-formed UTF-8 character at `at`, 0 when there is none.
std::size_t character_length(std::string_view text, std::size_t at) noexcept {
  const unsigned first = byte_at(text, at);
  if (first < 0x80U) return 1;
  const std::size_t length = first >= 0xc2U && first < 0xe0U    ? 2
                             : first >= 0xe0U && first < 0xf0U  ? 3
                             : first >= 0xf0U && first <= 0xf4U ? 4
                                                                : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, at + i) & 0xc0U) != 0x80U) return 0;
  }
  const unsigned second = byte_at(text, at + 1);
  const bool overlong = (first == 0xe0U && second < 0xa0U) || (first == 0xf0U && second < 0x90U);
  const bool beyond = (first == 0xedU && second >= 0xa0U) || (first == 0xf4U && second >= 0x90U);
  return overlong || beyond ? 0 : length;
}

}  // namespace

std::string_view trim(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (auto start = text.find_first_not_of(kBlanks); start != std::string_view::npos;
       start = text.find_first_not_of(kBlanks)) {
    text.remove_prefix(start);
    const auto end = std::min(text.find_first_of(kBlanks), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) all += separator;
    all += parts[i];
  }
  return all;
}

std::string to_lower(std::string_view ascii) {
  std::string lower(ascii);
  for (char& c : lower) {
    if (is_between(c, 'A', 'Z')) c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  if (from.empty()) return std::string(text);
  std::string result;
  for (;;) {
    const auto at = text.find(from);
    result += text.substr(0, at);
    if (at == std::string_view::npos) return result;
    result += to;
    text.remove_prefix(at + from.size());
  }
}

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t kLongest = 255;  // nobody mistypes more than that; keeps the cost bounded
  if (word.empty() || word.size() > kLongest) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t best_distance = 0;
  for (const std::string_view candidate : candidates) {
    if (candidate.empty() || candidate.size() > kLongest) continue;
    const std::size_t longer = std::max(word.size(), candidate.size());
    const std::size_t shorter = std::min(word.size(), candidate.size());
    const std::size_t limit = std::max<std::size_t>(1, longer / 3);
    if (longer - shorter > limit) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance > limit || distance >= longer) continue;
    if (best && distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string format_duration(std::chrono::milliseconds duration) {
  const std::int64_t ms = std::max<std::int64_t>(0, duration.count());
  if (ms < 1000) return fmt::format("{} ms", ms);
  const std::int64_t tenths = ms / 100 + (ms % 100 >= 50 ? 1 : 0);
  if (tenths < 600) return fmt::format("{}.{} s", tenths / 10, tenths % 10);
  const std::int64_t seconds = ms / 1000 + (ms % 1000 >= 500 ? 1 : 0);
  if (seconds < 3600) return fmt::format("{} m {:02} s", seconds / 60, seconds % 60);
  const std::int64_t minutes = seconds / 60 + (seconds % 60 >= 30 ? 1 : 0);
  return fmt::format("{} h {:02} m", minutes / 60, minutes % 60);
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array<std::string_view, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be shown as 1024.0.
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  text = trim(text);
  double number = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec != std::errc() || number < 0) return std::nullopt;
  std::string unit = to_lower(trim(text.substr(static_cast<std::size_t>(parsed.ptr - text.data()))));
  if (unit.empty() || unit == "b") unit = "0";
  const std::size_t power = std::string_view("0kmgt").find(unit.front());
  const std::string_view rest = std::string_view(unit).substr(1);
  if (power == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib")) return std::nullopt;
  for (std::size_t i = 0; i < power; ++i) number *= rest == "b" ? 1000 : 1024;
  // Beyond that the conversion is not defined.
  constexpr double kTooMuch = 9e18;
  if (!(number < kTooMuch)) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

std::string format_count(std::uint64_t count, std::string_view noun) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  if (noun.empty()) return text;
  return text + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  out += text;
  out += '\'';
  return out;
}

std::string shell_quote(std::string_view text) {
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_harmless_in_shell)) return std::string(text);
  return "'" + replace_all(text, "'", R"('\'')") + "'";
}

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [parsed_to, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || parsed_to != end) return std::nullopt;
  return value;
}

std::string strip_ansi(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (;;) {
    const auto escape = text.find('\x1b');
    plain += text.substr(0, escape);
    if (escape == std::string_view::npos) return plain;
    text.remove_prefix(end_of_escape(text, escape));
  }
}

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string to_utf8(std::string_view text) {
  std::string good;
  good.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text, at);
    if (length == 0) {
      good += "\xEF\xBF\xBD";
      ++at;
    } else {
      good += text.substr(at, length);
      at += length;
    }
  }
  return good;
}

}  // namespace runner
