#include "runner/base/duration.h"

#include <gtest/gtest.h>

#include <string>

namespace runner {
namespace {

TEST(Duration, ReadsEveryFormOfTheGrammar) {
  const std::vector<std::pair<std::string, double>> cases = {
      {"42", 42},
      {"2h20min", 8400},
      {"3 weeks and 2 days", 1987200},
      {"1:30:00", 5400},
      {"one hour", 3600},
      {"day", 86400},
      {"3h30m", 12600},
      {"3h 30m", 12600},
      {"3 hours, 30 minutes", 12600},
      {"3 hours plus 30 mins with 5 secs", 12605},
      {"1 week, and 2 days", 777600},
      {"1.5h", 5400},
      {".5m", 30},
      {"0.5 s", 0.5},
      {"  1 HOUR ", 3600},
      {"1 mo", 2592000},
      {"2 mos", 5184000},
      {"1 month", 2592000},
      {"1 y", 31557600},
      {"2 yrs", 63115200},
      {"10 dy", 864000},
      {"5 wks", 3024000},
      {"2 hrs 3 hr", 18000},
      {"5m", 300},
      {"1:30", 90},
      {"1:00:00:00", 86400},
      {"1:0:0:0:0", 2592000},
      {"1:0:0:0:0:0", 31557600},
      {"twenty five minutes", 1500},
      {"ninety nine secs", 99},
      {"nineteen days", 1641600},
      {"hundred seconds", 100},
      {"two hundred seconds", 200},
      {"week and day", 691200},
      {"1h 30", 3630},
      {"twelve", 12},
      {"1w2d3h4m5s", 604800 + 172800 + 10800 + 240 + 5},
  };
  for (const auto& [text, seconds] : cases) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->count(), static_cast<std::int64_t>(seconds * 1000)) << text;
  }
}

TEST(Duration, RefusesWhatIsNone) {
  for (const std::string text : {"",
                                 " ",
                                 "0",
                                 "0s",
                                 "zero hours",
                                 "never",
                                 "soon",
                                 "5 parsecs",
                                 "-5",
                                 "5-",
                                 "1..5h",
                                 "1.h",
                                 "5 5 h",
                                 "and",
                                 "5 minutes and",
                                 "5 and minutes",
                                 "1:",
                                 ":1",
                                 "1::2",
                                 "1:30 hours",
                                 "1:2:3:4:5:6:7",
                                 "1e5",
                                 "0.0001s",
                                 "9999999999999999999999 years",
                                 "hour hour hour x",
                                 "1h;2m",
                                 "five twenty",
                                 "twenty eleven",
                                 ",,5m"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(Duration, LongHostileTextsEndQuickly) {
  EXPECT_EQ(parse_duration(std::string(1U << 20U, '9')), std::nullopt);
  EXPECT_EQ(parse_duration(std::string(1U << 20U, ':')), std::nullopt);
  EXPECT_EQ(parse_duration(std::string(1U << 20U, ' ') + "x"), std::nullopt);
}

}  // namespace
}  // namespace runner
