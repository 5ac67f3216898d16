// Random schedules against a walk over every minute. The walk knows nothing of dates to come: it looks at the
// clock each minute, as the cron daemon does, and remembers the latest time the clock has shown.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <set>

#include "runner/triggers/cron.h"

namespace runner::triggers {
namespace {

namespace chrono = std::chrono;
using chrono::local_seconds;
using chrono::sys_seconds;

/// One field: its text and what it means, put together side by side.
struct Field {
  std::string text;
  std::set<int> values;
  bool any = false;
};

Field random_field(int low, int high, int most_items, int any_percent) {
  Field field;
  if (*rc::gen::inRange(0, 100) < any_percent) {
    const int step = *rc::gen::element(1, 1, 1, 2, 3, 7);
    field.any = true;
    field.text = step == 1 ? "*" : "*/" + std::to_string(step);
    for (int value = low; value <= high; value += step) field.values.insert(value);
    return field;
  }
  const int items = *rc::gen::inRange(1, most_items + 1);
  for (int i = 0; i < items; ++i) {
    const int first = *rc::gen::inRange(low, high + 1);
    const int last = *rc::gen::oneOf(rc::gen::just(first), rc::gen::inRange(first, high + 1));
    const int step = first == last ? 1 : *rc::gen::inRange(1, 5);
    if (i > 0) field.text += ',';
    field.text += std::to_string(first);
    if (last != first) field.text += '-' + std::to_string(last);
    if (step > 1) field.text += '/' + std::to_string(step);
    for (int value = first; value <= last; value += step) field.values.insert(value);
  }
  return field;
}

struct Schedule {
  Field minute, hour, day, month, weekday;

  std::string text() const {
    return minute.text + ' ' + hour.text + ' ' + day.text + ' ' + month.text + ' ' + weekday.text;
  }
  bool fits(local_seconds time) const {
    const auto date = chrono::floor<chrono::days>(time);
    const chrono::year_month_day fields(date);
    const chrono::hh_mm_ss clock(time - date);
    const auto in = [](const Field& field, auto value) {
      return field.values.count(static_cast<int>(value)) > 0;
    };
    const unsigned day_of_week = chrono::weekday(date).c_encoding();
    const bool in_days = in(day, static_cast<unsigned>(fields.day()));
    const bool in_weekdays = in(weekday, day_of_week) || (day_of_week == 0 && in(weekday, 7));
    const bool today = day.any || weekday.any ? in_days && in_weekdays : in_days || in_weekdays;
    return clock.seconds().count() == 0 && in(minute, clock.minutes().count()) &&
           in(hour, clock.hours().count()) && in(month, static_cast<unsigned>(fields.month())) && today;
  }
};

Schedule random_schedule() {
  return {random_field(0, 59, 3, 40), random_field(0, 23, 3, 40), random_field(1, 31, 4, 60),
          random_field(1, 12, 6, 70), random_field(0, 7, 3, 60)};
}

/// All moments of the schedule after `first` and before `last`, by looking at the clock each minute.
std::vector<sys_seconds> walk(const Schedule& schedule, const TimeZone& zone, sys_seconds first,
                              sys_seconds last) {
  const bool rhythm = schedule.minute.any || schedule.hour.any;
  std::vector<sys_seconds> moments;
  // Two days ahead, so that the walk knows what the clock has shown.
  sys_seconds time = chrono::floor<chrono::minutes>(first) - chrono::days(2);
  local_seconds shown = zone.to_local(time);
  while ((time += chrono::minutes(1)) < last) {
    const local_seconds now = zone.to_local(time);
    bool comes = rhythm && schedule.fits(now);
    if (!rhythm) {
      for (auto each = shown + chrono::minutes(1); each <= now; each += chrono::minutes(1)) {
        comes = comes || schedule.fits(each);
      }
    }
    shown = std::max(shown, now);
    if (comes && time > first) moments.push_back(time);
  }
  return moments;
}

constexpr std::array<const char*, 9> kZones = {"UTC",
                                               "Europe/Berlin",
                                               "America/New_York",
                                               "Asia/Kathmandu",
                                               "Australia/Lord_Howe",
                                               "Africa/Casablanca",
                                               "Pacific/Apia",
                                               "America/Sao_Paulo",
                                               "Antarctica/Troll"};

TEST(CronProperty, EverythingThatAWalkOverTheMinutesFindsIsFoundAndNothingElse) {
  std::map<std::string, TimeZone> zones;
  for (const char* name : kZones) zones.emplace(name, TimeZone::load(name));
  const bool kept = rc::check([&zones] {
    const Schedule schedule = random_schedule();
    const std::string name = *rc::gen::elementOf(kZones);
    const TimeZone& zone = zones.at(name);
    // Near a change of the clocks mostly: four days before one.
    const sys_seconds somewhere(chrono::seconds(*rc::gen::inRange<std::int64_t>(200'000'000, 4'200'000'000)));
    const auto period = zone.at(somewhere);
    const sys_seconds start =
        period.end == sys_seconds::max()
            ? somewhere
            : period.end - chrono::days(4) +
                  chrono::seconds(*rc::gen::inRange<std::int64_t>(0, std::int64_t{4} * 86'400));
    const sys_seconds end = start + chrono::days(9);

    CronError error;
    const auto cron = Cron::parse(schedule.text(), error);
    RC_LOG() << schedule.text() << " in " << name << " after " << format_iso8601(start) << "\n";
    RC_ASSERT(cron.has_value());
    std::vector<sys_seconds> found;
    for (auto next = cron->next_after(start, zone); next && *next < end;
         next = cron->next_after(*next, zone)) {
      found.push_back(chrono::floor<chrono::seconds>(*next));
      RC_ASSERT(found.size() < 100'000U);
    }
    RC_ASSERT(found == walk(schedule, zone, start, end));
  });
  EXPECT_TRUE(kept);
}

}  // namespace
}  // namespace runner::triggers
