#include "runner/base/time_zone.h"

#include <algorithm>
#include <cstdlib>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner {
namespace {

namespace chrono = std::chrono;
namespace fs = std::filesystem;
using chrono::local_seconds;
using chrono::sys_seconds;

// The largest of tzdata 2025b has 3.6 kB.
constexpr std::uint64_t kLargestFile = 64U << 10U;
constexpr std::size_t kLongestName = 255;
// Offsets are between these (RFC 8536 3.2); the reader refuses others.
constexpr chrono::hours kLowestOffset(-25);
constexpr chrono::hours kHighestOffset(26);
constexpr sys_seconds kFirstTime = chrono::sys_days(chrono::year(-9999) / 1 / 1);
constexpr sys_seconds kLastTime = chrono::sys_days(chrono::year(10000) / 1 / 1) - chrono::seconds(1);

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._+-").find(c) != std::string_view::npos;
}

}  // namespace

fs::path zoneinfo_directory() {
  const char* directory = std::getenv("TZDIR");
  if (directory != nullptr && directory[0] == '/') return directory;
  return "/usr/share/zoneinfo";
}

bool is_zone_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kLongestName) return false;
  while (true) {
    const auto end = name.find('/');
    const std::string_view part = name.substr(0, end);
    if (part.empty() || part == "." || part == ".." || !std::ranges::all_of(part, is_name_character))
      return false;
    if (end == std::string_view::npos) return true;
    name.remove_prefix(end + 1);
  }
}

TimeZone TimeZone::utc() {
  TimeZone zone;
  zone.name_ = "UTC";
  zone.kinds_.push_back({chrono::seconds(0), false, "UTC"});
  return zone;
}

TimeZone TimeZone::load(std::string_view name, const fs::path& directory) {
  if (name == "UTC" || name == "Etc/UTC") {
    TimeZone zone = utc();
    zone.name_ = name;
    return zone;
  }
  if (!is_zone_name(name))
    throw Error(ErrorCode::invalid_input, in_quotes(to_utf8(name.substr(0, kLongestName))) +
                                              " names no time zone: expected a name such as 'Europe/Berlin'");
  const fs::path path = directory / name;
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (fs::is_directory(status) || !fs::exists(status)) {
    // Anything else that failed, such as a closed directory, read_file() says better.
    if (!fs::exists(directory, failure))
      throw Error(ErrorCode::not_found, "there is no time zone " + in_quotes(name) +
                                            ", as there is no directory " + in_quotes(directory.string()) +
                                            ": install the package tzdata");
    throw Error(ErrorCode::not_found,
                "there is no time zone " + in_quotes(name) + " in " + in_quotes(directory.string()) +
                    ": expected a name such as 'Europe/Berlin'; upper and lower case matter");
  }
  const std::uint64_t size = fs::is_regular_file(status) ? fs::file_size(path, failure) : 0;
  if (!failure && size > kLargestFile)
    throw Error(ErrorCode::corrupt, "the file " + in_quotes(path.string()) +
                                        " is too large for a time zone: " + format_bytes(size) +
                                        " of at most " + format_bytes(kLargestFile));
  const auto bytes = read_file(path, kLargestFile);
  if (!bytes) throw Error(ErrorCode::not_found, "there is no time zone " + in_quotes(name));
  return parse(std::string(name), *bytes);
}

TimeZone::Period TimeZone::at(sys_seconds time) const {
  time = std::clamp(time, kFirstTime, kLastTime);
  const auto next = std::upper_bound(transitions_.begin(), transitions_.end(), time,
                                     [](sys_seconds t, const Transition& other) { return t < other.begin; });
  if (next == transitions_.begin() && (next != transitions_.end() || !rule_)) {
    return {sys_seconds::min(), next == transitions_.end() ? sys_seconds::max() : next->begin,
            kinds_.front()};
  }
  const sys_seconds begin = next == transitions_.begin() ? sys_seconds::min() : std::prev(next)->begin;
  if (next == transitions_.end() && rule_) return by_rule(time, begin);
  return {begin, next == transitions_.end() ? sys_seconds::max() : next->begin,
          kinds_[std::prev(next)->kind]};
}

TimeZone::Period TimeZone::by_rule(sys_seconds time, sys_seconds earliest) const {
  if (!rule_->daylight) return {earliest, sys_seconds::max(), rule_->standard};
  // A rule may reach a week into the neighbouring years.
  const chrono::year year =
      chrono::year_month_day(chrono::floor<chrono::days>(time + rule_->standard.offset)).year();
  const auto changes = rule_->changes(year - chrono::years(2), year + chrono::years(2));
  const auto next = std::upper_bound(changes.begin(), changes.end(), time,
                                     [](sys_seconds t, const auto& change) { return t < change.begin; });
  const bool daylight = next == changes.begin() ? !changes.front().daylight : std::prev(next)->daylight;
  return {next == changes.begin() ? earliest : std::max(earliest, std::prev(next)->begin),
          next == changes.end() ? sys_seconds::max() : next->begin,
          daylight ? *rule_->daylight : rule_->standard};
}

local_seconds TimeZone::to_local(sys_seconds time) const {
  time = std::clamp(time, kFirstTime, kLastTime);
  return local_seconds(time.time_since_epoch() + at(time).kind.offset);
}

TimeZone::Moments TimeZone::to_utc(local_seconds time) const {
  // Local time jumps but else goes up, so on the way from far below to far above it comes by, or jumps over.
  const sys_seconds as_utc = std::clamp(sys_seconds(time.time_since_epoch()), kFirstTime + kHighestOffset,
                                        kLastTime + kLowestOffset);
  std::optional<sys_seconds> jump;
  std::vector<sys_seconds> found;
  Period period = at(as_utc - kHighestOffset);
  while (true) {
    const sys_seconds moment = as_utc - period.kind.offset;
    if (moment >= period.begin && moment < period.end) found.push_back(moment);
    if (period.end > as_utc - kLowestOffset) break;
    const Period after = at(period.end);
    if (!jump && as_utc - period.kind.offset >= period.end && as_utc - after.kind.offset < period.end)
      jump = period.end;
    period = after;
  }
  if (found.empty()) return {Moments::Kind::never, jump.value_or(as_utc), jump.value_or(as_utc)};
  return {found.size() == 1 ? Moments::Kind::once : Moments::Kind::twice, found.front(), found.back()};
}

}  // namespace runner
