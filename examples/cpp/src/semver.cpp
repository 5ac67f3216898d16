#include "semver/semver.h"

#include <algorithm>
#include <charconv>

namespace semver {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_identifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

bool is_numeric(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

bool has_leading_zero(std::string_view text) { return text.size() > 1 && text[0] == '0'; }

/// Cuts off and returns what stands before the first `separator`; all of it when there is none.
std::string_view cut(std::string_view& rest, char separator) {
  const auto at = rest.find(separator);
  const auto head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

bool parse_number(std::string_view text, std::uint64_t& number) {
  if (!is_numeric(text) || has_leading_zero(text)) return false;
  return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
}

/// Calls `accept` for each part of a dotted list; false when one is no identifier or is refused.
template <typename Accept>
bool each_identifier(std::string_view text, Accept accept) {
  for (bool more = true; more;) {
    more = text.find('.') != std::string_view::npos;
    const auto part = cut(text, '.');
    if (!is_identifier(part) || !accept(part)) return false;
  }
  return true;
}

int sign(bool less, bool greater) { return less ? -1 : greater ? 1 : 0; }

int compare_identifiers(const std::string& a, const std::string& b) {
  const bool a_numeric = is_numeric(a), b_numeric = is_numeric(b);
  if (a_numeric != b_numeric) return a_numeric ? -1 : 1;  // numbers sort before words
  if (a_numeric && a.size() != b.size()) return sign(a.size() < b.size(), true);
  return sign(a < b, b < a);
}

}  // namespace

std::optional<Version> parse(std::string_view text) {
  Version version;
  const bool has_build = text.find('+') != std::string_view::npos;
  std::string_view build = text;
  std::string_view prerelease = cut(build, '+');
  const bool has_prerelease = prerelease.find('-') != std::string_view::npos;
  std::string_view numbers = cut(prerelease, '-');

  if (std::count(numbers.begin(), numbers.end(), '.') != 2) return std::nullopt;
  for (std::uint64_t* number : {&version.major, &version.minor, &version.patch}) {
    if (!parse_number(cut(numbers, '.'), *number)) return std::nullopt;
  }
  if (has_prerelease && !each_identifier(prerelease, [&](std::string_view part) {
        version.prerelease.emplace_back(part);
        return !(is_numeric(part) && has_leading_zero(part));
      })) {
    return std::nullopt;
  }
  if (has_build && !each_identifier(build, [](std::string_view) { return true; })) return std::nullopt;
  version.build = build;
  return version;
}

std::string to_string(const Version& version) {
  std::string text =
      std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
  for (std::size_t i = 0; i < version.prerelease.size(); ++i) text += (i == 0 ? "-" : ".") + version.prerelease[i];
  if (!version.build.empty()) text += "+" + version.build;
  return text;
}

int compare(const Version& a, const Version& b) {
  if (a.major != b.major) return sign(a.major < b.major, true);
  if (a.minor != b.minor) return sign(a.minor < b.minor, true);
  if (a.patch != b.patch) return sign(a.patch < b.patch, true);
  // A release comes after its prereleases.
  if (a.prerelease.empty() != b.prerelease.empty()) return a.prerelease.empty() ? 1 : -1;
  const auto common = std::min(a.prerelease.size(), b.prerelease.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (const int order = compare_identifiers(a.prerelease[i], b.prerelease[i]); order != 0) return order;
  }
  return sign(a.prerelease.size() < b.prerelease.size(), b.prerelease.size() < a.prerelease.size());
}

}  // namespace semver
