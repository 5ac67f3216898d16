#pragma once
// Time zones of the IANA data: how far local time is from UTC, and when that changes. Read from TZif files
// (RFC 8536, versions 1 to 4), because libstdc++ 12 has no zones and the C library has one a process. Values;
// any thread.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/posix_zone.h"

namespace runner {

/// $TZDIR when it is an absolute path, else /usr/share/zoneinfo (the Debian package tzdata).
std::filesystem::path zoneinfo_directory();

/// Texts that may name a zone: parts of letters, digits and "._+-" between slashes, none of them "." or "..".
/// The zone need not exist.
bool is_zone_name(std::string_view name) noexcept;

/// All times are cut to the years -9999 to 9999, in which the answers are right.
class TimeZone {
 public:
  /// "UTC", which needs no file.
  static TimeZone utc();
  /// The zone `name`, such as "Europe/Berlin"; "UTC" and "Etc/UTC" are built in. Upper and lower case matter.
  /// Blocks on the disk. Throws Error{invalid_input} when it can name none or counts leap seconds
  /// ("right/..."), Error{not_found} when there is none, Error{corrupt} when its file is none of a zone.
  static TimeZone load(std::string_view name, const std::filesystem::path& directory = zoneinfo_directory());
  /// From the bytes of a TZif file. Throws Error as load() does.
  static TimeZone parse(std::string name, std::string_view file);

  const std::string& name() const noexcept { return name_; }

  /// A stretch of time in which local time runs evenly. Two neighbours may have the same offset.
  struct Period {
    std::chrono::sys_seconds begin;  // sys_seconds::min() when there is no earlier one
    std::chrono::sys_seconds end;    // first moment after it; sys_seconds::max() when there is no later one
    ZoneKind kind;
  };
  Period at(std::chrono::sys_seconds time) const;
  std::chrono::local_seconds to_local(std::chrono::sys_seconds time) const;

  /// When it is this local time.
  struct Moments {
    enum class Kind : std::uint8_t {
      once,
      never,  // clocks were put forward over it: both are the first moment after that
      twice,  // clocks were put back over it
    };
    Kind kind = Kind::once;
    std::chrono::sys_seconds first;
    std::chrono::sys_seconds last;
  };
  Moments to_utc(std::chrono::local_seconds time) const;

 private:
  struct Transition {
    std::chrono::sys_seconds begin;
    std::uint8_t kind;  // index into kinds_
  };
  friend class TzifReader;
  TimeZone() = default;
  Period by_rule(std::chrono::sys_seconds time, std::chrono::sys_seconds earliest) const;

  std::string name_;
  std::vector<ZoneKind> kinds_;          // the first is in force before the first transition
  std::vector<Transition> transitions_;  // ascending
  std::optional<PosixZone> rule_;        // after the last transition
};

}  // namespace runner
