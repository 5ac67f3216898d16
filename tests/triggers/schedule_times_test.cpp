#include "runner/triggers/schedule_times.h"

#include <gmock/gmock.h>

#include "runner/base/error.h"

namespace runner::triggers {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const TimePoint kNow{std::chrono::sys_days{std::chrono::March / 10 / 2026}};

TEST(ScheduleTimes, ComeInTheirZone) {
  TimesProblem problem;
  const auto times = ScheduleTimes::read("0 3 * * *", "Europe/Zurich", kNow, problem);
  ASSERT_TRUE(times) << problem.cron << problem.time_zone;
  EXPECT_EQ(times->next_after(kNow), kNow + std::chrono::hours(2));
  EXPECT_EQ(problem.cron + problem.time_zone, "");
}

TEST(ScheduleTimes, WhatIsWrongIsSaidOfEachFieldWithTheMend) {
  struct Case {
    const char *cron, *zone, *cron_says, *zone_says;
  };
  const Case cases[] = {
      {"0 3 * *", "UTC", "write five fields, such as", ""},
      {"61 * * * *", "UTC", "0-59", ""},
      {"0 0 30 2 *", "UTC", "no day is ever like this; look at the day of the month and the month", ""},
      {"* * * * *", "europe/zurich", "",
       "there is no time zone 'europe/zurich'; did you mean 'Europe/Zurich'?"},
      {"* * * * *", "Zurich", "", "did you mean 'Europe/Zurich'?"},
      {"* * * * *", "Europe/Zurch", "", "did you mean 'Europe/Zurich'?"},
      {"* * * * *", "", "", "there is no time zone ''; write one such as 'Europe/Zurich' or 'UTC'"},
      {"* * * * *", "../../etc/passwd", "", "there is no time zone '../../etc/passwd'"},
      {"* * * * *", "Europe", "", "there is no time zone 'Europe'"},
      {"?", "nowhere/at/all", "five fields", "there is no time zone 'nowhere/at/all'"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(std::string(each.cron) + " in " + each.zone);
    TimesProblem problem;
    EXPECT_FALSE(ScheduleTimes::read(each.cron, each.zone, kNow, problem));
    EXPECT_THAT(problem.cron, HasSubstr(each.cron_says));
    EXPECT_THAT(problem.time_zone, HasSubstr(each.zone_says));
    EXPECT_EQ(problem.cron.empty(), *each.cron_says == '\0');
    EXPECT_EQ(problem.time_zone.empty(), *each.zone_says == '\0');
  }
}

TEST(ScheduleVariables, ComeBackAsTheyWere) {
  const std::map<std::string, std::string> variables{{"A", "b\n\"c\" ü"}, {"EMPTY", ""}};
  EXPECT_EQ(read_variables(variables_text(variables)), variables);
  EXPECT_THAT(read_variables(R"({"A":"b"})"), ElementsAre(Pair("A", "b")));
}

TEST(ScheduleVariables, WhatIsNoneIsRefusedWithoutItsValue) {
  for (const char* text : {"", "[]", "s3cret", R"({"A":["s3cret"]})", R"({"A":5)"}) {
    try {
      read_variables(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt);
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("s3cret")));
    }
  }
}

}  // namespace
}  // namespace runner::triggers
