// What is counted of jobs, pipelines and requests, and how /metrics tells it.
#include "runner/daemon/metrics_page.h"

#include <gmock/gmock.h>

#include <thread>

#include "runner/daemon/request_counts.h"

namespace runner::daemon {
namespace {

using pipelines::FailureReason;
using pipelines::JobStatus;
using testing::HasSubstr;
using testing::Not;

TimePoint at(int seconds) {
  return TimePoint(std::chrono::seconds(seconds));
}

engine::JobView job(JobStatus status, int attempt = 1) {
  engine::JobView view;
  view.pipeline = 1;
  view.project = "shop";
  view.name = "build";
  view.status = status;
  view.attempt = attempt;
  view.started_at = at(10);
  if (is_completed(status)) view.finished_at = at(40);
  return view;
}

engine::PipelineView pipeline(std::int64_t id, JobStatus status, bool changed = true) {
  engine::PipelineView view;
  view.id = id;
  view.project = "shop";
  view.status = status;
  view.changed = changed;
  view.started_at = at(10);
  if (is_completed(status)) view.finished_at = at(100);
  return view;
}

/// The number of a line of a page; -1 when there is none.
double number(const std::string& page, const std::string& sample) {
  const std::size_t found = ("\n" + page).find("\n" + sample + " ");
  return found == std::string::npos ? -1 : std::strtod(page.c_str() + found + sample.size() + 1, nullptr);
}

TEST(JobCounts, AnAttemptCountsOnceHoweverOftenItIsTold) {
  JobCounts counts;
  counts.job_changed(job(JobStatus::pending));
  EXPECT_EQ(counts.numbers().pending, 1);
  counts.job_changed(job(JobStatus::running));
  EXPECT_EQ(counts.numbers().pending, 0);
  EXPECT_EQ(counts.numbers().running, 1);
  engine::JobView failed = job(JobStatus::failed);
  failed.failure = FailureReason::job_execution_timeout;
  counts.job_changed(failed);
  counts.job_changed(failed);
  JobCounts::Numbers numbers = counts.numbers();
  EXPECT_EQ(numbers.running, 0);
  EXPECT_EQ((numbers.ended[{"shop", "failed", "job_execution_timeout"}]), 1U);
  EXPECT_EQ(numbers.timeouts, 1U);
  EXPECT_EQ(numbers.durations.count, 1U);
  EXPECT_EQ(numbers.durations.sum.count(), 30);
  // Once more, by a person.
  counts.job_changed(job(JobStatus::running, 2));
  counts.job_changed(job(JobStatus::success, 2));
  numbers = counts.numbers();
  EXPECT_EQ(numbers.retries, 1U);
  EXPECT_EQ((numbers.ended[{"shop", "success", ""}]), 1U);
}

TEST(JobCounts, ArchivesAddToWhatWasMeasuredUntilItIsMeasuredAgain) {
  JobCounts counts;
  counts.archives_measured(1000);
  engine::JobView done = job(JobStatus::success);
  counts.job_changed(done);
  done.archive.emplace().bytes = 20;
  done.reports.emplace().bytes = 3;
  counts.job_changed(done);
  counts.job_changed(done);
  EXPECT_EQ(counts.numbers().archive_bytes, 1023U);
  EXPECT_EQ((counts.numbers().ended[{"shop", "success", ""}]), 1U);
  counts.archives_measured(500);
  EXPECT_EQ(counts.numbers().archive_bytes, 500U);
}

TEST(JobCounts, PipelinesCountWhenTheyChangeAndNotWhenTheyAreOnlyTold) {
  JobCounts counts;
  counts.pipeline_changed(pipeline(1, JobStatus::running));
  counts.pipeline_changed(pipeline(2, JobStatus::running, false));  // of the daemon before
  EXPECT_EQ(counts.numbers().pipelines_running, 2U);
  counts.pipeline_changed(pipeline(1, JobStatus::failed));
  counts.pipeline_changed(pipeline(1, JobStatus::failed, false));  // brought back for a message
  counts.pipeline_changed(pipeline(2, JobStatus::manual));
  JobCounts::Numbers numbers = counts.numbers();
  EXPECT_EQ(numbers.pipelines_running, 0U);
  EXPECT_EQ((numbers.pipelines_ended[{"shop", "failed"}]), 1U);
  EXPECT_EQ(numbers.pipelines_ended.size(), 1U);
  EXPECT_EQ(numbers.pipeline_durations.count, 1U);
  EXPECT_EQ(numbers.pipeline_durations.sum.count(), 90);
  storage::PipelineRecord refused;
  refused.project = "shop";
  refused.status = JobStatus::failed;
  counts.pipeline_refused(refused);
  EXPECT_EQ((counts.numbers().pipelines_ended[{"shop", "failed"}]), 2U);
  EXPECT_EQ(counts.numbers().pipeline_durations.count, 1U) << "it never ran";
}

TEST(JobCounts, ForgetProjectsThatAreGone) {
  JobCounts counts;
  counts.job_changed(job(JobStatus::success));
  counts.pipeline_changed(pipeline(1, JobStatus::success));
  counts.keep_projects({"shop", "mail"});
  EXPECT_EQ(counts.numbers().ended.size(), 1U);
  counts.keep_projects({"mail"});
  EXPECT_TRUE(counts.numbers().ended.empty());
  EXPECT_TRUE(counts.numbers().pipelines_ended.empty());
}

TEST(MetricsPage, KnownProjectsHaveSamplesBeforeAnythingEnds) {
  ServiceFacts facts;
  facts.projects = {"mail", "sh\"op"};
  const api::AccessCounts access;
  const std::string page = metrics_page(facts, access);
  EXPECT_EQ(number(page, R"(runner_jobs_total{failure_reason="",project="mail",status="success"})"), 0);
  EXPECT_EQ(
      number(page, R"(runner_jobs_total{failure_reason="script_failure",project="mail",status="failed"})"),
      0);
  EXPECT_EQ(
      number(page, R"(runner_jobs_total{failure_reason="unknown_failure",project="mail",status="failed"})"),
      0);
  EXPECT_THAT(page, Not(HasSubstr(R"({failure_reason="",project="mail",status="failed"})")));
  for (const char* status : {"success", "failed", "canceled", "skipped"}) {
    EXPECT_EQ(
        number(page, std::string(R"(runner_pipelines_total{project="sh\"op",status=")") + status + "\"}"), 0);
  }
  for (const char* role : {"monitor", "deploy", "manage_roles"})
    EXPECT_EQ(number(page, std::string("runner_permission_denied_total{permission=\"") + role + "\"}"), 0);
  for (const char* method : {"token", "socket", "webhook", "none"}) {
    for (const char* result : {"success", "failure", "limited"})
      EXPECT_EQ(number(page, std::string("runner_auth_attempts_total{method=\"") + method + "\",result=\"" +
                                 result + "\"}"),
                0);
  }
}

TEST(MetricsPage, TellsWhatWasCounted) {
  ServiceFacts facts;
  Histogram commits(kShortTimes);
  commits.add(std::chrono::milliseconds(3));
  facts.commits = commits.counts();
  facts.database_errors = 4;
  facts.engine.timers_overdue = 5;
  facts.engine.cache_hits = 6;
  facts.engine.cache_misses = 7;
  facts.jobs.pipelines_running = 8;
  facts.jobs.archive_bytes = 9;
  facts.http.in_flight = 10;
  facts.containers = {12, 13, 14};
  facts.jobs.pipelines_ended[{"gone", "failed"}] = 11;
  api::AccessCounts access;
  access.attempt(api::AuthMethod::webhook, api::AuthResult::limited);
  access.denied(storage::Permission::deploy);
  const std::string page = metrics_page(facts, access);
  EXPECT_EQ(number(page, "runner_db_commit_duration_seconds_bucket{le=\"0.0025\"}"), 0);
  EXPECT_EQ(number(page, "runner_db_commit_duration_seconds_bucket{le=\"0.005\"}"), 1);
  EXPECT_EQ(number(page, "runner_db_commit_duration_seconds_bucket{le=\"+Inf\"}"), 1);
  EXPECT_EQ(number(page, "runner_db_commit_duration_seconds_sum"), 0.003);
  EXPECT_EQ(number(page, "runner_db_errors_total"), 4);
  EXPECT_EQ(number(page, "runner_timers_overdue"), 5);
  EXPECT_EQ(number(page, "runner_cache_hits_total"), 6);
  EXPECT_EQ(number(page, "runner_cache_misses_total"), 7);
  EXPECT_EQ(number(page, "runner_pipelines_running"), 8);
  EXPECT_EQ(number(page, "runner_artifacts_bytes"), 9);
  EXPECT_EQ(number(page, "runner_http_requests_in_flight"), 10);
  EXPECT_EQ(number(page, "runner_images_removed_total"), 12);
  EXPECT_EQ(number(page, "runner_image_bytes_removed_total"), 13);
  EXPECT_EQ(number(page, "runner_build_cache_bytes_removed_total"), 14);
  EXPECT_EQ(number(page, R"(runner_pipelines_total{project="gone",status="failed"})"), 11);
  EXPECT_EQ(number(page, R"(runner_auth_attempts_total{method="webhook",result="limited"})"), 1);
  EXPECT_EQ(number(page, R"(runner_permission_denied_total{permission="deploy"})"), 1);
}

http::AccessRecord request(std::string_view route, std::string method, int status) {
  http::AccessRecord record;
  record.route = route;
  record.method = std::move(method);
  record.status = status;
  record.duration = std::chrono::milliseconds(20);
  return record;
}

std::string text_of(const RequestCounts& counts) {
  MetricsText text;
  counts.add_metrics(text);
  return text.take();
}

TEST(RequestCounts, CountByPatternAndNeverByWhatClientsMakeUp) {
  RequestCounts counts({{"GET", "/a/{id}", "a"}, {"POST", "/a/{id}", "b"}, {"GET", "/b", "c"}});
  EXPECT_EQ(number(text_of(counts), R"(runner_http_request_duration_seconds_count{route="/b"})"), 0);
  counts.add(request("/a/{id}", "GET", 200));
  counts.add(request("/a/{id}", "GET", 200));
  counts.add(request("/a/{id}", "GET", 404));
  counts.add(request("", "GET", 404));
  counts.add(request("", "BREW", 405));
  counts.add(request("/not/of/this/server", "MAKE-UP-MORE", 0));
  const std::string text = text_of(counts);
  EXPECT_EQ(number(text, R"(runner_http_requests_total{code="200",method="GET",route="/a/{id}"})"), 2);
  EXPECT_EQ(number(text, R"(runner_http_requests_total{code="404",method="GET",route="/a/{id}"})"), 1);
  EXPECT_EQ(number(text, R"(runner_http_requests_total{code="404",method="GET",route="other"})"), 1);
  EXPECT_EQ(number(text, R"(runner_http_requests_total{code="405",method="other",route="other"})"), 1);
  EXPECT_EQ(number(text, R"(runner_http_requests_total{code="0",method="other",route="other"})"), 1);
  EXPECT_EQ(number(text, R"(runner_http_request_duration_seconds_count{route="/a/{id}"})"), 3);
  EXPECT_EQ(number(text, R"(runner_http_request_duration_seconds_bucket{le="0.01",route="/a/{id}"})"), 0);
  EXPECT_EQ(number(text, R"(runner_http_request_duration_seconds_bucket{le="0.025",route="/a/{id}"})"), 3);
  EXPECT_EQ(number(text, R"(runner_http_request_duration_seconds_count{route="other"})"), 3);
  EXPECT_THAT(text, Not(HasSubstr("BREW")));
}

TEST(RequestCounts, AreReadWhileTheyAreCounted) {
  constexpr int kTimes = 2000;
  RequestCounts counts({{"GET", "/a", "a"}});
  std::thread reactor([&] {
    for (int i = 0; i < kTimes; ++i) counts.add(request("/a", "GET", 200 + i % 100));
  });
  double before = 0;
  for (int i = 0; i < 20; ++i) {
    const double now = number(text_of(counts), R"(runner_http_request_duration_seconds_count{route="/a"})");
    EXPECT_GE(now, before);
    before = now;
  }
  reactor.join();
  EXPECT_EQ(number(text_of(counts), R"(runner_http_requests_total{code="299",method="GET",route="/a"})"), 20);
}

}  // namespace
}  // namespace runner::daemon
