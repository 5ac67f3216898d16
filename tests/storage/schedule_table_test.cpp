#include "runner/storage/schedule_table.h"

#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class ScheduleTable : public EachStore {
 protected:
  ScheduleRecord add(std::int64_t project, std::optional<TimePoint> next, bool active = true) {
    ScheduleRecord schedule;
    schedule.project = project;
    schedule.description = "it's nightly";
    schedule.cron = "0 3 * * *";
    schedule.time_zone = "Europe/Berlin";
    schedule.ref = "refs/heads/main";
    schedule.owner = "jane";
    schedule.next_run_at = next;
    schedule.active = active;
    schedule.created_at = at(1);
    write([&](Tx& tx) { schedule.id = Schedules(tx, sealer_).insert(schedule, R"({"A":"s3cret"})"); });
    return schedule;
  }
  ScheduleRecord find(std::int64_t id) {
    ScheduleRecord found;
    read([&](Tx& tx) { found = Schedules(tx, sealer_).find(id).value(); });
    return found;
  }
  std::string variables(std::int64_t id) {
    std::string text;
    read([&](Tx& tx) { text = Schedules(tx, sealer_).variables(id).value().text(); });
    return text;
  }
  std::vector<std::int64_t> due(std::int64_t now, std::size_t limit = 10) {
    std::vector<std::int64_t> ids;
    read([&](Tx& tx) {
      for (const auto& schedule : Schedules(tx, sealer_).due(at(now), limit)) ids.push_back(schedule.id);
    });
    return ids;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, ScheduleTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(ScheduleTable, ComesBackAsItWasWritten) {
  const ScheduleRecord written = add(new_project(), at(50));
  const ScheduleRecord found = find(written.id);
  EXPECT_EQ(found.project, written.project);
  EXPECT_EQ(found.description, written.description);
  EXPECT_EQ(found.cron, written.cron);
  EXPECT_EQ(found.time_zone, written.time_zone);
  EXPECT_EQ(found.ref, written.ref);
  EXPECT_TRUE(found.active);
  EXPECT_EQ(found.owner, "jane");
  EXPECT_EQ(found.next_run_at, at(50));
  EXPECT_FALSE(found.last_run_at);
  EXPECT_EQ(found.version, 0);
  EXPECT_EQ(found.created_at, at(1));
  EXPECT_EQ(variables(written.id), R"({"A":"s3cret"})");
}

TEST_P(ScheduleTable, DueOnesAreActiveAndComeByTime) {
  const std::int64_t project = new_project();
  const auto late = add(project, at(30)), early = add(project, at(10)), same = add(project, at(10));
  add(project, at(5), false);
  add(project, std::nullopt);
  EXPECT_EQ(due(9), std::vector<std::int64_t>{});
  EXPECT_EQ(due(10), (std::vector{early.id, same.id}));
  EXPECT_EQ(due(1000), (std::vector{early.id, same.id, late.id}));
  EXPECT_EQ(due(1000, 1), (std::vector{early.id}));
  read([&](Tx& tx) { EXPECT_EQ(Schedules(tx, sealer_).next_due(), at(10)); });
}

TEST_P(ScheduleTable, WithoutSchedulesNothingIsDue) {
  read([&](Tx& tx) { EXPECT_EQ(Schedules(tx, sealer_).next_due(), std::nullopt); });
}

TEST_P(ScheduleTable, EachRunIsTakenOnce) {
  const auto schedule = add(new_project(), at(10));
  write([&](Tx& tx) { EXPECT_TRUE(Schedules(tx, sealer_).advance(schedule.id, at(10), at(20), at(11))); });
  other().write(
      [&](Tx& tx) { EXPECT_FALSE(Schedules(tx, sealer_).advance(schedule.id, at(10), at(20), at(11))); });
  ScheduleRecord found = find(schedule.id);
  EXPECT_EQ(found.next_run_at, at(20));
  EXPECT_EQ(found.last_run_at, at(11));
  EXPECT_EQ(found.version, 0) << "who edits it meanwhile is not in the way";
  found.active = false;
  write([&](Tx& tx) {
    EXPECT_TRUE(Schedules(tx, sealer_).replace(found, 0));
    EXPECT_FALSE(Schedules(tx, sealer_).advance(schedule.id, at(20), at(30), at(21)));
  });
}

TEST_P(ScheduleTable, ARunSaysWhatCameOfIt) {
  const auto schedule = add(new_project(), at(10));
  write([&](Tx& tx) {
    Schedules schedules(tx, sealer_);
    EXPECT_TRUE(schedules.put_off(schedule.id, at(10), at(40), "no route to host"));
    EXPECT_TRUE(schedules.put_off(schedule.id, at(10), at(50), "no route to host"));
    EXPECT_FALSE(schedules.put_off(schedule.id, at(11), at(60), "another run"));
  });
  ScheduleRecord found = find(schedule.id);
  EXPECT_EQ(found.failures, 2);
  EXPECT_EQ(found.retry_at, at(50));
  EXPECT_EQ(found.last_error, "no route to host");
  EXPECT_EQ(found.next_run_at, at(10));
  EXPECT_EQ(due(49), std::vector<std::int64_t>{});
  EXPECT_EQ(due(50), (std::vector{schedule.id}));
  read([&](Tx& tx) {
    EXPECT_EQ(Schedules(tx, sealer_).next_due(), at(50));
    EXPECT_EQ(Schedules(tx, sealer_).next_due(at(50)), std::nullopt);
  });
  write([&](Tx& tx) {
    EXPECT_TRUE(Schedules(tx, sealer_).advance(schedule.id, at(10), at(90), at(50), {7, ""}));
  });
  found = find(schedule.id);
  EXPECT_EQ(found.failures, 0);
  EXPECT_FALSE(found.retry_at);
  EXPECT_EQ(found.last_error, "");
  EXPECT_EQ(found.last_pipeline, 7);
  EXPECT_EQ(found.reckoned_at, at(50));
  write([&](Tx& tx) {
    EXPECT_TRUE(Schedules(tx, sealer_).advance(schedule.id, at(90), at(99), at(91), {{}, "paused"}));
  });
  EXPECT_EQ(find(schedule.id).last_pipeline, 7) << "there was no newer one";
  EXPECT_EQ(find(schedule.id).last_error, "paused");
  write([&](Tx& tx) { Schedules(tx, sealer_).played(schedule.id, 8, at(95)); });
  EXPECT_EQ(find(schedule.id).last_pipeline, 8);
  EXPECT_EQ(find(schedule.id).last_run_at, at(95));
  EXPECT_EQ(find(schedule.id).next_run_at, at(99));
}

TEST_P(ScheduleTable, ARetryOfAClockThatWasSetBackIsDueNow) {
  const auto schedule = add(new_project(), at(10));
  const std::int64_t far = std::chrono::milliseconds(kLongestRetry).count() + 21;
  write([&](Tx& tx) { Schedules(tx, sealer_).put_off(schedule.id, at(10), at(far), "x"); });
  EXPECT_EQ(due(20), (std::vector{schedule.id}));
  EXPECT_EQ(due(21), std::vector<std::int64_t>{});
}

TEST_P(ScheduleTable, ThoseOfAWrongClockAreReckonedAnew) {
  const std::int64_t project = new_project();
  const auto schedule = add(project, at(1000)), other = add(project, at(1000));
  write([&](Tx& tx) { Schedules(tx, sealer_).advance(schedule.id, at(1000), at(2000), at(1000)); });
  read([&](Tx& tx) {
    EXPECT_EQ(Schedules(tx, sealer_).reckoned_after(at(1000), 10).size(), 0U);
    ASSERT_EQ(Schedules(tx, sealer_).reckoned_after(at(999), 10).size(), 1U);
    EXPECT_EQ(Schedules(tx, sealer_).reckoned_after(at(999), 10)[0].id, schedule.id);
  });
  write([&](Tx& tx) {
    EXPECT_FALSE(Schedules(tx, sealer_).reckon_anew(schedule.id, at(1000), at(500), at(400)));
    EXPECT_TRUE(Schedules(tx, sealer_).reckon_anew(schedule.id, at(2000), at(500), at(400)));
  });
  EXPECT_EQ(find(schedule.id).next_run_at, at(500));
  EXPECT_EQ(find(schedule.id).reckoned_at, at(400));
  EXPECT_EQ(find(other.id).next_run_at, at(1000));
}

TEST_P(ScheduleTable, ReplaceWithAnOldVersionWritesNothing) {
  ScheduleRecord schedule = add(new_project(), at(10));
  schedule.cron = "@daily";
  schedule.next_run_at = std::nullopt;
  schedule.last_run_at = at(99);
  write([&](Tx& tx) { EXPECT_TRUE(Schedules(tx, sealer_).replace(schedule, 0)); });
  EXPECT_EQ(find(schedule.id).cron, "@daily");
  EXPECT_EQ(find(schedule.id).next_run_at, std::nullopt);
  EXPECT_EQ(find(schedule.id).last_run_at, std::nullopt) << "advance() alone writes it";
  EXPECT_EQ(find(schedule.id).version, 1);
  EXPECT_EQ(variables(schedule.id), R"({"A":"s3cret"})") << "they stay";
  schedule.cron = "@weekly";
  write([&](Tx& tx) { EXPECT_FALSE(Schedules(tx, sealer_).replace(schedule, 0, R"({"A":"other"})")); });
  EXPECT_EQ(find(schedule.id).cron, "@daily");
  EXPECT_EQ(variables(schedule.id), R"({"A":"s3cret"})");
  write([&](Tx& tx) { EXPECT_TRUE(Schedules(tx, sealer_).replace(schedule, 1, R"({"A":"other"})")); });
  EXPECT_EQ(variables(schedule.id), R"({"A":"other"})");
}

TEST_P(ScheduleTable, VariablesOfAnotherRowDoNotOpen) {
  const std::int64_t project = new_project();
  const auto one = add(project, at(1)), two = add(project, at(2));
  write([&](Tx& tx) {
    tx.sql().exec(
        "UPDATE schedules SET variables = (SELECT variables FROM schedules WHERE id = $1) WHERE id = $2",
        {one.id, two.id});
  });
  EXPECT_TRUE(fails_with(ErrorCode::internal, "does not open", [&] { variables(two.id); }));
}

TEST_P(ScheduleTable, WhatCannotBeIsRefused) {
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "there is no project 99", [&] { add(99, at(1)); }));
  ScheduleRecord schedule = add(new_project(), at(1));
  schedule.description = std::string("a\0b", 3);
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the description has a zero byte",
                         [&] { write([&](Tx& tx) { Schedules(tx, sealer_).replace(schedule, 0); }); }));
  schedule.description = std::string(5000, 'x');
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the description has 4.9 KiB, and may have 4.0 KiB",
                         [&] { write([&](Tx& tx) { Schedules(tx, sealer_).insert(schedule, "{}"); }); }));
}

TEST_P(ScheduleTable, ThoseOfAProjectGoOnAfterAnId) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  const auto one = add(shop, at(3)), two = add(shop, at(1));
  add(depot, at(2));
  write([&](Tx& tx) {
    Schedules schedules(tx, sealer_);
    ASSERT_EQ(schedules.of_project(shop).size(), 2U);
    EXPECT_EQ(schedules.of_project(shop, 0, 1)[0].id, one.id);
    EXPECT_EQ(schedules.of_project(shop, one.id)[0].id, two.id);
    schedules.remove(one.id);
    schedules.remove(one.id);
    EXPECT_EQ(schedules.of_project(shop).size(), 1U);
    EXPECT_FALSE(schedules.variables(one.id));
  });
}

}  // namespace
}  // namespace runner::storage
