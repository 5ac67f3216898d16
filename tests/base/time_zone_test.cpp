#include "runner/base/time_zone.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <random>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner {
namespace {

namespace chrono = std::chrono;
using chrono::local_seconds;
using chrono::seconds;
using chrono::sys_seconds;

sys_seconds utc(int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
  return chrono::sys_days(chrono::year(year) / chrono::month(month) / chrono::day(day)) +
         chrono::hours(hour) + chrono::minutes(minute) + seconds(second);
}
local_seconds local(int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
  return local_seconds(utc(year, month, day, hour, minute, second).time_since_epoch());
}

struct LocalFacts {
  std::int64_t offset = 0;
  int daylight = 0;
  char abbreviation[16] = {};
};

/// What the C library of a process of its own says, which has `zone` as its only one.
std::vector<LocalFacts> ask_c_library(const std::string& zone, const std::vector<sys_seconds>& times) {
  Pipe pipe = make_pipe();
  const pid_t child = fork();
  if (child == 0) {
    setenv("TZ", zone.c_str(), 1);
    tzset();
    std::string answer;
    for (const sys_seconds time : times) {
      const std::time_t clock = time.time_since_epoch().count();
      std::tm fields{};
      LocalFacts facts;
      if (localtime_r(&clock, &fields) == nullptr) _exit(1);
      facts.offset = fields.tm_gmtoff;
      facts.daylight = fields.tm_isdst;
      std::string(fields.tm_zone).copy(facts.abbreviation, sizeof facts.abbreviation - 1);
      answer.append(reinterpret_cast<const char*>(&facts), sizeof facts);
    }
    write_all(pipe.write.get(), answer);
    _exit(0);
  }
  pipe.write.reset();
  std::vector<LocalFacts> all(times.size());
  auto* to = reinterpret_cast<char*>(all.data());
  std::size_t left = all.size() * sizeof(LocalFacts);
  while (left > 0) {
    const ssize_t got = read(pipe.read.get(), to, left);
    if (got <= 0) break;
    to += got;
    left -= static_cast<std::size_t>(got);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(left, 0U) << "the other process said too little";
  return all;
}

class ZoneAgainstLibrary : public testing::TestWithParam<const char*> {};

TEST_P(ZoneAgainstLibrary, SaysTheSameAtThousandsOfMoments) {
  const TimeZone zone = TimeZone::load(GetParam());
  std::vector<sys_seconds> times;
  std::mt19937_64 random(4711);
  const auto add_between = [&](sys_seconds first, sys_seconds last, int count) {
    std::uniform_int_distribution<std::int64_t> pick(first.time_since_epoch().count(),
                                                     last.time_since_epoch().count());
    for (int i = 0; i < count; ++i) times.emplace_back(seconds(pick(random)));
  };
  add_between(utc(1970, 1, 1), utc(2037, 12, 31), 4000);
  add_between(utc(2038, 1, 1), utc(2099, 12, 31), 1000);
  add_between(utc(2100, 1, 1), utc(2100, 12, 31), 1000);
  add_between(utc(2400, 1, 1), utc(2400, 12, 31), 100);
  for (auto period = zone.at(utc(1970, 1, 1)); period.end < utc(2101, 1, 1); period = zone.at(period.end)) {
    for (const int delta : {-3601, -1, 0, 1, 3601}) times.push_back(period.end + seconds(delta));
  }
  const auto expected = ask_c_library(GetParam(), times);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto period = zone.at(times[i]);
    ASSERT_EQ(period.kind.offset.count(), expected[i].offset) << times[i].time_since_epoch().count();
    ASSERT_EQ(period.kind.daylight, expected[i].daylight == 1) << times[i].time_since_epoch().count();
    ASSERT_EQ(period.kind.abbreviation, expected[i].abbreviation) << times[i].time_since_epoch().count();
    ASSERT_TRUE(period.begin <= times[i] && times[i] < period.end);
  }
}

TEST_P(ZoneAgainstLibrary, FindsTheMomentsOfEveryLocalTime) {
  const TimeZone zone = TimeZone::load(GetParam());
  // Around each change, every five minutes: what local time a moment has is known, so the other way is too.
  for (auto period = zone.at(utc(1975, 1, 1)); period.end < utc(2060, 1, 1); period = zone.at(period.end)) {
    std::map<local_seconds, std::vector<sys_seconds>> moments;
    for (auto time = period.end - chrono::hours(30); time < period.end + chrono::hours(30);
         time += chrono::minutes(5)) {
      moments[zone.to_local(time)].push_back(time);
    }
    const local_seconds first = zone.to_local(period.end - chrono::hours(3));
    const local_seconds last = zone.to_local(period.end + chrono::hours(3));
    for (auto time = first; time < last; time += chrono::minutes(5)) {
      const auto found = zone.to_utc(time);
      const auto& expected = moments[time];
      if (expected.empty()) {
        ASSERT_EQ(found.kind, TimeZone::Moments::Kind::never);
        ASSERT_EQ(found.first, period.end);
        ASSERT_EQ(found.last, period.end);
      } else {
        ASSERT_EQ(found.kind,
                  expected.size() == 1 ? TimeZone::Moments::Kind::once : TimeZone::Moments::Kind::twice);
        ASSERT_EQ(found.first, expected.front());
        ASSERT_EQ(found.last, expected.back());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Zones, ZoneAgainstLibrary,
                         testing::Values("Europe/Berlin", "Europe/Dublin", "America/New_York",
                                         "America/Sao_Paulo", "America/Nuuk", "Australia/Lord_Howe",
                                         "Asia/Kathmandu", "Asia/Tehran", "Africa/Casablanca",
                                         "Antarctica/Troll", "Pacific/Apia", "UTC"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

TEST(TimeZone, UtcNeedsNoFile) {
  const TempDir empty;
  for (const std::string name : {"UTC", "Etc/UTC"}) {
    const TimeZone zone = TimeZone::load(name, empty.path());
    EXPECT_EQ(zone.name(), name);
    EXPECT_EQ(zone.to_local(utc(2026, 7, 1, 12)), local(2026, 7, 1, 12));
    EXPECT_EQ(zone.to_utc(local(2026, 7, 1, 12)).first, utc(2026, 7, 1, 12));
    EXPECT_EQ(zone.at(utc(2026, 7, 1)).end, sys_seconds::max());
  }
}

TEST(TimeZone, TimesThatClocksJumpOverOrShowTwice) {
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  const auto never = berlin.to_utc(local(2026, 3, 29, 2, 30));
  EXPECT_EQ(never.kind, TimeZone::Moments::Kind::never);
  EXPECT_EQ(never.first, utc(2026, 3, 29, 1));
  const auto twice = berlin.to_utc(local(2026, 10, 25, 2, 30));
  EXPECT_EQ(twice.kind, TimeZone::Moments::Kind::twice);
  EXPECT_EQ(twice.first, utc(2026, 10, 25, 0, 30));
  EXPECT_EQ(twice.last, utc(2026, 10, 25, 1, 30));
  // A whole day that Samoa never had.
  const auto day = TimeZone::load("Pacific/Apia").to_utc(local(2011, 12, 30, 12));
  EXPECT_EQ(day.kind, TimeZone::Moments::Kind::never);
  EXPECT_EQ(day.first, utc(2011, 12, 30, 10));
  // Half an hour only.
  const TimeZone lord_howe = TimeZone::load("Australia/Lord_Howe");
  EXPECT_EQ(lord_howe.to_utc(local(2026, 10, 4, 2, 15)).kind, TimeZone::Moments::Kind::never);
  EXPECT_EQ(lord_howe.to_utc(local(2026, 10, 4, 2, 30)).kind, TimeZone::Moments::Kind::once);
}

TEST(TimeZone, FarTimesAreCutAndDoNotOverflow) {
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  EXPECT_EQ(berlin.at(sys_seconds::min()).kind.abbreviation, "LMT");
  EXPECT_EQ(berlin.at(sys_seconds::max()).kind.abbreviation, "CET");
  EXPECT_EQ(berlin.to_local(sys_seconds::max()), local(10000, 1, 1, 0, 59, 59));
  EXPECT_LT(berlin.to_local(sys_seconds::min()), local(-9998, 1, 1));
  (void)berlin.to_utc(local_seconds::min());
  (void)berlin.to_utc(local_seconds::max());
}

TEST(TimeZone, NamesThatCouldLeaveTheDirectoryAreRefused) {
  for (const std::string name : {"", ".", "..", "../etc/passwd", "/etc/localtime", "Europe/../../etc/passwd",
                                 "Europe//Berlin", "Europe/", "/Europe/Berlin", "Europe/Ber lin",
                                 "Europe\\Berlin", "Europe/Berlin\n", ":Europe/Berlin", "a/./b"}) {
    EXPECT_FALSE(is_zone_name(name)) << name;
    try {
      TimeZone::load(name);
      ADD_FAILURE() << name << " was loaded";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input) << error.what();
    }
  }
  EXPECT_FALSE(is_zone_name(std::string("Europe/Berlin\0x", 15)));
  EXPECT_FALSE(is_zone_name(std::string(256, 'a')));
  for (const std::string name :
       {"Europe/Berlin", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "EST5EDT", "..a"}) {
    EXPECT_TRUE(is_zone_name(name)) << name;
  }
}

TEST(TimeZone, SaysWhenThereIsNoSuchZoneOrNoData) {
  const auto message = [](const std::string& name, const std::filesystem::path& directory) -> std::string {
    try {
      TimeZone::load(name, directory);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + ": " + error.what();
    }
    return "loaded";
  };
  const TempDir dir;
  EXPECT_EQ(message("Europe/Berlin", dir.path() / "none"),
            "not_found: there is no time zone 'Europe/Berlin', as there is no directory '" +
                (dir.path() / "none").string() + "': install the package tzdata");
  const std::string missing = ": expected a name such as 'Europe/Berlin'; upper and lower case matter";
  EXPECT_EQ(message("europe/berlin", "/usr/share/zoneinfo"),
            "not_found: there is no time zone 'europe/berlin' in '/usr/share/zoneinfo'" + missing);
  EXPECT_EQ(message("Europe", "/usr/share/zoneinfo"),
            "not_found: there is no time zone 'Europe' in '/usr/share/zoneinfo'" + missing);
  write_file_atomic(dir.path() / "Text", "no zone at all", 0644, false);
  EXPECT_EQ(message("Text", dir.path()),
            "corrupt: the file of the time zone 'Text' cannot be read: it is no TZif file");
  write_file_atomic(dir.path() / "Large", std::string(100'000, 'x'), 0644, false);
  EXPECT_EQ(message("Large", dir.path()), "corrupt: the file '" + (dir.path() / "Large").string() +
                                              "' is too large for a time zone: 97.7 KiB of at most 64.0 KiB");
}

TEST(TimeZone, TheDirectoryIsThatOfTheEnvironment) {
  setenv("TZDIR", "/somewhere", 1);
  EXPECT_EQ(zoneinfo_directory(), "/somewhere");
  setenv("TZDIR", "relative", 1);
  EXPECT_EQ(zoneinfo_directory(), "/usr/share/zoneinfo");
  unsetenv("TZDIR");
  EXPECT_EQ(zoneinfo_directory(), "/usr/share/zoneinfo");
}

/// Big-endian.
std::string bytes_of(std::uint64_t value, int size) {
  std::string bytes;
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xffU);
  return bytes;
}

std::string header(char version, std::uint64_t leaps, std::uint64_t times, std::uint64_t kinds,
                   std::uint64_t characters) {
  return "TZif" + std::string(1, version) + std::string(15, '\0') + bytes_of(0, 4) + bytes_of(0, 4) +
         bytes_of(leaps, 4) + bytes_of(times, 4) + bytes_of(kinds, 4) + bytes_of(characters, 4);
}

/// One change, on 1 January 2000, from "AAA" (UTC+1) to "BBB" (UTC+2).
std::string block(int time_size) {
  return bytes_of(946'684'800, time_size) + '\1' + bytes_of(3600, 4) + std::string("\0\0", 2) +
         bytes_of(7200, 4) + "\1\4" + std::string("AAA\0BBB\0", 8);
}

std::string file_of(char version, const std::string& footer) {
  if (version == '\0') return header(version, 0, 1, 2, 8) + block(4);
  return header(version, 0, 0, 1, 1) + std::string(7, '\0') + header(version, 0, 1, 2, 8) + block(8) + footer;
}

TEST(TimeZone, ReadsAllVersionsOfTheFile) {
  for (const char version : {'\0', '2', '3', '4'}) {
    const TimeZone zone = TimeZone::parse("Test", file_of(version, "\n\n"));
    EXPECT_EQ(zone.at(utc(1999, 12, 31, 23, 59, 59)).kind.abbreviation, "AAA");
    EXPECT_EQ(zone.at(utc(2000, 1, 1)).kind.abbreviation, "BBB");
    EXPECT_EQ(zone.at(utc(2100, 1, 1)).end, sys_seconds::max());
  }
  const TimeZone ruled = TimeZone::parse("Test", file_of('3', "\n<-02>2<-01>,M3.5.0/-1,M10.5.0/0\n"));
  EXPECT_EQ(ruled.at(utc(2030, 1, 1)).kind.abbreviation, "-02");
  EXPECT_EQ(ruled.at(utc(2030, 7, 1)).kind.offset, -chrono::hours(1));
  // 23:00 on the Saturday before the last Sunday of March.
  EXPECT_EQ(ruled.at(utc(2030, 7, 1)).begin, utc(2030, 3, 31, 1));
}

TEST(TimeZone, DaylightSavingTimeForEverIsOnePeriod) {
  const TimeZone zone = TimeZone::parse("Test", file_of('3', "\nXXX3EDT4,0/0,J365/23\n"));
  for (int year = 2001; year < 2030; ++year) {
    for (unsigned month = 1; month <= 12; ++month)
      EXPECT_EQ(zone.at(utc(year, month, 1)).kind.abbreviation, "EDT");
  }
}

TEST(TimeZone, HostileFilesAreCorrupt) {
  const auto patched = [](std::size_t at, const std::string& bytes) {
    std::string file = file_of('2', "\nUTC0\n");
    return file.replace(at, bytes.size(), bytes);
  };
  constexpr std::size_t kSecond = 44 + 7;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nothing", ""},
      {"another magic", patched(0, "TZIF")},
      {"a version of the future of the first kind", patched(4, "1")},
      {"a second part of version 1", patched(kSecond + 4, std::string(1, '\0'))},
      {"a first part that is longer than the file", patched(32, bytes_of(0xffffffff, 4))},
      {"more times than bytes", patched(kSecond + 32, bytes_of(0xffffffff, 4))},
      {"no kinds", patched(kSecond + 36, bytes_of(0, 4))},
      {"too many kinds", patched(kSecond + 36, bytes_of(257, 4))},
      {"no characters", patched(kSecond + 40, bytes_of(0, 4))},
      {"flags for fewer kinds", patched(kSecond + 20, bytes_of(1, 4))},
      {"a time out of range", patched(kSecond + 44, bytes_of(0x8000000000000000, 8))},
      {"a kind that is not there", patched(kSecond + 52, "\2")},
      {"an offset of a week", patched(kSecond + 53, bytes_of(std::uint64_t{7} * 86400, 4))},
      {"a flag of seven", patched(kSecond + 57, "\7")},
      {"an abbreviation that is not there", patched(kSecond + 58, "\x08")},
      {"an abbreviation without end", patched(kSecond + 44 + 8 + 1 + 12 + 7, "B")},
      {"no footer", file_of('2', "")},
      {"half a footer", file_of('2', "\n")},
      {"a footer without end", file_of('2', "\nUTC0")},
      {"a footer that is no rule", file_of('2', "\nsometimes\n")},
      {"a footer without rules", file_of('2', "\nCET-1CEST\n")},
      {"times that are not in order", header('\0', 0, 2, 1, 4) + bytes_of(5, 4) + bytes_of(5, 4) +
                                          std::string(2, '\0') + bytes_of(0, 4) + std::string(2, '\0') +
                                          std::string("UTC\0", 4)},
  };
  for (const auto& [what, file] : cases) {
    try {
      TimeZone::parse("Test", file);
      ADD_FAILURE() << what << " was read";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt) << what << ": " << error.what();
    }
  }
}

TEST(TimeZone, ZonesWithLeapSecondsAreRefusedAsSuch) {
  const std::string file = header('\0', 1, 0, 1, 4) + bytes_of(0, 4) + std::string(2, '\0') +
                           std::string("UTC\0", 4) + bytes_of(78'796'800, 4) + bytes_of(1, 4);
  try {
    TimeZone::parse("right/UTC", file);
    ADD_FAILURE() << "it was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_input);
    EXPECT_STREQ(error.what(),
                 "the time zone 'right/UTC' counts leap seconds: take the one without 'right/'");
  }
}

TEST(TimeZone, EveryCutAndEverySpoiledByteEndsInAZoneOrAnError) {
  const auto file = read_file("/usr/share/zoneinfo/Europe/Berlin");
  ASSERT_TRUE(file);
  const auto attempt = [](const std::string& bytes) {
    try {
      const TimeZone zone = TimeZone::parse("Test", bytes);
      for (const auto time : {utc(1900, 1, 1), utc(2026, 3, 29, 1), utc(2300, 7, 1)}) {
        const auto period = zone.at(time);
        EXPECT_TRUE(period.begin <= time && time < period.end);
        (void)zone.to_utc(zone.to_local(time));
      }
      return true;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::corrupt || error.code() == ErrorCode::invalid_input)
          << error.what();
      return false;
    }
  };
  for (std::size_t size = 0; size < file->size(); ++size)
    EXPECT_FALSE(attempt(file->substr(0, size))) << size;
  std::mt19937 random(7);
  for (std::size_t at = 0; at < file->size(); ++at) {
    std::string spoiled = *file;
    spoiled[at] = static_cast<char>(random());
    attempt(spoiled);
  }
}

TEST(PosixZone, ReadsWhatPosixAndTheRfcAllow) {
  for (const std::string text :
       {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<+0545>-5:45", "<-03>3",
        "IST-1GMT0,M10.5.0,M3.5.0/1", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "AAA+1:02:03BBB-24:59:59,J1/167,365/-167:59:59", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"}) {
    EXPECT_TRUE(parse_posix_zone(text)) << text;
  }
  EXPECT_EQ(parse_posix_zone("<+0545>-5:45")->standard.offset, chrono::minutes(345));
}

TEST(PosixZone, RefusesWhatIsNone) {
  for (const std::string text : {"",
                                 "UT0",
                                 "UTC",
                                 "UTC25",
                                 "UTC0:60",
                                 "UTC0:00:60",
                                 "UTC0x",
                                 "CET-1CEST",
                                 "CET-1CEST,",
                                 "CET-1CEST,M3.5.0",
                                 "CET-1CEST,M3.5.0,",
                                 "CET-1CEST,M0.5.0,M10.5.0",
                                 "CET-1CEST,M13.5.0,M10.5.0",
                                 "CET-1CEST,M3.6.0,M10.5.0",
                                 "CET-1CEST,M3.0.0,M10.5.0",
                                 "CET-1CEST,M3.5.7,M10.5.0",
                                 "CET-1CEST,J0,J365",
                                 "CET-1CEST,J1,J366",
                                 "CET-1CEST,0,366",
                                 "CET-1CEST,M3.5.0,M10.5.0/168",
                                 "CET-1CEST,M3.5.0,M10.5.0/3x",
                                 "<+0545-5:45",
                                 "<>0",
                                 "<a b>0",
                                 "UTC99999999999",
                                 "CET-1CEST,M3.5.0/,M10.5.0"}) {
    EXPECT_FALSE(parse_posix_zone(text)) << text;
  }
}

}  // namespace
}  // namespace runner
