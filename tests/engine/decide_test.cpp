#include "runner/engine/decide.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace runner::engine {
namespace {

using pipelines::AllowFailure;
using pipelines::FailureReason;
using pipelines::JobStatus;
using pipelines::Retry;

const TimePoint kNow{std::chrono::milliseconds(1'000'000)};

constexpr JobStatus kStatuses[] = {JobStatus::created,   JobStatus::waiting_for_resource,
                                   JobStatus::preparing, JobStatus::pending,
                                   JobStatus::running,   JobStatus::canceling,
                                   JobStatus::manual,    JobStatus::scheduled,
                                   JobStatus::success,   JobStatus::failed,
                                   JobStatus::canceled,  JobStatus::skipped};

RunResult result(RunResult::Kind kind, std::optional<int> code = {}) {
  RunResult run;
  run.kind = kind;
  run.exit_code = code;
  if (kind == RunResult::Kind::failed) run.failure = FailureReason::script_failure;
  return run;
}

std::vector<JobEvent> all_events() {
  return {event::Enqueued{},
          event::ResourceBusy{},
          event::Held{},
          event::Delayed{kNow + std::chrono::seconds(5)},
          event::Skipped{"why"},
          event::Refused{"why"},
          event::Played{},
          event::Unscheduled{},
          event::TimeCame{},
          event::ResourceFree{},
          event::Claimed{},
          event::Finished{result(RunResult::Kind::success, 0)},
          event::CancelRequested{},
          event::KillRequested{},
          event::MachineryFailed{"why"},
          event::Revived{},
          event::TurnedAway{"why"}};
}

/// One letter per event of all_events(): the status it leads to, '-' ignored, '!' illegal.
/// c created, w waiting, p pending, r running, k canceling, m manual, d scheduled, s success, f failed,
/// x canceled, z skipped.
const std::map<JobStatus, std::string> kTable = {
    //                                    EnqBusHldDelSkpRefPlyUnsTimResClmFinCanKilMacRevAwy
    {JobStatus::created,
     "pwmdzf----"
     "-!xxf--"},
    {JobStatus::waiting_for_resource,
     "!-!!!f---p"
     "-!xxf-f"},
    {JobStatus::preparing,
     "!!!!!f----"
     "-!xxf--"},
    {JobStatus::pending,
     "!!!!!f----"
     "r!xxf--"},
    {JobStatus::running,
     "!!!!!!----"
     "-skkf--"},
    {JobStatus::canceling,
     "!!!!!!----"
     "-x-kx--"},
    {JobStatus::manual,
     "!w-!!fp---"
     "-!--f--"},
    {JobStatus::scheduled,
     "!w!!!fpmp-"
     "-!xxf--"},
    {JobStatus::success,
     "----------"
     "-------"},
    {JobStatus::failed,
     "----------"
     "-------"},
    {JobStatus::canceled,
     "----------"
     "-------"},
    {JobStatus::skipped,
     "----------"
     "-----c-"},
};

char letter(JobStatus status) {
  constexpr std::string_view kLetters = "cw?prkmdsfxz";
  return kLetters[static_cast<std::size_t>(status)];
}

char letter(const Decision& decision) {
  if (const auto* applied = std::get_if<Applied>(&decision)) return letter(applied->next.status);
  return std::holds_alternative<Ignored>(decision) ? '-' : '!';
}

TEST(Decide, EveryEventInEveryStatusLeadsWhereTheTableSays) {
  const std::vector<JobEvent> events = all_events();
  for (const JobStatus status : kStatuses) {
    JobState state;
    state.status = status;
    const std::string& row = kTable.at(status);
    ASSERT_EQ(row.size(), events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
      EXPECT_EQ(letter(decide(state, events[i], kNow, {})), row[i])
          << to_string(status) << " + " << event_name(events[i]);
    }
  }
}

TEST(Decide, TableNamesEveryEventOnce) {
  std::set<std::string_view> names;
  for (const JobEvent& event : all_events()) names.insert(event_name(event));
  EXPECT_EQ(names.size(), std::variant_size_v<JobEvent>);
}

/// Applies and returns the next state; fails the test when the event is not applied.
Applied apply(const JobState& state, const JobEvent& event, const JobPolicy& policy = {}) {
  Decision decision = decide(state, event, kNow, policy);
  EXPECT_TRUE(std::holds_alternative<Applied>(decision));
  return std::get<Applied>(std::move(decision));
}

template <typename T>
bool has(const Applied& applied) {
  return std::any_of(applied.effects.begin(), applied.effects.end(),
                     [](const Effect& effect) { return std::holds_alternative<T>(effect); });
}

JobState in(JobStatus status, int attempt = 1) {
  JobState state;
  state.status = status;
  state.attempt = attempt;
  return state;
}

struct RetryCase {
  const char* name;
  Retry retry;
  FailureReason reason;
  std::optional<int> code;
  int attempt;
  bool again;
};

class DecideRetry : public testing::TestWithParam<RetryCase> {};

TEST_P(DecideRetry, FailedRunIsTriedAgainAsConfigured) {
  const RetryCase& c = GetParam();
  JobPolicy policy;
  policy.retry = &c.retry;
  RunResult run = result(RunResult::Kind::failed, c.code);
  run.failure = c.reason;
  const Applied applied = apply(in(JobStatus::running, c.attempt), event::Finished{run}, policy);
  EXPECT_EQ(has<effect::NewAttempt>(applied), c.again);
  EXPECT_EQ(applied.next.status, JobStatus::failed);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, DecideRetry,
    testing::Values(
        RetryCase{"None", {}, FailureReason::script_failure, 1, 1, false},
        RetryCase{"FirstOfTwo", {2, {}, {}, true}, FailureReason::script_failure, 1, 1, true},
        RetryCase{"SecondOfTwo", {2, {}, {}, true}, FailureReason::script_failure, 1, 2, true},
        RetryCase{"NoFourthRun", {2, {}, {}, true}, FailureReason::script_failure, 1, 3, false},
        RetryCase{"OtherExitCode", {1, {}, {137}, true}, FailureReason::script_failure, 1, 1, false},
        RetryCase{"ListedExitCode", {1, {}, {137}, true}, FailureReason::script_failure, 137, 1, true},
        RetryCase{"ReasonOrCodeByReason",
                  {1, {"runner_system_failure"}, {137}, true},
                  FailureReason::runner_system_failure,
                  {},
                  1,
                  true},
        RetryCase{"ReasonOrCodeByCode",
                  {1, {"runner_system_failure"}, {137}, true},
                  FailureReason::script_failure,
                  137,
                  1,
                  true},
        RetryCase{"OtherReason",
                  {2, {"runner_system_failure"}, {}, true},
                  FailureReason::script_failure,
                  1,
                  1,
                  false},
        RetryCase{"NeverForMissingDependency",
                  {2, {"always"}, {}, true},
                  FailureReason::missing_dependency_failure,
                  {},
                  1,
                  false},
        RetryCase{"SchedulerFailureUnasked", {}, FailureReason::scheduler_failure, {}, 2, true}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(Decide, ListedExitCodeIsAllowedAndOthersAreNot) {
  AllowFailure allowed;
  allowed.exit_codes = {3, 4};
  JobPolicy policy;
  policy.allow_failure = &allowed;
  const auto finished = [&](int code) {
    return apply(in(JobStatus::running), event::Finished{result(RunResult::Kind::failed, code)}, policy).next;
  };
  EXPECT_TRUE(finished(3).allow_failure);
  EXPECT_FALSE(finished(5).allow_failure);
  EXPECT_FALSE(apply(in(JobStatus::running), event::MachineryFailed{"x"}, policy).next.allow_failure);
}

TEST(Decide, CanceledRunIsNeverTriedAgainWhateverItsEnd) {
  const Retry retry{2, {"always"}, {}, true};
  JobPolicy policy;
  policy.retry = &retry;
  for (const auto kind : {RunResult::Kind::success, RunResult::Kind::failed, RunResult::Kind::canceled}) {
    const Applied applied = apply(in(JobStatus::canceling), event::Finished{result(kind, 1)}, policy);
    EXPECT_EQ(applied.next.status, JobStatus::canceled);
    EXPECT_FALSE(has<effect::NewAttempt>(applied));
  }
}

TEST(Decide, WhatTheMachineDidIsTriedAgainLaterEachTime) {
  const Retry retry{2, {"always"}, {}, true};
  JobPolicy policy;
  policy.retry = &retry;
  policy.retry_after = std::chrono::milliseconds(100);
  const auto after = [&](FailureReason failure, int attempt) {
    JobState state = in(JobStatus::running);
    state.attempt = attempt;
    RunResult ended = result(RunResult::Kind::failed, 1);
    ended.failure = failure;
    const Applied applied = apply(state, event::Finished{ended}, policy);
    return std::get<effect::NewAttempt>(applied.effects.at(0)).after.count();
  };
  for (const auto failure : {FailureReason::runner_system_failure, FailureReason::stuck_or_timeout_failure,
                             FailureReason::scheduler_failure, FailureReason::unknown_failure}) {
    EXPECT_EQ(after(failure, 1), 100);
    EXPECT_EQ(after(failure, 2), 400);
  }
  for (const auto failure : {FailureReason::script_failure, FailureReason::job_execution_timeout})
    EXPECT_EQ(after(failure, 1), 0);
}

TEST(Decide, KillAfterCancelStopsAgainAndAtOnce) {
  const Applied cancel = apply(in(JobStatus::running), event::CancelRequested{});
  ASSERT_EQ(cancel.effects.size(), 1U);
  EXPECT_FALSE(std::get<effect::StopSteps>(cancel.effects[0]).kill);
  const Applied kill = apply(cancel.next, event::KillRequested{});
  EXPECT_TRUE(std::get<effect::StopSteps>(kill.effects[0]).kill);
}

TEST(Decide, TimeThatHasNotComeChangesNothing) {
  JobState state = in(JobStatus::scheduled);
  state.scheduled_at = kNow + std::chrono::milliseconds(1);
  EXPECT_TRUE(std::holds_alternative<Ignored>(decide(state, event::TimeCame{}, kNow, {})));
  state.scheduled_at = kNow;
  EXPECT_EQ(apply(state, event::TimeCame{}).next.status, JobStatus::pending);
}

// Whatever comes in whatever order: the invariants hold, versions grow by one, and a cancel ends the job.
TEST(Decide, AnySequenceOfEventsKeepsTheInvariantsAndEnds) {
  const std::vector<JobEvent> events = all_events();
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    JobState state;
    for (int i = 0; i < 60; ++i) {
      const Decision decision =
          // The clock is set now and then, back too.
          decide(state, events[random() % events.size()], kNow + std::chrono::seconds(random() % 60), {});
      const auto* applied = std::get_if<Applied>(&decision);
      if (applied == nullptr) continue;
      const JobState& next = applied->next;
      ASSERT_EQ(next.version, state.version + 1);
      ASSERT_EQ(next.failure.has_value(), next.status == JobStatus::failed);
      ASSERT_EQ(next.finished_at.has_value(), is_completed(next.status));
      TimePoint before = next.created_at;
      for (const auto& time : {next.queued_at, next.started_at, next.finished_at}) {
        if (!time) continue;
        ASSERT_LE(before, *time);
        before = *time;
      }
      if (next.status == JobStatus::running || next.status == JobStatus::canceling) {
        ASSERT_TRUE(next.started_at);
      }
      if (is_completed(state.status)) {
        ASSERT_EQ(next.status, JobStatus::created) << "only skipped jobs come back";
      }
      state = next;
    }
    for (const JobEvent& last : {JobEvent(event::Played{}), JobEvent(event::KillRequested{}),
                                 JobEvent(event::Finished{result(RunResult::Kind::canceled)})}) {
      const Decision decision = decide(state, last, kNow, {});
      if (const auto* applied = std::get_if<Applied>(&decision)) state = applied->next;
    }
    ASSERT_TRUE(is_completed(state.status)) << to_string(state.status);
  }
}

}  // namespace
}  // namespace runner::engine
