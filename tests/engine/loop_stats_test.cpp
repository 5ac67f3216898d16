// What the engine says of its own loop: pure parts, and an engine that runs a pipeline.
#include "runner/engine/loop_stats.h"

#include <gmock/gmock.h>

#include "runner/engine/loop_timers.h"
#include "tests/engine/engine_harness.h"
#include "tests/support/scripted_executor.h"

namespace runner::test {
namespace {

using namespace std::chrono_literals;
using engine::LoopStats;
using engine::LoopTimers;
using pipelines::JobStatus;

/// Stands still until it is moved.
class StillClock final : public Clock {
 public:
  TimePoint now() const override { return {}; }
  SteadyPoint steady_now() const override { return now_; }
  void pass(SteadyPoint::duration time) { now_ += time; }

 private:
  SteadyPoint now_{1h};
};

TEST(LoopStats, AgeCountsWithinATurnFromItsLastStep) {
  StillClock clock;
  LoopStats stats(clock);
  clock.pass(1h);
  EXPECT_EQ(stats.since_step(), std::nullopt) << "an engine that waits is alive";
  {
    const LoopStats::Turn turn(stats);
    clock.pass(2s);
    EXPECT_EQ(stats.since_step(), 2s);
    stats.step();
    EXPECT_EQ(stats.since_step(), 0s);
    clock.pass(3s);
    {
      const LoopStats::Wait wait(stats);
      clock.pass(1h);
      EXPECT_EQ(stats.since_step(), std::nullopt) << "trouble of the store is told elsewhere";
    }
    EXPECT_EQ(stats.since_step(), 0s);
  }
  clock.pass(1h);
  EXPECT_EQ(stats.since_step(), std::nullopt);
  EXPECT_EQ(stats.turns().count, 1U);
  EXPECT_EQ(stats.turns().sum, 3605s);
  { const LoopStats::Wait outside(stats); }
  EXPECT_EQ(stats.since_step(), std::nullopt);
}

TEST(LoopTimers, TellTheNextAndThoseThatAreDue) {
  LoopTimers timers;
  const SteadyPoint start{1h};
  EXPECT_EQ(timers.next(), std::nullopt);
  timers.set(1, start + 3s);
  timers.set(2, start + 1s);
  timers.set(3, start + 2s);
  EXPECT_EQ(timers.next(), start + 1s);
  EXPECT_EQ(timers.overdue(start), 0U);
  EXPECT_EQ(timers.overdue(start + 1s), 1U);
  const auto due = timers.due(start + 2s);
  ASSERT_EQ(due.size(), 2U);
  EXPECT_EQ(due[0].pipeline, 2);
  EXPECT_EQ(due[1].pipeline, 3);
  timers.set(2, start + 10s);
  timers.set(3, std::nullopt);
  timers.set(4, std::nullopt);
  EXPECT_EQ(timers.next(), start + 3s);
  EXPECT_EQ(timers.overdue(start + 1h), 2U);
}

TEST(EngineStats, TellOfTurnsQueueAndTimers) {
  ScriptedExecutor executor;
  engine::EngineOptions options;
  options.capacity = 1;
  EngineHarness harness(executor, cache::MountMode::copy, options);
  PlanBuilder plan;
  plan.add("one", 0);
  plan.add("two", 0);
  auto& late = plan.add("late", 0);
  late.when = pipelines::When::delayed;
  late.start_in = 20ms;
  EXPECT_EQ(harness.run(plan.plan()).status, JobStatus::success);
  const engine::EngineStats stats = harness.engine().stats();
  EXPECT_EQ(stats.queued.count, 3U);
  EXPECT_GE(stats.turns.count, 3U);
  EXPECT_EQ(stats.lag.count, 1U);
  EXPECT_EQ(stats.timers_overdue, 0U);
  EXPECT_EQ(harness.engine().since_step(), std::nullopt);
}

TEST(EngineStats, TheObserverHearsOfEachStatusOfAPipelineOnce) {
  std::map<std::string, ScriptedSandbox> script;
  script["bad"].steps["script"].end = executors::Exited{1};
  ScriptedExecutor executor(script);
  EngineHarness harness(executor);
  PlanBuilder plan;
  plan.add("bad", 0);
  engine::PipelineRequest request = harness.request(plan.plan());
  request.facts.project_path = "shop";
  EXPECT_EQ(harness.run(std::move(request)).status, JobStatus::failed);
  const auto told = harness.observer().pipelines();
  ASSERT_FALSE(told.empty());
  std::vector<JobStatus> news;
  for (const engine::PipelineView& view : told) {
    EXPECT_EQ(view.project, "shop");
    EXPECT_EQ(view.id, harness.pipeline());
    if (view.changed) news.push_back(view.status);
  }
  EXPECT_EQ(std::count(news.begin(), news.end(), JobStatus::running), 1);
  EXPECT_EQ(std::count(news.begin(), news.end(), JobStatus::failed), 1);
  EXPECT_EQ(news.back(), JobStatus::failed);
  EXPECT_TRUE(told.back().started_at);
  EXPECT_GE(told.back().finished_at, told.back().started_at);
  EXPECT_EQ(harness.job("bad").project, "shop");
}

}  // namespace
}  // namespace runner::test
