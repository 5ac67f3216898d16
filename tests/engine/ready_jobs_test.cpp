#include "runner/engine/ready_jobs.h"

#include <gmock/gmock.h>

#include <chrono>
#include <random>

#include "tests/engine/engine_harness.h"

namespace runner::engine {
namespace {

using pipelines::JobStatus;
using pipelines::Plan;
using pipelines::When;
using test::PlanBuilder;
using testing::ElementsAre;

using Kind = Transition::Kind;

/// What happens to a job of each `when` after these predecessors: r runs, m waits for a person, d for a time,
/// z skipped, . waits. In order: on_success, on_failure, always, manual, delayed.
struct Row {
  const char* name;
  std::vector<JobNow> before;
  const char* staged;
  const char* dag;
};

JobNow now(JobStatus status, bool allowed = false) {
  return {status, allowed, true};
}

const JobNow kSuccess = now(JobStatus::success), kFailed = now(JobStatus::failed),
             kAllowed = now(JobStatus::failed, true), kSkipped = now(JobStatus::skipped),
             kOptionalManual = now(JobStatus::manual, true), kBlockingManual = now(JobStatus::manual),
             kScheduled = now(JobStatus::scheduled), kCanceled = now(JobStatus::canceled),
             kRunning = now(JobStatus::running), kPending = now(JobStatus::pending);

const Row kRows[] = {
    {"AllSuccess", {kSuccess, kSuccess}, "rzrmd", "rzrmd"},
    {"OneFailed", {kFailed, kSuccess}, "zrrzz", "zrrzz"},
    {"OneFailedAllowed", {kAllowed, kSuccess}, "rzrmd", "rzrmd"},
    {"OnlySkipped", {kSkipped, kSkipped}, "rzrmd", "zzrzz"},
    {"OneSkippedRestSuccess", {kSkipped, kSuccess}, "rzrmd", "zzrzz"},
    {"OneFailedAndOneSkipped", {kFailed, kSkipped}, "zrrzz", "zzrzz"},
    {"OptionalManualNotStarted", {kOptionalManual, kSuccess}, "rzrmd", "zzrzz"},
    {"BlockingManualNotStarted", {kBlockingManual, kSuccess}, ".....", "....."},
    {"BlockingManualAndAFailure", {kBlockingManual, kFailed}, ".....", "....."},
    {"ScheduledEarlier", {kScheduled, kSuccess}, ".....", "....."},
    {"AllCanceled", {kCanceled, kCanceled}, "zzzzz", "zzzzz"},
    {"CanceledAndSuccess", {kCanceled, kSuccess}, "zzzzz", "zzzzz"},
    {"CanceledAndFailed", {kCanceled, kFailed}, "zrrzz", "zrrzz"},
    {"FailedWithRetryLeft", {kPending, kSuccess}, ".....", "....."},
    {"StillRunning", {kRunning, kSuccess}, ".....", "....."},
};

constexpr When kWhens[] = {When::on_success, When::on_failure, When::always, When::manual, When::delayed};

std::string outcome(const Plan& plan, const std::vector<JobNow>& states, std::size_t first) {
  std::string letters(plan.jobs.size() - first, '.');
  for (const Transition& transition : ready_jobs(plan, states)) {
    letters[transition.job - first] = "rmdz"[static_cast<std::size_t>(transition.kind)];
  }
  return letters;
}

class Consequences : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Rows, Consequences, testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_P(Consequences, ForAJobScheduledByStages) {
  std::string letters;
  for (const When when : kWhens) {
    PlanBuilder builder;
    builder.add("a", 0);
    builder.add("b", 0);
    builder.add("j", 1).when = when;
    std::vector<JobNow> states = GetParam().before;
    states.push_back(now(JobStatus::created));
    letters += outcome(builder.plan(), states, 2);
  }
  EXPECT_EQ(letters, GetParam().staged);
}

TEST_P(Consequences, ForAJobScheduledByNeeds) {
  std::string letters;
  for (const When when : kWhens) {
    PlanBuilder builder;
    builder.add("a", 0);
    builder.add("b", 0);
    builder.add_dag("j", 1, {"a", "b"}).when = when;
    std::vector<JobNow> states = GetParam().before;
    states.push_back(now(JobStatus::created));
    letters += outcome(builder.plan(), states, 2);
  }
  EXPECT_EQ(letters, GetParam().dag);
}

std::vector<JobNow> created(const Plan& plan) {
  return std::vector<JobNow>(plan.jobs.size());
}

TEST(ReadyJobs, EmptyNeedsStartBesideTheFirstStage) {
  PlanBuilder builder({".pre", "build"});
  builder.add("first", 0);
  builder.add_dag("free", 1, {});
  builder.add("later", 1);
  EXPECT_THAT(ready_jobs(builder.plan(), created(builder.plan())),
              ElementsAre(Transition{Kind::enqueue, 0, ""}, Transition{Kind::enqueue, 1, ""}));
}

TEST(ReadyJobs, SkippedJobDecidesLaterStagesInTheSamePass) {
  PlanBuilder builder({"a", "b", "c", "d"});
  builder.add("fails", 0);
  builder.add("skipped", 1);
  builder.add("cleanup", 2).when = When::always;
  builder.add("last", 3);
  auto states = created(builder.plan());
  states[0] = kFailed;
  const auto due = ready_jobs(builder.plan(), states);
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[0].kind, Kind::skip);
  EXPECT_EQ(due[1].job, 2U);
  EXPECT_EQ(due[1].kind, Kind::enqueue);
}

TEST(ReadyJobs, JobsThatDoNotExistAreNeitherStartedNorWaitedFor) {
  PlanBuilder builder;
  builder.add("absent", 0);
  builder.add("staged", 1);
  builder.add_dag("dag", 1, {"absent"});
  auto states = created(builder.plan());
  states[0].exists = false;
  const auto due = ready_jobs(builder.plan(), states);
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[0], (Transition{Kind::enqueue, 1, ""}));
  EXPECT_EQ(due[1], (Transition{Kind::enqueue, 2, ""}));
}

