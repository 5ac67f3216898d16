// Schedules against a clock that does what a test says, without a repository.
#include "runner/daemon/schedule_runs.h"

#include <gmock/gmock.h>

#include "runner/base/error.h"
#include "runner/storage/access_table.h"
#include "runner/storage/tables.h"
#include "runner/triggers/schedule_times.h"

namespace runner::daemon {
namespace {

using namespace std::chrono_literals;
using storage::ScheduleRecord;
using storage::Schedules;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TimePoint moment(int hour, int minute, int day = 10) {
  return TimePoint(std::chrono::sys_days(std::chrono::March / day / 2026).time_since_epoch()) +
         std::chrono::hours(hour) + std::chrono::minutes(minute);
}

class SetClock final : public Clock {
 public:
  TimePoint now() const override { return time; }
  SteadyPoint steady_now() const override { return {}; }
  TimePoint time = moment(12, 0);
};

class ScheduleRunsTest : public testing::Test {
 public:
  ScheduleRunsTest() {
    store->write([&](storage::Tx& tx) {
      storage::ProjectRecord project;
      project.name = "shop";
      project.url = "/shop";
      shop = storage::Projects(tx).insert(project);
    });
  }

  std::int64_t add(const std::string& cron, const std::string& zone = "UTC",
                   const std::string& owner = "root") {
    triggers::TimesProblem problem;
    const auto times = triggers::ScheduleTimes::read(cron, zone, clock.time, problem);
    ScheduleRecord schedule;
    schedule.project = shop;
    schedule.description = "nightly";
    schedule.cron = cron;
    schedule.time_zone = zone;
    schedule.ref = "main";
    schedule.owner = owner;
    schedule.created_at = schedule.reckoned_at = clock.time;
    schedule.next_run_at = times.value().next_after(clock.time);
    std::int64_t id = 0;
    store->write([&](storage::Tx& tx) { id = Schedules(tx, sealer).insert(schedule, R"({"A":"b"})"); });
    return id;
  }
  ScheduleRecord find(std::int64_t id) {
    ScheduleRecord found;
    store->read([&](storage::Tx& tx) { found = Schedules(tx, sealer).find(id).value(); });
    return found;
  }
  void replace(const ScheduleRecord& schedule) {
    store->write([&](storage::Tx& tx) { Schedules(tx, sealer).replace(schedule, schedule.version); });
  }
  std::size_t pipelines() {
    std::size_t count = 0;
    store->read([&](storage::Tx& tx) { count = storage::Pipelines(tx).list({}, 100).size(); });
    return count;
  }
  /// Runs all that is due; what came of it.
  std::vector<RunResult> run_due() {
    std::vector<RunResult> results;
    for (const ScheduleRecord& schedule : runs.due()) results.push_back(runs.run(schedule));
    return results;
  }

  /// As the daemon does it, in one transaction.
  Made make(const storage::ProjectRecord& project, const std::string& ref, const Trigger& trigger,
            const Settle& settle) {
    if (meanwhile) meanwhile();
    if (!unreachable.empty()) throw Error(ErrorCode::unavailable, unreachable);
    asked.push_back(trigger);
    EXPECT_EQ(ref, "main");
    Made made;
    store->write([&](storage::Tx& tx) {
      storage::PipelineRecord record;
      record.project_id = project.id;
      record.project = project.name;
      record.source = trigger.source;
      if (!no_pipeline) made.pipeline = storage::Pipelines(tx).insert(record);
      settle(tx, made.pipeline, no_pipeline ? "filtered out by workflow rules" : "");
    });
    return made;
  }

  SetClock clock;
  std::unique_ptr<storage::Store> store = storage::make_memory_store(clock);
  storage::Sealer sealer{storage::Secret::copy_of(std::string(storage::kDataKeySize, 'k'))};
  std::int64_t shop = 0;
  std::vector<Trigger> asked;
  std::string unreachable;
  bool no_pipeline = false;
  std::function<void()> meanwhile;
  ScheduleRuns runs{{*store, sealer, clock,
                     [this](const auto& project, const std::string& ref, const Trigger& trigger,
                            const Settle& settle) { return make(project, ref, trigger, settle); }}};
};

TEST_F(ScheduleRunsTest, RunsOnceWhenItsTimeComes) {
  const std::int64_t id = add("0 3 * * *", "Europe/Zurich");
  EXPECT_EQ(runs.next(), moment(2, 0, 11));
  clock.time = moment(2, 0, 11) - 1ms;
  EXPECT_THAT(run_due(), IsEmpty());
  clock.time = moment(2, 0, 11);
  EXPECT_THAT(run_due(), ElementsAre(RunResult::made));
  EXPECT_THAT(run_due(), IsEmpty());
  EXPECT_EQ(pipelines(), 1U);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].source, "schedule");
  EXPECT_EQ(asked[0].started_by, "root");
  EXPECT_THAT(asked[0].variables, ElementsAre(Pair("A", "b")));
  EXPECT_THAT(asked[0].predefined, ElementsAre(Pair("CI_PIPELINE_SCHEDULE_DESCRIPTION", "nightly")));
  const ScheduleRecord after = find(id);
  EXPECT_EQ(after.next_run_at, moment(2, 0, 12));
  EXPECT_EQ(after.last_run_at, moment(2, 0, 11));
  EXPECT_EQ(after.last_pipeline, 1);
  EXPECT_EQ(after.last_error, "");
  EXPECT_EQ(runs.next(), moment(2, 0, 12));
  EXPECT_EQ(runs.count(RunResult::made), 1U);
}

