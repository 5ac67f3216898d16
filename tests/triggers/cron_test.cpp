#include "runner/triggers/cron.h"

#include <gtest/gtest.h>

#include <sstream>

namespace runner::triggers {
namespace {

namespace chrono = std::chrono;

/// "2026-03-29T01:00:00Z"
TimePoint at(const std::string& text) {
  std::tm fields{};
  EXPECT_NE(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &fields), nullptr) << text;
  return TimePoint(chrono::seconds(timegm(&fields)));
}

Cron cron(const std::string& text) {
  CronError error;
  const auto parsed = Cron::parse(text, error);
  EXPECT_TRUE(parsed) << text << ": " << error.message;
  return parsed.value_or(*Cron::parse("0 0 1 1 *", error));
}

/// The next times after `start`, as many as `count`, or fewer and "never".
std::string next_times(const std::string& text, const std::string& zone, const std::string& start,
                       int count) {
  const Cron schedule = cron(text);
  const TimeZone time_zone = TimeZone::load(zone);
  std::string times;
  TimePoint time = at(start);
  for (int i = 0; i < count; ++i) {
    const auto next = schedule.next_after(time, time_zone);
    times += (times.empty() ? "" : " ") + (next ? format_iso8601(*next) : "never");
    if (!next) break;
    EXPECT_GT(*next, time);
    time = *next;
  }
  return times;
}

struct NextCase {
  std::string text;
  std::string zone;
  std::string start;
  std::string expected;  // one or more
};

TEST(Cron, ComesWhenTheTableSaysSo) {
  const std::vector<NextCase> cases = {
      // Fields.
      {"* * * * *", "UTC", "2026-01-31T23:59:30Z", "2026-02-01T00:00:00Z 2026-02-01T00:01:00Z"},
      {"0 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z 2026-01-01T02:00:00Z"},
      {"5,10-12 3 * * *", "UTC", "2026-01-01T03:10:00Z",
       "2026-01-01T03:11:00Z 2026-01-01T03:12:00Z 2026-01-02T03:05:00Z"},
      {"*/25 * * * *", "UTC", "2026-01-01T00:30:00Z", "2026-01-01T00:50:00Z 2026-01-01T01:00:00Z"},
      {"0 8-18/5 * * *", "UTC", "2026-01-01T08:00:00Z",
       "2026-01-01T13:00:00Z 2026-01-01T18:00:00Z 2026-01-02T08:00:00Z"},
      {"0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z 2026-05-31T00:00:00Z"},
      {"59 23 31 12 *", "UTC", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"},
      {"0 12 * JAN,jul Mon", "UTC", "2026-01-20T00:00:00Z", "2026-01-26T12:00:00Z 2026-07-06T12:00:00Z"},
      {"0 0 * * mon-fri", "UTC", "2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z 2026-01-06T00:00:00Z"},
      // Sunday has two numbers and ends ranges too: 4 January 2026 is one.
      {"0 0 * * 0", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z 2026-01-11T00:00:00Z"},
      {"0 0 * * 7", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z 2026-01-11T00:00:00Z"},
      {"0 0 * * sat-sun", "UTC", "2026-01-01T00:00:00Z",
       "2026-01-03T00:00:00Z 2026-01-04T00:00:00Z 2026-01-10T00:00:00Z"},
      {"0 0 * * 5-7", "UTC", "2026-01-01T00:00:00Z",
       "2026-01-02T00:00:00Z 2026-01-03T00:00:00Z 2026-01-04T00:00:00Z"},
      {"0 0 * * sun-mon", "UTC", "2026-01-01T00:00:00Z",
       "2026-01-04T00:00:00Z 2026-01-05T00:00:00Z 2026-01-11T00:00:00Z"},
      {"0 0 * * sun-sun", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z 2026-01-11T00:00:00Z"},
      {"0 0 * * */3", "UTC", "2026-01-04T00:00:00Z",
       "2026-01-07T00:00:00Z 2026-01-10T00:00:00Z 2026-01-11T00:00:00Z"},
      // Either day is enough when both are restricted; both must fit when one begins with "*".
      {"0 0 13 * fri", "UTC", "2026-02-06T00:00:00Z",
       "2026-02-13T00:00:00Z 2026-02-20T00:00:00Z 2026-02-27T00:00:00Z 2026-03-06T00:00:00Z "
       "2026-03-13T00:00:00Z"},
      {"0 0 15 * fri", "UTC", "2026-02-13T00:00:00Z", "2026-02-15T00:00:00Z 2026-02-20T00:00:00Z"},
      {"0 0 */10 * mon", "UTC", "2026-01-01T00:00:00Z",
       "2026-05-11T00:00:00Z 2026-06-01T00:00:00Z 2026-08-31T00:00:00Z"},
      // Leap years; 2100 is none.
      {"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"},
      {"0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"},
      {"0 0 29 2 *", "UTC", "2396-02-29T00:00:00Z", "2400-02-29T00:00:00Z"},
      // Never.
      {"0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", "never"},
      {"0 0 31 2,4,6,9,11 *", "Europe/Berlin", "2026-01-01T00:00:00Z", "never"},
      {"* * 30 feb *", "Europe/Berlin", "2026-01-01T00:00:00Z", "never"},
      {"0 0 30 2 mon", "UTC", "2026-02-23T00:00:00Z", "2027-02-01T00:00:00Z"},
      // Names for whole expressions.
      {"@hourly", "UTC", "2026-01-01T00:00:01Z", "2026-01-01T01:00:00Z"},
      {"@daily", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
      {" @Midnight ", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
      {"@weekly", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"@monthly", "UTC", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
      {"@yearly", "UTC", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
      {"@annually", "UTC", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
      // Berlin, clocks put forward on 29 March 2026 at 01:00 UTC from 02:00 to 03:00: times of the day.
      {"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z",
       "2026-03-28T01:30:00Z 2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"},
      {"0,15,30,45 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z",
       "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
      {"30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
       "2026-03-29T01:00:00Z 2026-03-29T01:30:00Z 2026-03-30T00:30:00Z"},
      {"0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
      {"59 1 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T00:59:00Z 2026-03-29T23:59:00Z"},
      // A rhythm.
      {"*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
       "2026-03-29T00:30:00Z 2026-03-29T01:00:00Z 2026-03-29T01:30:00Z"},
      {"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z 2026-03-29T01:30:00Z"},
      {"*/30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", "2026-03-30T00:00:00Z"},
      {"0 */2 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T02:00:00Z 2026-03-29T04:00:00Z"},
      // Put back on 25 October 2026 at 01:00 UTC from 03:00 to 02:00.
      {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
      {"30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"},
      {"0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z 2026-10-26T02:00:00Z"},
      {"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
       "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-25T02:30:00Z"},
      {"*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
       "2026-10-25T00:00:00Z 2026-10-25T00:30:00Z 2026-10-25T01:00:00Z 2026-10-25T01:30:00Z "
       "2026-10-26T01:00:00Z"},
      // New York: forward on 8 March 2026 at 07:00 UTC, back on 1 November at 06:00 UTC from 02:00 to 01:00.
      {"30 2 * * sun", "America/New_York", "2026-03-02T00:00:00Z",
       "2026-03-08T07:00:00Z 2026-03-15T06:30:00Z"},
      {"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z 2026-11-02T06:30:00Z"},
      {"0 9 * * mon-fri", "America/New_York", "2026-03-06T15:00:00Z", "2026-03-09T13:00:00Z"},
      // Long after the last transition of the file.
      {"30 2 * * *", "America/New_York", "2100-03-13T12:00:00Z", "2100-03-14T07:00:00Z 2100-03-15T06:30:00Z"},
      // Lord Howe: half an hour. Forward on 4 October 2026 at 15:30 UTC of the day before, from 02:00 to
      // 02:30; back on
      // 5 April at 15:00 UTC of the day before, from 02:00 to 01:30.
      {"15 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00:00Z",
       "2026-10-03T15:30:00Z 2026-10-04T15:15:00Z"},
      {"30 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00:00Z",
       "2026-10-03T15:30:00Z 2026-10-04T15:30:00Z"},
      {"*/15 * * * *", "Australia/Lord_Howe", "2026-10-03T15:14:00Z",
       "2026-10-03T15:15:00Z 2026-10-03T15:30:00Z 2026-10-03T15:45:00Z"},
      {"45 1 * * *", "Australia/Lord_Howe", "2026-04-03T12:00:00Z",
       "2026-04-03T14:45:00Z 2026-04-04T14:45:00Z 2026-04-05T15:15:00Z"},
      {"*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:44:00Z",
       "2026-04-04T14:45:00Z 2026-04-04T15:00:00Z 2026-04-04T15:15:00Z 2026-04-04T15:30:00Z"},
      // Kathmandu is 5:45 ahead.
      {"0 0 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T18:15:00Z 2026-01-02T18:15:00Z"},
      {"0 * * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z 2026-01-01T01:15:00Z"},
      // Midnight that does not exist: Sao Paulo, 4 November 2018; and a day that Samoa never had, 30 December
      // 2011.
      {"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z 2018-11-05T02:00:00Z"},
      {"0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2011-12-30T10:00:00Z 2012-12-29T22:00:00Z"},
      // Seconds of local mean time: Berlin was 53 minutes and 28 seconds ahead until 1893.
      {"0 0 * * *", "Europe/Berlin", "1890-01-01T12:00:00Z", "1890-01-01T23:06:32Z"},
      {"* * * * *", "Europe/Berlin", "1890-01-01T12:00:00Z", "1890-01-01T12:00:32Z 1890-01-01T12:01:32Z"},
  };
  for (const auto& [text, zone, start, expected] : cases) {
    const int count = static_cast<int>(std::count(expected.begin(), expected.end(), ' ')) + 1;
    EXPECT_EQ(next_times(text, zone, start, count), expected) << text << " in " << zone << " after " << start;
  }
}

TEST(Cron, NeverTheMomentItselfNorMilliseconds) {
  const Cron minutely = cron("* * * * *");
  const TimeZone utc = TimeZone::utc();
  const TimePoint noon = at("2026-01-01T12:00:00Z");
  EXPECT_EQ(minutely.next_after(noon, utc), noon + chrono::minutes(1));
  EXPECT_EQ(minutely.next_after(noon - chrono::milliseconds(1), utc), noon);
  EXPECT_EQ(minutely.next_after(noon + chrono::milliseconds(1), utc), noon + chrono::minutes(1));
}

TEST(Cron, TimesOfNoUseComeNever) {
  const Cron minutely = cron("* * * * *");
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  EXPECT_EQ(minutely.next_after(TimePoint::max(), berlin), std::nullopt);
  EXPECT_EQ(minutely.next_after(TimePoint::min(), berlin), std::nullopt);
  EXPECT_TRUE(minutely.next_after(at("9950-12-31T23:59:59Z"), berlin));
}

TEST(Cron, RareSchedulesAreComputedAndNotSearched) {
  const TimeZone berlin = TimeZone::load("Europe/Berlin");
  const Cron rare = cron("0 0 29 2 *");
  const Cron never = cron("* * 30 2 *");
  const auto start = chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(rare.next_after(at("2096-03-01T00:00:00Z"), berlin));
    EXPECT_FALSE(never.next_after(at("2096-03-01T00:00:00Z"), berlin));
  }
  // A search by minutes takes as much for one of them.
  EXPECT_LT(chrono::steady_clock::now() - start, chrono::seconds(5));
}

/// As a person sees it: the text, a caret below the place, the message and the help.
std::string refused(const std::string& text) {
  CronError error;
  if (Cron::parse(text, error)) return "accepted";
  EXPECT_LE(error.offset, text.size());
  EXPECT_FALSE(error.help.empty()) << text;
  return std::to_string(error.offset) + ": " + error.message + " (" + error.help + ")";
}

TEST(Cron, RefusesWhatIsNoneAndSaysWhereAndHowToMendIt) {
  const std::string fields =
      "write five fields, such as '30 4 * * mon-fri': minute, hour, day of month, month, day of week";
  const std::string minute = "minute is 0-59";
  const std::string weekday = "day of week is 0-7 or sun-sat, where 0 and 7 are Sunday";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "0: expected five fields, got 0 (" + fields + ")"},
      {"  ", "0: expected five fields, got 0 (" + fields + ")"},
      {"* * * *", "0: expected five fields, got 4 (" + fields + ")"},
      {"0 0 0 * * *", "10: expected five fields, got 6 (there are no seconds and no years; " + fields + ")"},
      {"TZ=UTC 0 0 * * *",
       "0: expected five fields, got 6 (the time zone of a schedule is a setting of its own; " + fields +
           ")"},
      {"CRON_TZ=Europe/Berlin 0 0 * * *",
       "0: expected five fields, got 6 (the time zone of a schedule is a setting of its own; " + fields +
           ")"},
      {"60 * * * *", "0: the field 'minute' has '60' (" + minute + ")"},
      {"* 24 * * *", "2: the field 'hour' has '24' (hour is 0-23)"},
      {"* * 0 * *", "4: the field 'day of month' has '0' (day of month is 1-31)"},
      {"* * 32 * *", "4: the field 'day of month' has '32' (day of month is 1-31)"},
      {"* * * 13 *", "6: the field 'month' has '13' (month is 1-12 or jan-dec)"},
      {"* * * * 8", "8: the field 'day of week' has '8' (" + weekday + ")"},
      {"4294967296 * * * *", "0: the field 'minute' has '4294967296' (" + minute + ")"},
      {"* * * * monday", "8: the field 'day of week' has 'monday' (did you mean 'mon'? " + weekday + ")"},
      {"* * * juli *", "6: the field 'month' has 'juli' (did you mean 'jul'? month is 1-12 or jan-dec)"},
      {"* * * * xyzzy", "8: the field 'day of week' has 'xyzzy' (" + weekday + ")"},
      {"mon * * * *", "0: the field 'minute' has 'mon' (" + minute + ")"},
      {"5, * * * *",
       "2: the field 'minute' has an empty place in '5,' (" + minute + "; '*' is every one of them)"},
      {",5 * * * *",
       "0: the field 'minute' has an empty place in ',5' (" + minute + "; '*' is every one of them)"},
      {"1-,5 * * * *",
       "2: the field 'minute' has an empty place in '1-,5' (" + minute + "; '*' is every one of them)"},
      {"1- * * * *",
       "2: the field 'minute' has an empty place in '1-' (" + minute + "; '*' is every one of them)"},
      {"-5 * * * *",
       "0: the field 'minute' has '-5' where a value, ',', '-' or '/' was expected (" + minute + ")"},
      {"* 22-2 * * *",
       "2: the field 'hour' has the range '22-2', which runs backwards (write it as two: '22-23,0-2')"},
      {"* * * * fri-mon",
       "8: the field 'day of week' has the range 'fri-mon', which runs backwards (write it as two: "
       "'5-7,0-1')"},
      {"5/10 * * * *",
       "1: the field 'minute' has a step behind the single value '5' (write a range: '5-59/10')"},
      {"*/0 * * * *", "2: the field 'minute' has the step '0' (a step is between 1 and 59 here)"},
      {"*/60 * * * *", "2: the field 'minute' has the step '60' (a step is between 1 and 59 here)"},
      {"*/ * * * *",
       "2: the field 'minute' has '/' without a step (write a number behind it, such as '*/5')"},
      {"*/5/5 * * * *",
       "3: the field 'minute' has '/5' where a value, ',', '-' or '/' was expected (" + minute + ")"},
      {"*5 * * * *",
       "1: the field 'minute' has '5' where a value, ',', '-' or '/' was expected (" + minute + ")"},
      {"1.5 * * * *",
       "1: the field 'minute' has '.5' where a value, ',', '-' or '/' was expected (" + minute + ")"},
      {"0 0 ? * mon", "4: the field 'day of month' has '?', which is of other dialects (write '*' instead)"},
      {"0 0 L * *",
       "4: the field 'day of month' has 'L', which is of other dialects (there is no last day in cron; run "
       "on '28-31' "
       "and ask for the date in the job)"},
      {"0 0 * * 5L",
       "9: the field 'day of week' has 'L', which is of other dialects (there is no last day in cron; run on "
       "'28-31' "
       "and ask for the date in the job)"},
      {"0 0 15W * *",
       "6: the field 'day of month' has 'W', which is of other dialects (cron has no such sign; day of month "
       "is 1-31)"},
      {"0 0 * * mon#1",
       "11: the field 'day of week' has '#', which is of other dialects (cron has no such sign; " + weekday +
           ")"},
      {"H * * * *",
       "0: the field 'minute' has 'H', which is of other dialects (cron has no such sign; " + minute + ")"},
      {"@reboot", "0: there is no '@reboot' (a server has no such moment for a pipeline; " + fields + ")"},
      {"  @dayly",
       "2: there is no '@dayly' (did you mean '@daily'? the names are @hourly, @daily, @midnight, @weekly, "
       "@monthly, "
       "@yearly and @annually)"},
      {"@every 5m",
       "0: there is no '@every 5m' (the names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and "
       "@annually)"},
      {"\xff * * * *",
       "0: the field 'minute' has '\xef\xbf\xbd' where a value, ',', '-' or '/' was expected (" + minute +
           ")"},
      {std::string(5000, '*'), "1000: a cron expression of 4.9 KiB is too long (" + fields + ")"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(refused(text), expected) << text.substr(0, 100);
}

TEST(Cron, KeepsItsText) {
  EXPECT_EQ(cron("  */5  * * * * ").text(), "*/5  * * * *");
  EXPECT_EQ(cron("@Daily").text(), "@Daily");
}

}  // namespace
}  // namespace runner::triggers
