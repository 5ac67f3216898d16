// Several pipelines on one engine: what they share is room and resource groups.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/engine/engine_harness.h"
#include "tests/support/scripted_executor.h"

namespace runner::test {
namespace {

using pipelines::JobStatus;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

engine::EngineOptions with_room(std::size_t capacity) {
  engine::EngineOptions options;
  options.capacity = capacity;
  return options;
}

/// Makes a pipeline of `jobs` independent jobs, named PREFIX0, PREFIX1 ...
engine::PipelineRequest flat(const EngineHarness& harness, const std::string& prefix, int jobs,
                             const std::string& project) {
  PlanBuilder plan;
  for (int i = 0; i < jobs; ++i) plan.add(prefix + std::to_string(i), 0);
  engine::PipelineRequest request = harness.request(plan.plan());
  request.scope = project;
  return request;
}

std::vector<std::string> started_jobs(const ScriptedExecutor& executor) {
  std::vector<std::string> names;
  for (const std::string& call : executor.calls())
    if (call.starts_with("prepare ")) names.push_back(call.substr(8));
  return names;
}

TEST(ManyPipelines, ShareTheRoomFairly) {
  ScriptedExecutor executor;
  EngineHarness harness(executor, cache::MountMode::copy, with_room(1));
  const std::int64_t big = harness.engine().create(flat(harness, "big", 6, "big"));
  const std::int64_t small = harness.engine().create(flat(harness, "small", 2, "small"));
  EXPECT_EQ(harness.engine().run(big).status, JobStatus::success);
  EXPECT_EQ(harness.engine().run(small).status, JobStatus::success);
  EXPECT_THAT(started_jobs(executor),
              ElementsAre("big0", "small0", "big1", "small1", "big2", "big3", "big4", "big5"));
  EXPECT_THAT(executor.violations(), IsEmpty());
  EXPECT_THAT(harness.leftovers(), IsEmpty());
}

TEST(ManyPipelines, OfMorePriorityGoFirstWithinAProject) {
  ScriptedExecutor executor;
  EngineHarness harness(executor, cache::MountMode::copy, with_room(1));
  const std::int64_t first = harness.engine().create(flat(harness, "night", 3, "shop"));
  auto urgent = flat(harness, "urgent", 2, "shop");
  urgent.priority = 10;
  const std::int64_t second = harness.engine().create(std::move(urgent));
  harness.engine().run(first);
  harness.engine().run(second);
  EXPECT_THAT(started_jobs(executor), ElementsAre("urgent0", "urgent1", "night0", "night1", "night2"));
}

TEST(ManyPipelines, HaveNoMoreRoomThanTheirExecutors) {
  ScriptedExecutor executor;
  engine::EngineOptions options = with_room(4);
  options.executor_capacity = {{"container", 1}};
  EngineHarness harness(executor, cache::MountMode::copy, options);
  std::mutex mutex;
  std::size_t running = 0, most = 0;
  std::map<std::string, JobStatus> last;
  harness.observer().on_change = [&](const engine::JobView& job) {
    const std::lock_guard lock(mutex);
    const bool ran = std::exchange(last[job.name], job.status) == JobStatus::running;
    if (!job.name.starts_with("in")) return;
    if (job.status == JobStatus::running && !ran) most = std::max(most, ++running);
    if (job.status != JobStatus::running && ran) --running;
  };
  auto request = flat(harness, "in", 5, "shop");
  for (std::size_t job = 0; job < 5; ++job) request.executors[job] = "container";
  const std::int64_t inside = harness.engine().create(std::move(request));
  const std::int64_t outside = harness.engine().create(flat(harness, "out", 3, "shop"));
  EXPECT_EQ(harness.engine().run(inside).status, JobStatus::success);
  EXPECT_EQ(harness.engine().run(outside).status, JobStatus::success);
  EXPECT_EQ(most, 1U);
  // Those of the shell did not wait for them.
  const auto started = started_jobs(executor);
  EXPECT_LT(std::find(started.begin(), started.end(), "out2"),
            std::find(started.begin(), started.end(), "in4"));
}

/// A pipeline whose one job needs the resource group.
engine::PipelineRequest deployment(const EngineHarness& harness, const std::string& name,
                                   const std::string& project) {
  PlanBuilder plan;
  plan.add(name, 0).resource_group = "production";
  engine::PipelineRequest request = harness.request(plan.plan());
  request.scope = project;
  return request;
}

TEST(ManyPipelines, ShareTheResourceGroupsOfTheirProject) {
  std::map<std::string, ScriptedSandbox> script;
  script["one"].steps["script"].until = "gate";
  ScriptedExecutor executor(script);
  EngineHarness harness(executor, cache::MountMode::copy, with_room(4));
  // "two" waits for "one", "other" is of another project and does not.
  std::mutex mutex;
  std::set<std::string> seen;
  harness.observer().on_change = [&](const engine::JobView& job) {
    const std::lock_guard lock(mutex);
    if (job.name == "two" && job.status == JobStatus::waiting_for_resource) seen.insert("two waits");
    if (job.name == "two" && job.status == JobStatus::running) seen.insert("two runs");
    if (job.name == "other" && job.status == JobStatus::success) seen.insert("other ended");
    if (seen.contains("two waits") && seen.contains("other ended")) {
      EXPECT_FALSE(seen.contains("two runs") && !seen.contains("released"));
      seen.insert("released");
      executor.release("gate");
    }
  };
  const std::int64_t one = harness.engine().create(deployment(harness, "one", "shop"));
  const std::int64_t two = harness.engine().create(deployment(harness, "two", "shop"));
  const std::int64_t other = harness.engine().create(deployment(harness, "other", "mail"));
  EXPECT_EQ(harness.engine().run(one).status, JobStatus::success);
  EXPECT_EQ(harness.engine().run(two).status, JobStatus::success);
  EXPECT_EQ(harness.engine().run(other).status, JobStatus::success);
  EXPECT_THAT(seen, ElementsAre("other ended", "released", "two runs", "two waits"));
  const std::vector<std::string> calls = executor.calls();
  const auto at = [&](const std::string& call) { return std::find(calls.begin(), calls.end(), call); };
  EXPECT_LT(at("destroy one"), at("prepare two"));
}

TEST(ManyPipelines, AResourceGroupIsHandedOnAsItsModeSays) {
  for (const auto& [mode, order] : std::map<engine::ResourceMode, std::vector<std::string>>{
           {engine::ResourceMode::unordered, {"one", "two", "three"}},
           {engine::ResourceMode::newest_ready_first, {"one", "three", "two"}}}) {
    std::map<std::string, ScriptedSandbox> script;
    script["one"].steps["script"].until = "gate";
    ScriptedExecutor executor(script);
    EngineHarness harness(executor, cache::MountMode::copy, with_room(4));
    std::mutex mutex;
    std::set<std::string> waiting;
    harness.observer().on_change = [&](const engine::JobView& job) {
      const std::lock_guard lock(mutex);
      if (job.status == JobStatus::waiting_for_resource) waiting.insert(job.name);
      if (waiting.size() == 2) executor.release("gate");
    };
    harness.engine().set_resource_mode({"shop", "production"}, mode);
    std::map<std::string, std::int64_t> pipelines;
    for (const char* name : {"one", "two", "three"})
      pipelines[name] = harness.engine().create(deployment(harness, name, "shop"));
    // One that waits for the group is idle: run() goes on until it has its turn only when it has the group.
    for (const std::string& name : order) harness.engine().run(pipelines[name]);
    EXPECT_EQ(started_jobs(executor), order) << to_string(mode);
  }
}

TEST(ManyPipelines, ACanceledOneGivesUpItsPlaceInTheQueueAndInTheGroup) {
  std::map<std::string, ScriptedSandbox> script;
  script["holder"].steps["script"].until = "gate";
  ScriptedExecutor executor(script);
  EngineHarness harness(executor, cache::MountMode::copy, with_room(1));
  const std::int64_t holder = harness.engine().create(deployment(harness, "holder", "shop"));
  const std::int64_t canceled = harness.engine().create(deployment(harness, "canceled", "shop"));
  const std::int64_t queued = harness.engine().create(flat(harness, "queued", 2, "shop"));
  const std::int64_t last = harness.engine().create(deployment(harness, "last", "shop"));
  harness.observer().on_change = [&](const engine::JobView& job) {
    if (job.name == "holder" && job.status == JobStatus::running) {
      harness.engine().cancel(canceled);
      harness.engine().cancel(queued);
    }
    if (job.name == "queued1" && job.status == JobStatus::canceled) executor.release("gate");
  };
  EXPECT_EQ(harness.engine().run(holder).status, JobStatus::success);
  EXPECT_EQ(harness.engine().run(canceled).status, JobStatus::canceled);
  EXPECT_EQ(harness.engine().run(queued).status, JobStatus::canceled);
  EXPECT_EQ(harness.engine().run(last).status, JobStatus::success);
  EXPECT_THAT(started_jobs(executor), ElementsAre("holder", "last"));
}

}  // namespace
}  // namespace runner::test