TEST_F(ScheduleRunsTest, MissedRunsComeOnceAndLate) {
  const std::int64_t id = add("*/10 * * * *");
  clock.time = moment(18, 34, 13);  // nobody served for days
  EXPECT_THAT(run_due(), ElementsAre(RunResult::made));
  EXPECT_THAT(run_due(), IsEmpty());
  EXPECT_EQ(find(id).next_run_at, moment(18, 40, 13));
}

TEST_F(ScheduleRunsTest, WhatCannotBeReachedIsAskedEverLessOften) {
  const std::int64_t id = add("0 13 * * *");
  unreachable = "cannot reach the repository";
  std::vector<std::chrono::milliseconds> waits;
  clock.time = moment(13, 0);
  for (int tries = 0; tries < 8; ++tries) {
    ASSERT_THAT(run_due(), ElementsAre(RunResult::put_off));
    EXPECT_THAT(run_due(), IsEmpty()) << "not again before its time";
    const ScheduleRecord schedule = find(id);
    EXPECT_EQ(schedule.next_run_at, moment(13, 0)) << "the run is not lost";
    EXPECT_EQ(schedule.failures, tries + 1);
    EXPECT_THAT(schedule.last_error, HasSubstr("cannot reach"));
    EXPECT_EQ(runs.next(), schedule.retry_at);
    waits.push_back(*schedule.retry_at - clock.time);
    clock.time = *schedule.retry_at;
  }
  EXPECT_THAT(waits, ElementsAre(30s, 60s, 120s, 240s, 480s, 900s, 900s, 900s));
  unreachable.clear();
  EXPECT_THAT(run_due(), ElementsAre(RunResult::made));
  EXPECT_EQ(pipelines(), 1U);
  EXPECT_EQ(find(id).failures, 0);
  EXPECT_EQ(find(id).last_error, "");
  EXPECT_FALSE(find(id).retry_at);
  EXPECT_EQ(find(id).next_run_at, moment(13, 0, 11));
}

TEST_F(ScheduleRunsTest, ARetryDoesNotWaitForAClockThatWasSetBack) {
  add("0 13 * * *");
  unreachable = "no route to host";
  clock.time = moment(15, 0);
  EXPECT_THAT(run_due(), ElementsAre(RunResult::put_off));
  clock.time = moment(13, 30);
  unreachable.clear();
  EXPECT_THAT(run_due(), ElementsAre(RunResult::made));
}

TEST_F(ScheduleRunsTest, OfTwoThatMakeTheSameRunOneDoes) {
  const std::int64_t id = add("0 13 * * *");
  clock.time = moment(13, 0);
  meanwhile = [&] {
    store->write([&](storage::Tx& tx) {
      Schedules(tx, sealer).advance(id, moment(13, 0), moment(13, 0, 11), clock.time, {77, ""});
    });
  };
  EXPECT_THAT(run_due(), ElementsAre(RunResult::gone));
  EXPECT_EQ(pipelines(), 0U);
  EXPECT_EQ(find(id).last_pipeline, 77);
  EXPECT_EQ(find(id).last_error, "");
}

TEST_F(ScheduleRunsTest, WhatPeopleChangeMeanwhileCounts) {
  const std::int64_t id = add("0 13 * * *");
  clock.time = moment(13, 0);
  meanwhile = [&] {
    ScheduleRecord next = find(id);
    next.description = "renamed";
    replace(next);
  };
  EXPECT_THAT(run_due(), ElementsAre(RunResult::made)) << "a new name is not in the way";
  clock.time = moment(13, 0, 11);
  meanwhile = [&] {
    ScheduleRecord next = find(id);
    next.active = false;
    replace(next);
  };
  EXPECT_THAT(run_due(), ElementsAre(RunResult::gone));
  EXPECT_EQ(pipelines(), 1U);
  clock.time = moment(13, 0, 12);
  EXPECT_THAT(run_due(), IsEmpty());
  EXPECT_EQ(runs.next(), std::nullopt);
}

