#include "runner/http/range.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "runner/base/text.h"

namespace runner::http {
namespace {

/// nullopt unless all are digits; a number too large for 64 bits is the largest: files are shorter anyway.
std::optional<std::uint64_t> digits(std::string_view text) {
  if (text.empty()) return {};
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return {};
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
  }
  return value;
}

constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::string_view without_weakness(std::string_view etag) {
  return etag.starts_with("W/") ? etag.substr(2) : etag;
}

}  // namespace

RangeChoice choose_range(std::string_view header, std::uint64_t size) {
  header = trim(header);
  const std::size_t equals = header.find('=');
  if (equals == std::string_view::npos || to_lower(header.substr(0, equals)) != "bytes") return {};
  const std::string_view set = trim(header.substr(equals + 1));
  const std::size_t dash = set.find('-');
  if (dash == std::string_view::npos || set.find(',') != std::string_view::npos) return {};
  const std::string_view first_text = set.substr(0, dash);
  const std::string_view last_text = set.substr(dash + 1);
  const auto first = digits(first_text);
  const auto last = digits(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) return {};
  if (!first) {  // the last so many bytes
    const std::uint64_t length = std::min(*last, size);
    if (length == 0) return {RangeKind::unsatisfiable, {}};
    return {RangeKind::part, {size - length, length}};
  }
  if (last && *last < *first) return {};
  if (*first >= size) return {RangeKind::unsatisfiable, {}};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {RangeKind::part, {*first, end - *first + 1}};
}

std::string format_http_date(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  // Not strftime, which speaks the language of the locale.
  const int length = std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                   kDays[static_cast<std::size_t>(parts.tm_wday) % 7], parts.tm_mday,
                                   kMonths[static_cast<std::size_t>(parts.tm_mon) % 12], parts.tm_year + 1900,
                                   parts.tm_hour, parts.tm_min, parts.tm_sec);
  return {text.data(), static_cast<std::size_t>(std::clamp(length, 0, 63))};
}

std::optional<std::time_t> parse_http_date(std::string_view text) {
  text = trim(text);
  if (text.size() != 29) return {};
  const auto number = [&](std::size_t at, std::size_t length) {
    const auto value = digits(text.substr(at, length));
    return value ? static_cast<int>(*value) : -1;
  };
  std::tm parts{};
  const auto* const month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  if (month == kMonths.end()) return {};
  parts.tm_mday = number(5, 2);
  parts.tm_mon = static_cast<int>(month - kMonths.begin());
  parts.tm_year = number(12, 4) - 1900;
  parts.tm_hour = number(17, 2);
  parts.tm_min = number(20, 2);
  parts.tm_sec = number(23, 2);
  const std::time_t time = ::timegm(&parts);
  // Written again it must be the same: that checks every digit, blank and name at once.
  if (format_http_date(time) != text) return {};
  return time;
}

bool is_not_modified(const Headers& request, const Validators& current) {
  if (const std::string* match = request.find("If-None-Match")) {
    if (trim(*match) == "*") return true;
    if (current.etag.empty()) return false;
    const std::vector<std::string_view> known = split(std::string_view(*match), ',');
    return std::any_of(known.begin(), known.end(), [&](std::string_view etag) {
      return without_weakness(trim(etag)) == without_weakness(current.etag);
    });
  }
  const std::string* since = request.find("If-Modified-Since");
  if (since == nullptr || !current.modified) return false;
  const auto time = parse_http_date(*since);
  return time && *current.modified <= *time;
}

RangeChoice range_of(const Headers& request, const Validators& current, std::uint64_t size) {
  const std::string* range = request.find("Range");
  if (range == nullptr) return {};
  if (const std::string* condition = request.find("If-Range")) {
    const std::string_view wanted = trim(*condition);
    const bool same = wanted.starts_with('"')
                          ? wanted == current.etag
                          : current.modified && parse_http_date(wanted) == current.modified;
    if (!same) return {};
  }
  return choose_range(*range, size);
}

}  // namespace runner::http
