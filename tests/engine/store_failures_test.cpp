// An engine whose store cannot be written for a while.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "runner/engine/stored_pipeline.h"
#include "runner/storage/tables.h"
#include "tests/engine/engine_harness.h"
#include "tests/support/failing_database.h"
#include "tests/support/scripted_executor.h"

namespace runner::test {
namespace {

using pipelines::JobStatus;

TEST(StoreFailures, WhatPeopleAskForMeanwhileIsDoneLaterAndInOrder) {
  std::atomic<bool> away{false};
  const SystemClock clock;
  engine::EngineOptions options;
  options.capacity = 1;
  options.durable = true;
  ScriptedExecutor executor;
  EngineHarness harness(executor, cache::MountMode::copy, options,
                        std::make_unique<storage::Store>(std::make_unique<FailingDatabase>(away), clock));
  // More jobs than the engine has ids of attempts at hand.
  constexpr std::size_t kJobs = 100;
  PlanBuilder plan;
  for (std::size_t i = 0; i < kJobs; ++i) {
    pipelines::PlanJob& job = plan.add("job" + std::to_string(i), 0);
    if (i == 0) continue;
    job.when = pipelines::When::delayed;
    job.start_in = std::chrono::hours(1);
  }
  const auto request = [&] { return harness.request(plan.plan()); };

  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::size_t, engine::JobView> jobs;
  std::set<std::string> troubles;
  const auto wait_until = [&](const auto& condition) {
    std::unique_lock lock(mutex);
    changed.wait(lock, condition);
  };
  harness.observer().on_change = [&](const engine::JobView& job) {
    const std::lock_guard lock(mutex);
    jobs[job.index] = job;
    changed.notify_all();
  };
  engine::Engine& engine = harness.engine();
  const std::int64_t pipeline = engine.create(request());
  const std::jthread server([&](const std::stop_token& stop) {
    engine::ServeOptions serve;
    serve.retry_after = std::chrono::milliseconds(1);
    serve.on_store = [&](const std::string& trouble) {
      const std::lock_guard lock(mutex);
      troubles.insert(trouble);
      changed.notify_all();
    };
    serve.reload = [&](std::int64_t id) {
      engine::StoredPipeline stored;
      harness.store().read([&](storage::Tx& tx) {
        stored = engine::load_pipeline(tx, id, [](const cache::EntryName&, std::string&) {
          return std::shared_ptr<const cache::Entry>();
        });
      });
      stored.request = request();
      return stored;
    };
    engine.serve(stop, serve);
  });
  const auto all_are = [&](JobStatus status, std::size_t from) {
    return [&jobs, status, from] {
      for (std::size_t job = from; job < kJobs; ++job)
        if (!jobs.contains(job) || jobs[job].status != status) return false;
      return true;
    };
  };
  wait_until([&] { return jobs[0].status == JobStatus::success && all_are(JobStatus::scheduled, 1)(); });
  engine.cancel_stored(pipeline);
  wait_until(all_are(JobStatus::canceled, 1));

  away = true;
  engine.play_stored(pipeline, 0);
  wait_until([&] { return !troubles.empty(); });
  engine.retry(pipeline);
  engine.cancel_stored(pipeline);
  away = false;
  wait_until([&] { return troubles.contains(""); });
  std::vector<storage::JobRecord> attempts;
  const auto settled = [&] {
    harness.store().read([&](storage::Tx& tx) { attempts = storage::Jobs(tx).of_pipeline(pipeline); });
    return attempts.size() == 2 * kJobs && std::all_of(attempts.begin(), attempts.end(), [](const auto& one) {
             return is_completed(one.status);
           });
  };
  // Each change of the last one was told after it was stored.
  wait_until(settled);
  for (const storage::JobRecord& attempt : attempts) {
    if (attempt.plan_index != 0) {
      EXPECT_EQ(attempt.status, JobStatus::canceled) << attempt.name << " #" << attempt.attempt;
    }
  }
}

}  // namespace
}  // namespace runner::test
