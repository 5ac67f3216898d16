// A server with many jobs that wait. RUNNER_TEST_JOBS in the environment says how many; what was measured is
// printed.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kJobsOfAPipeline = 100;  // most pipelines stay in the store

double since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int pipelines_wanted() {
  const char* text = std::getenv("RUNNER_TEST_JOBS");
  const auto jobs = text == nullptr ? std::nullopt : parse_integer(text);
  return std::max(1, static_cast<int>(jobs.value_or(3000)) / kJobsOfAPipeline);
}

TEST(Backlog, OfManyJobsIsReadBackWorkedThroughAndCanceled) {
  const int wanted = pipelines_wanted();
  PushedRepository repository;
  ServerProgram server(repository.top() / "data");
  server.patience = std::chrono::seconds(60 + 3 * wanted);
  server.options = {"--jobs", "4", "--log-level", "warn"};
  const fs::path ran = repository.top() / "ran", gate = repository.top() / "gate";
  std::string file = ".line: {script: ['while [ ! -e " + gate.native() +
                     " ]; do sleep 0.1; done; echo $CI_JOB_ID >> " + ran.native() + "']}\n";
  for (int job = 0; job < kJobsOfAPipeline; ++job)
    file += "job" + std::to_string(job) + ": {extends: .line}\n";
  repository.write(".gitlab-ci.yml", file);
  repository.push("here");
  // Each pipeline is of a branch: no newer one cancels it.
  for (int branch = 0; branch < wanted; ++branch) {
    const std::string name = "b" + std::to_string(branch);
    repository.run("git commit -q --allow-empty -m " + name + " && git branch " + name);
  }
  repository.run("git push -q here 'refs/heads/b*:refs/heads/b*'");
  server.start();
  auto begin = std::chrono::steady_clock::now();
  server.api(
      "POST", "/projects",
      {{"name", "shop"}, {"url", repository.path()}, {"branches", {"b*"}}, {"poll_interval_seconds", 600}});
  const auto count = [&] { return server.metric("runner_pipelines_created_total"); };
  server.wait_until("all pipelines", [&] { return count() == wanted; });
  const double made = since(begin);
  const double all = static_cast<double>(wanted) * kJobsOfAPipeline;
  server.wait_until("all jobs on offer", [&] {
    return server.metric("runner_jobs_pending") + server.metric("runner_jobs_running") == all;
  });
  const double memory_at_first = server.metric("process_resident_memory_bytes");

  // Another server takes over.
  server.kill();
  begin = std::chrono::steady_clock::now();
  server.start();
  const double start = since(begin);
  begin = std::chrono::steady_clock::now();
  EXPECT_EQ(server.ask("GET", "/readyz").status, 200);
  const double ready = since(begin);
  begin = std::chrono::steady_clock::now();
  EXPECT_EQ(server.get("/projects/shop/pipelines").at("items").size(),
            static_cast<std::size_t>(std::min(20, wanted)));
  const double list = since(begin);
  begin = std::chrono::steady_clock::now();
  EXPECT_EQ(server.get("/pipelines/1").at("jobs").size(), static_cast<std::size_t>(kJobsOfAPipeline));
  const double show = since(begin);
  server.wait_until("all jobs on offer again", [&] {
    return server.metric("runner_jobs_pending") + server.metric("runner_jobs_running") == all;
  });
  const double memory = server.metric("process_resident_memory_bytes");

  // A sample of them runs.
  const char* const ended_well = "runner_jobs_total{failure_reason=\"\",project=\"shop\",status=\"success\"}";
  begin = std::chrono::steady_clock::now();
  write_file_atomic(gate, "");
  server.wait_until("a hundred jobs that ran", [&] { return server.metric(ended_well) >= 100; });
  const double rate = server.metric(ended_well) / since(begin);

  // All others are canceled; the first pipelines may have ended.
  begin = std::chrono::steady_clock::now();
  for (int pipeline = 1; pipeline <= wanted; ++pipeline) {
    const auto told = server.ask("POST", "/api/v1/pipelines/" + std::to_string(pipeline) + "/cancel");
    EXPECT_TRUE(told.status < 300 || told.status == 409) << told.body;
  }
  server.wait_until("the end of all", [&] {
    return server.metric("runner_jobs_pending") + server.metric("runner_jobs_running") == 0;
  });
  const double cancel = since(begin);
  std::printf(
      "%.0f jobs: made in %.1f s (%.0f/s); start %.2f s, /readyz %.4f s, list %.3f s, pipeline of %d jobs "
      "%.3f s, "
      "%.0f MB before and %.0f MB after the start, %.1f jobs/s, canceled in %.1f s (%.0f/s)\n",
      all, made, all / made, start, ready, list, kJobsOfAPipeline, show, memory_at_first / 1e6, memory / 1e6,
      rate, cancel, all / cancel);

  // Each that ran did so once, and each that is green ran.
  std::set<std::string> ids;
  const std::string lines = read_file(ran).value_or("");
  for (const std::string_view line : split(std::string_view(lines), '\n')) {
    if (line.empty()) continue;
    EXPECT_TRUE(ids.insert(std::string(line)).second) << line;
  }
  std::size_t green = 0, canceled = 0;
  for (const json& pipeline : server.wait_for(static_cast<std::size_t>(wanted))) {
    for (const json& job : pipeline.at("jobs")) {
      const bool good = job.at("status") == "success";
      EXPECT_TRUE(!good || ids.contains(std::to_string(job.at("id").get<std::int64_t>()))) << job.dump(2);
      green += good ? 1U : 0U;
      canceled += job.at("status") == "canceled" ? 1U : 0U;
    }
  }
  EXPECT_EQ(green + canceled, static_cast<std::size_t>(all));
  EXPECT_GE(green, 100U);
  EXPECT_EQ(server.ask("GET", "/readyz").status, 200);
}

}  // namespace
}  // namespace runner::test
