// An engine that serves more pipelines than will have room soon: those that wait are in the store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <set>
#include <thread>

#include "runner/base/error.h"
#include "runner/engine/stored_pipeline.h"
#include "tests/engine/engine_harness.h"
#include "tests/support/scripted_executor.h"

namespace runner::test {
namespace {

using pipelines::JobStatus;
using ::testing::IsEmpty;

/// Runs one job at a time, of pipelines that have one.
class WaitingPipelines : public ::testing::Test {
 protected:
  static engine::EngineOptions options() {
    engine::EngineOptions options;
    options.capacity = 1;
    options.durable = true;
    return options;
  }

  WaitingPipelines() : executor_(gated()), harness_(executor_, cache::MountMode::copy, options()) {
    harness_.observer().on_change = [this](const engine::JobView& job) {
      const std::lock_guard lock(mutex_);
      statuses_[job.name] = job.status;
      changed_.notify_all();
    };
  }

  /// The first job runs until release("gate").
  static std::map<std::string, ScriptedSandbox> gated() {
    std::map<std::string, ScriptedSandbox> script;
    script["first"].steps["script"].until = "gate";
    return script;
  }

  engine::PipelineRequest request(const std::string& name, int priority) const {
    PlanBuilder plan;
    plan.add(name, 0);
    engine::PipelineRequest request = harness_.request(plan.plan());
    request.scope = "shop";
    request.priority = priority;
    return request;
  }

  std::int64_t create(const std::string& name, int priority = 0) {
    const std::int64_t id = harness_.engine().create(request(name, priority));
    const std::lock_guard lock(mutex_);
    made_[id] = {name, priority};
    return id;
  }

  std::optional<engine::StoredPipeline> load(std::int64_t id) {
    if (broken_) {
      ++refusals_;
      throw Error(ErrorCode::unavailable, "the disk is away");
    }
    engine::StoredPipeline stored;
    harness_.store().read([&](storage::Tx& tx) {
      stored = engine::load_pipeline(tx, id, [](const cache::EntryName&, std::string&) {
        return std::shared_ptr<const cache::Entry>();
      });
    });
    const std::lock_guard lock(mutex_);
    stored.request = request(made_.at(id).first, made_.at(id).second);
    return stored;
  }

  void serve() {
    server_ = std::jthread([this](const std::stop_token& stop) {
      engine::ServeOptions serve;
      serve.reload = [this](std::int64_t id) { return load(id); };
      serve.retry_after = std::chrono::milliseconds(1);
      harness_.engine().serve(stop, serve);
    });
  }

  /// Blocks until `condition` of the statuses holds.
  template <typename Condition>
  void wait_until(const Condition& condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return condition(statuses_); });
  }
  void wait_for(const std::string& job, JobStatus status) {
    wait_until([&](const auto& all) {
      const auto found = all.find(job);
      return found != all.end() && found->second == status;
    });
  }

  bool in_memory(std::int64_t id) {
    try {
      harness_.engine().jobs(id);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  std::vector<std::string> started() const {
    std::vector<std::string> names;
    for (const std::string& call : executor_.calls())
      if (call.starts_with("prepare ")) names.push_back(call.substr(8));
    return names;
  }

  ScriptedExecutor executor_;
  EngineHarness harness_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, JobStatus> statuses_;
  std::map<std::int64_t, std::pair<std::string, int>> made_;
  std::atomic<bool> broken_{false};
  std::atomic<int> refusals_{0};
  std::jthread server_;
};

std::size_t ended(const std::map<std::string, JobStatus>& statuses) {
  std::size_t count = 0;
  for (const auto& [name, status] : statuses) count += is_completed(status) ? 1U : 0U;
  return count;
}

TEST_F(WaitingPipelines, RunInOrderThoughFewOfThemAreInMemory) {
  std::vector<std::int64_t> ids{create("first")};
  std::vector<std::string> expected{"first", "urgent"};
  serve();
  wait_for("first", JobStatus::running);
  for (int i = 0; i < 200; ++i) {
    const std::string name = "job" + std::to_string(i);
    ids.push_back(create(name));
    if (i != 150) expected.push_back(name);
  }
  ids.push_back(create("urgent", 7));
  wait_for("urgent", JobStatus::pending);
  // One that is in the store only; and the turn after all others were let go of.
  harness_.engine().cancel_stored(ids[151]);
  wait_for("job150", JobStatus::canceled);
  EXPECT_LT(std::count_if(ids.begin(), ids.end(), [this](std::int64_t id) { return in_memory(id); }), 80);
  EXPECT_TRUE(in_memory(ids[1]));
  EXPECT_TRUE(in_memory(ids.back()));
  EXPECT_FALSE(in_memory(ids[199]));
  executor_.release("gate");
  wait_until([](const auto& all) { return ended(all) == 202; });
  EXPECT_EQ(started(), expected);
  server_ = {};
  EXPECT_THAT(executor_.violations(), IsEmpty());
}

TEST_F(WaitingPipelines, AreReadWhenTheStoreAnswersAgain) {
  create("first");
  serve();
  wait_for("first", JobStatus::running);
  std::vector<std::string> expected{"first"};
  for (int i = 0; i < 100; ++i) {
    expected.push_back("job" + std::to_string(i));
    create(expected.back());
  }
  wait_for("job99", JobStatus::pending);
  broken_ = true;
  executor_.release("gate");
  wait_for("job63", JobStatus::success);  // the last one in memory
  EXPECT_GT(refusals_, 0);
  broken_ = false;
  wait_until([](const auto& all) { return ended(all) == 101; });
  EXPECT_EQ(started(), expected);
}

}  // namespace
}  // namespace runner::test