TEST_F(ScheduleRunsTest, AClockSetBackALittleRunsNothingTwice) {
  const std::int64_t id = add("0 13 * * *");
  clock.time = moment(13, 0);
  run_due();
  for (const TimePoint earlier : {moment(12, 59), moment(10, 1)}) {
    clock.time = earlier;
    EXPECT_EQ(runs.follow_clock(), 0U);
    EXPECT_THAT(run_due(), IsEmpty());
  }
  clock.time = moment(13, 30);
  EXPECT_THAT(run_due(), IsEmpty());
  EXPECT_EQ(find(id).next_run_at, moment(13, 0, 11));
}

TEST_F(ScheduleRunsTest, AClockThatWasWrongIsFollowedBack) {
  const std::int64_t id = add("0 13 * * *");
  clock.time = moment(13, 0) + std::chrono::days(4000);
  EXPECT_THAT(run_due(), ElementsAre(RunResult::made));
  clock.time = moment(12, 30);
  EXPECT_EQ(runs.follow_clock(), 1U);
  EXPECT_EQ(find(id).next_run_at, moment(13, 0));
  EXPECT_EQ(runs.follow_clock(), 0U);
  clock.time = moment(13, 0);
  EXPECT_THAT(run_due(), ElementsAre(RunResult::made));
}

TEST_F(ScheduleRunsTest, AClockThatWasNeverSetIsNotBelieved) {
  const std::int64_t id = add("0 13 * * *");
  clock.time = moment(13, 0);
  run_due();
  clock.time = TimePoint(1min);
  EXPECT_EQ(runs.follow_clock(), 0U);
  EXPECT_THAT(run_due(), IsEmpty());
  EXPECT_EQ(find(id).next_run_at, moment(13, 0, 11));
}

TEST_F(ScheduleRunsTest, WithoutAPipelineTheReasonIsKept) {
  const std::int64_t id = add("0 13 * * *");
  no_pipeline = true;
  clock.time = moment(13, 0);
  EXPECT_THAT(run_due(), ElementsAre(RunResult::none));
  EXPECT_EQ(find(id).last_error, "filtered out by workflow rules");
  EXPECT_EQ(find(id).next_run_at, moment(13, 0, 11));
}

TEST_F(ScheduleRunsTest, ThoseOfAPausedProjectPassByAndSaySo) {
  const std::int64_t id = add("0 13 * * *");
  store->write([&](storage::Tx& tx) {
    auto project = storage::Projects(tx).find(shop).value();
    project.paused = true;
    storage::Projects(tx).replace(project, project.version);
  });
  clock.time = moment(13, 0);
  EXPECT_THAT(run_due(), ElementsAre(RunResult::skipped));
  EXPECT_EQ(pipelines(), 0U);
  EXPECT_EQ(find(id).last_error, "the project is paused");
  EXPECT_EQ(find(id).next_run_at, moment(13, 0, 11));
}

TEST_F(ScheduleRunsTest, NobodyRunsInTheNameOfWhoMayNot) {
  const auto add_user = [&](const std::string& name, storage::Role role, std::optional<TimePoint> disabled) {
    store->write([&](storage::Tx& tx) {
      storage::Users(tx).insert(
          {.id = 0, .name = name, .role = role, .created_at = clock.time, .disabled_at = disabled});
    });
  };
  add_user("kim", storage::Role::developer, {});
  add_user("vera", storage::Role::viewer, {});
  add_user("gone", storage::Role::admin, clock.time);
  add("0 13 * * *", "UTC", "kim");
  const std::int64_t vera = add("0 13 * * *", "UTC", "vera"), gone = add("0 13 * * *", "UTC", "gone");
  clock.time = moment(13, 0);
  EXPECT_THAT(run_due(), ElementsAre(RunResult::made, RunResult::skipped, RunResult::skipped));
  EXPECT_THAT(find(vera).last_error, HasSubstr("its owner 'vera' may not start pipelines any more"));
  EXPECT_THAT(find(gone).last_error, HasSubstr("its owner 'gone' is disabled"));
}

TEST_F(ScheduleRunsTest, AZoneThatIsGoneIsSaidAndWaitedFor) {
  const std::int64_t id = add("0 13 * * *");
  ScheduleRecord schedule = find(id);
  schedule.time_zone = "Europe/Atlantis";
  replace(schedule);
  clock.time = moment(13, 0);
  EXPECT_THAT(run_due(), ElementsAre(RunResult::put_off));
  EXPECT_THAT(find(id).last_error, HasSubstr("there is no time zone 'Europe/Atlantis'"));
}

TEST_F(ScheduleRunsTest, OneThatWasRemovedMeanwhileIsGone) {
  const std::int64_t id = add("0 13 * * *");
  clock.time = moment(13, 0);
  const auto due = runs.due();
  store->write([&](storage::Tx& tx) { Schedules(tx, sealer).remove(id); });
  EXPECT_EQ(runs.run(due.at(0)), RunResult::gone);
  EXPECT_EQ(pipelines(), 0U);
}

}  // namespace
}  // namespace runner::daemon