TEST(ReadyJobs, WarningsAndStatusFollowTheChanges) {
  PlanBuilder builder;
  builder.add("a", 0);
  builder.add("b", 0);
  const Plan plan = builder.plan();
  ReadyJobs ready(plan, created(plan));
  EXPECT_EQ(ready.pipeline_status(), JobStatus::created);
  ready.take();
  EXPECT_EQ(ready.pipeline_status(), JobStatus::pending);
  ready.set(0, kSuccess);
  ready.set(1, kAllowed);
  EXPECT_EQ(ready.pipeline_status(), JobStatus::success);
  EXPECT_TRUE(ready.has_warnings());
}

TEST(JobsToRevive, FollowsNeedsAndStagesThroughSkippedJobsOnly) {
  PlanBuilder builder;
  builder.add("gate", 0);
  builder.add_dag("direct", 1, {"gate"});
  builder.add_dag("indirect", 1, {"direct"});
  builder.add_dag("unrelated", 1, {});
  builder.add("later", 2);
  auto states = created(builder.plan());
  states[0] = kOptionalManual;
  states[1] = states[2] = kSkipped;
  states[3] = kSkipped;
  states[4] = kSuccess;
  EXPECT_THAT(jobs_to_revive(builder.plan(), states, 0), ElementsAre(1, 2));
  states[4] = kSkipped;
  EXPECT_THAT(jobs_to_revive(builder.plan(), states, 0), ElementsAre(1, 2, 4));
}

/// A random plan: some stages, some jobs, needs pointing backwards.
Plan random_plan(std::mt19937& random) {
  PlanBuilder builder({"s0", "s1", "s2", "s3"});
  std::vector<std::string> names;
  std::size_t job = 0;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    for (std::size_t i = random() % 4; i > 0; --i) {
      const std::string name = "j" + std::to_string(job++);
      std::vector<std::string> needs;
      for (const std::string& other : names) {
        if (random() % 4 == 0) needs.push_back(other);
      }
      auto& added = random() % 2 == 0 ? builder.add(name, stage) : builder.add_dag(name, stage, needs);
      added.when = kWhens[random() % std::size(kWhens)];
      added.allow_failure.always = random() % 4 == 0;
      names.push_back(name);
    }
  }
  return builder.plan();
}

// The counts that are kept from change to change say the same as counting afresh, and every pipeline ends.
TEST(ReadyJobs, KeptCountsAgreeWithCountingAfreshAndEveryPipelineEnds) {
  constexpr JobStatus kEnds[] = {JobStatus::success, JobStatus::failed, JobStatus::canceled};
  for (unsigned seed = 0; seed < 1500; ++seed) {
    std::mt19937 random(seed);
    const Plan plan = random_plan(random);
    std::vector<JobNow> states = created(plan);
    for (std::size_t i = 0; i < states.size(); ++i)
      states[i].allow_failure = plan.jobs[i].allow_failure.always;
    ReadyJobs ready(plan, states);
    for (int round = 0; round < 200; ++round) {
      const auto fresh = ready_jobs(plan, states);
      ASSERT_EQ(ready.take(), fresh) << "seed " << seed;
      states = ready.jobs();
      std::vector<std::size_t> alive;
      for (std::size_t i = 0; i < states.size(); ++i) {
        if (!is_completed(states[i].status) && states[i].status != JobStatus::created) alive.push_back(i);
      }
      if (alive.empty()) break;
      const std::size_t job = alive[random() % alive.size()];
      states[job].status = kEnds[random() % std::size(kEnds)];
      ready.set(job, states[job]);
    }
    for (const JobNow& state : states) ASSERT_TRUE(is_completed(state.status)) << "seed " << seed;
  }
}

TEST(ReadyJobs, ThousandJobsInAChainOfStagesAreQuick) {
  std::vector<std::string> stages;
  for (int i = 0; i < 50; ++i) stages.push_back("s" + std::to_string(i));
  PlanBuilder builder(stages);
  for (std::size_t i = 0; i < 1000; ++i) builder.add("j" + std::to_string(i), i / 20);
  const Plan plan = builder.plan();
  ReadyJobs ready(plan, created(plan));
  std::size_t started = 0;
  std::vector<Transition> open = ready.take();
  while (!open.empty()) {
    std::vector<Transition> next;
    for (const Transition& transition : open) {
      ++started;
      ready.set(transition.job, kSuccess);
      for (Transition& more : ready.take()) next.push_back(std::move(more));
    }
    open = std::move(next);
  }
  EXPECT_EQ(started, 1000U);
}

}  // namespace
}  // namespace runner::engine
