// What Prometheus' own checker says of /metrics, while jobs run and after all kinds of ends.
#include <gmock/gmock.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

TEST(Metrics, AreAsPrometheusWantsThem) {
  if (::access("/usr/bin/promtool", X_OK) != 0) GTEST_SKIP() << "there is no promtool; install prometheus";
  PushedRepository repository;
  ServerProgram server(repository.top() / "data");
  const std::string gate = (repository.top() / "gate").native();
  repository.write(".gitlab-ci.yml",
                   "stages: [a, b, c]\ngood: {stage: a, script: ['mkdir out', 'echo x > out/x'], artifacts: "
                   "{paths: [out]}}\n"
                   "bad: {stage: a, script: ['exit 3'], retry: 1, allow_failure: true}\n"
                   "slow: {stage: a, script: ['sleep 100'], timeout: 1 second, allow_failure: true}\n"
                   "gated: {stage: b, script: ['while [ ! -e " +
                       gate +
                       " ]; do sleep 0.05; done']}\n"
                       "last: {stage: c, script: ['exit 1']}\n");
  server.start();
  repository.push("here");
  server.api("POST", "/projects",
             {{"name", "shop"}, {"url", repository.path()}, {"poll_interval_seconds", 1}});
  server.ask("GET", "/nowhere");
  const auto check = [&] {
    const std::string text = server.ask("GET", "/metrics").body;
    write_file_atomic(repository.top() / "page", text, 0600, false);
    const auto checked = http::testing::run_command("promtool check metrics < " +
                                                    shell_quote((repository.top() / "page").native()));
    EXPECT_EQ(checked.code, 0) << text;
    EXPECT_EQ(checked.output, "") << text;
  };
  check();
  server.wait_until("a job that runs behind others that ended", [&] {
    return server.metric("runner_jobs_running") == 1 && server.metric("runner_job_timeouts_total") == 1;
  });
  check();
  EXPECT_EQ(server.metric("runner_ready"), 1);
  EXPECT_EQ(server.metric("runner_job_retries_total"), 1);
  write_file_atomic(gate, "");
  server.wait_for(1);
  // Told once more when its archive was there, and counted once.
  server.wait_until("all jobs", [&] { return server.metric("runner_jobs_running") == 0; });
  EXPECT_EQ(server.metric("runner_jobs_total{failure_reason=\"\",status=\"success\"}"), 2);
  EXPECT_EQ(server.metric("runner_jobs_total{failure_reason=\"script_failure\",status=\"failed\"}"), 2);
  EXPECT_EQ(server.metric("runner_jobs_total{failure_reason=\"job_execution_timeout\",status=\"failed\"}"),
            1);
  EXPECT_EQ(server.metric("runner_job_duration_seconds_count"), 5);
  EXPECT_EQ(server.metric("runner_job_duration_seconds_bucket{le=\"+Inf\"}"), 5);
  EXPECT_GT(server.metric("runner_log_lines_total{level=\"info\"}"), 0);
  EXPECT_EQ(server.metric("runner_log_dropped_total"), 0);
  EXPECT_GT(server.metric("runner_db_size_bytes"), 4096);
  EXPECT_GT(server.metric("runner_http_requests_total{code=\"404\",method=\"GET\"}"), 0);
  check();
}

}  // namespace
}  // namespace runner::test
