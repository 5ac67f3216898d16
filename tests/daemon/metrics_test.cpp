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
                   "stages: [a, b, c]\ngood: {stage: a, cache: {key: k, paths: [dep]}, script: ['mkdir out', "
                   "'echo x > out/x'], artifacts: "
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
  const auto ended = [&](const std::string& status, const std::string& failure) {
    return server.metric("runner_jobs_total{failure_reason=\"" + failure + "\",project=\"shop\",status=\"" +
                         status + "\"}");
  };
  EXPECT_EQ(ended("success", ""), 2);
  EXPECT_EQ(ended("failed", "script_failure"), 2);
  EXPECT_EQ(ended("failed", "job_execution_timeout"), 1);
  EXPECT_EQ(server.metric("runner_job_duration_seconds_count"), 5);
  EXPECT_EQ(server.metric("runner_job_duration_seconds_bucket{le=\"+Inf\"}"), 5);
  EXPECT_GT(server.metric("runner_log_lines_total{level=\"info\"}"), 0);
  EXPECT_EQ(server.metric("runner_log_dropped_total"), 0);
  EXPECT_GT(server.metric("runner_db_size_bytes"), 4096);
  EXPECT_EQ(server.metric("runner_http_requests_total{code=\"404\",method=\"GET\",route=\"other\"}"), 1);
  EXPECT_EQ(
      server.metric("runner_http_requests_total{code=\"201\",method=\"POST\",route=\"/api/v1/projects\"}"),
      1);
  EXPECT_EQ(server.metric("runner_pipelines_total{project=\"shop\",status=\"failed\"}"), 1);
  EXPECT_EQ(server.metric("runner_pipeline_duration_seconds_count"), 1);
  EXPECT_EQ(server.metric("runner_pipelines_running"), 0);
  // Each attempt waited for its place.
  EXPECT_EQ(server.metric("runner_job_queue_duration_seconds_count"), 6);
  EXPECT_GT(server.metric("runner_scheduler_loop_duration_seconds_count"), 5);
  EXPECT_GT(server.metric("runner_db_commit_duration_seconds_count"), 5);
  EXPECT_EQ(server.metric("runner_db_errors_total"), 0);
  EXPECT_EQ(server.metric("runner_timers_overdue"), 0);
  server.wait_until("an archive", [&] { return server.metric("runner_artifacts_bytes") > 0; });
  EXPECT_EQ(server.metric("runner_cache_misses_total"), 1);
  EXPECT_EQ(server.metric("runner_cache_hits_total"), 0);
  EXPECT_EQ(server.metric("runner_http_requests_in_flight"), 1) << "the one that asks";
  EXPECT_GT(server.metric("runner_auth_attempts_total{method=\"socket\",result=\"success\"}"), 0);
  EXPECT_EQ(server.metric("runner_permission_denied_total{permission=\"manage_roles\"}"), 0);
  EXPECT_EQ(server.metric("runner_config_last_reload_success"), 1);
  EXPECT_GT(server.metric("runner_config_last_reload_timestamp_seconds"), 0);
  check();
}

TEST(Metrics, CountAPipelineWhoseFileIsWrong) {
  PushedRepository repository;
  ServerProgram server(repository.top() / "data");
  repository.write(".gitlab-ci.yml", "job: {scrypt: [x]}\n");
  server.start();
  repository.push("here");
  server.api("POST", "/projects",
             {{"name", "shop"}, {"url", repository.path()}, {"poll_interval_seconds", 1}});
  server.wait_until("a failed pipeline", [&] {
    return server.metric("runner_pipelines_total{project=\"shop\",status=\"failed\"}") == 1;
  });
  EXPECT_EQ(server.metric("runner_pipeline_duration_seconds_count"), 0);
}

TEST(Health, OfARunningServerIsWhole) {
  PushedRepository repository;
  ServerProgram server(repository.top() / "data");
  server.start();
  server.wait_until("a look at the database", [&] {
    return !nlohmann::json::parse(server.ask("GET", "/healthz").body).at("checked_at").is_null();
  });
  const auto answer = server.ask("GET", "/healthz?verbose");
  EXPECT_EQ(answer.status, 200);
  const auto page = nlohmann::json::parse(answer.body);
  EXPECT_EQ(page.at("status"), "ok") << page.dump(2);
  for (const char* name :
       {"event_loop", "scheduler", "database", "migrations", "disk", "key", "repositories"})
    EXPECT_EQ(page.at("checks").at(name).at("status"), "pass") << page.dump(2);
  EXPECT_GT(page.at("checks").at("migrations").at("schema").get<int>(), 3);
  EXPECT_FALSE(page.at("checks").at("key").at("key_id").get<std::string>().empty());
  EXPECT_LT(page.at("checks").at("event_loop").at("age_seconds").get<double>(), 60);
  EXPECT_TRUE(nlohmann::json::parse(server.ask("GET", "/healthz").body).at("checks").empty());
  EXPECT_EQ(server.ask("GET", "/livez").body.substr(0, 14), "ok: the engine");
  EXPECT_EQ(server.ask("GET", "/readyz").body, "ok\n");
  EXPECT_EQ(server.ask("GET", "/readyz?exclude=nothing").status, 422);

  std::filesystem::rename(server.data() / "secrets" / "data.key", server.data() / "away");
  server.wait_until("a key that is missed", [&] {
    return nlohmann::json::parse(server.ask("GET", "/healthz").body).at("status") == "degraded";
  });
  EXPECT_EQ(server.ask("GET", "/readyz").status, 200);
  EXPECT_EQ(nlohmann::json::parse(server.ask("GET", "/healthz?exclude=key").body).at("status"), "ok");
}

}  // namespace
}  // namespace runner::test
