#include "runner/daemon/metrics_page.h"

#include <string_view>

#include "pipelines/status.h"

namespace runner::daemon {
namespace {

using pipelines::FailureReason;

double seconds_of(TimePoint time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

template <typename Number>
void one(MetricsText& text, const char* name, const char* type, const char* help, Number value) {
  text.family(name, type, help);
  text.sample(name, static_cast<double>(value));
}

constexpr const char* kEnds[] = {"success", "failed", "canceled", "skipped"};

/// Of each project all that may be counted, so that the first of it is seen to come.
void write_ends(MetricsText& text, const JobCounts::Numbers& jobs, const std::set<std::string>& projects) {
  auto ended = jobs.ended;
  auto pipelines = jobs.pipelines_ended;
  for (const std::string& project : projects) {
    for (const char* status : kEnds) {
      pipelines.try_emplace({project, status});
      if (status != std::string_view("failed")) ended.try_emplace({project, status, ""});
    }
    for (std::size_t i = 0; i <= static_cast<std::size_t>(FailureReason::unknown_failure); ++i) {
      const std::string_view reason = to_string(static_cast<FailureReason>(i));
      ended.try_emplace({project, "failed", std::string(reason)});
    }
  }
  text.family("runner_pipelines_total", "counter", "Pipelines that ended since the daemon was started.");
  for (const auto& [key, count] : pipelines)
    text.sample("runner_pipelines_total", static_cast<double>(count),
                {{"project", key.first}, {"status", key.second}});
  text.family("runner_jobs_total", "counter", "Jobs that ended since the daemon was started.");
  for (const auto& [key, count] : ended) {
    const auto& [project, status, reason] = key;
    text.sample("runner_jobs_total", static_cast<double>(count),
                {{"project", project}, {"status", status}, {"failure_reason", reason}});
  }
}

void write_jobs(MetricsText& text, const JobCounts::Numbers& jobs, const engine::EngineStats& engine) {
  text.histogram(
      "runner_pipeline_duration_seconds",
      "From the start of a pipeline's first job to its end; of one that was taken up again, from then.",
      jobs.pipeline_durations);
  one(text, "runner_pipelines_running", "gauge", "Pipelines with jobs that run.", jobs.pipelines_running);
  one(text, "runner_jobs_running", "gauge", "Jobs that run.", jobs.running);
  one(text, "runner_jobs_pending", "gauge", "Jobs whose turn it is, without a place to run.", jobs.pending);
  one(text, "runner_job_retries_total", "counter", "Attempts that were begun after the first.", jobs.retries);
  one(text, "runner_job_timeouts_total", "counter", "Jobs that were ended at the end of their time.",
      jobs.timeouts);
  text.histogram("runner_job_duration_seconds", "How long jobs ran, of those that ended.", jobs.durations);
  text.histogram("runner_job_queue_duration_seconds", "From a job's turn to its start.", engine.queued);
  one(text, "runner_cache_hits_total", "counter", "Caches that jobs looked up and found.", engine.cache_hits);
  one(text, "runner_cache_misses_total", "counter", "Caches that jobs looked up in vain.",
      engine.cache_misses);
  one(text, "runner_artifacts_bytes", "gauge",
      "Archives of artifacts that are kept; exact each hour, those made since then counted as they were "
      "made.",
      jobs.archive_bytes);
  text.histogram("runner_scheduler_loop_duration_seconds", "How long turns of the engine's loop took.",
                 engine.turns);
  text.histogram("runner_scheduler_lag_seconds", "How late timers were served (start_in, retries).",
                 engine.lag);
  one(text, "runner_timers_overdue", "gauge", "Timers that are due and not served yet.",
      engine.timers_overdue);
}

void write_access(MetricsText& text, const api::AccessCounts& access) {
  text.family("runner_auth_attempts_total", "counter", "Callers of the API that were let in, or not.");
  for (const api::AuthMethod method : api::kAuthMethods) {
    for (const api::AuthResult result : api::kAuthResults)
      text.sample("runner_auth_attempts_total", static_cast<double>(access.attempts(method, result)),
                  {{"method", std::string(to_string(method))}, {"result", std::string(to_string(result))}});
  }
  text.family("runner_permission_denied_total", "counter", "Requests of callers who lacked this permission.");
  for (const storage::Permission permission : storage::kPermissions)
    text.sample("runner_permission_denied_total", static_cast<double>(access.denials(permission)),
                {{"permission", std::string(to_string(permission))}});
}

void write_looks(MetricsText& text, const WatchStats& looks) {
  text.family("runner_repository_looks_total", "counter", "Looks at repositories, for polls and webhooks.");
  text.sample("runner_repository_looks_total", static_cast<double>(looks.looks - looks.failed_looks),
              {{"result", "success"}});
  text.sample("runner_repository_looks_total", static_cast<double>(looks.failed_looks),
              {{"result", "failure"}});
  one(text, "runner_repository_fetches_total", "counter", "Fetches from repositories.", looks.fetches);
  one(text, "runner_pipelines_created_total", "counter", "Pipelines that were made.", looks.pipelines);
}

}  // namespace

std::string metrics_page(const ServiceFacts& facts, const api::AccessCounts& access) {
  MetricsText text;
  text.family("runner_build_info", "gauge", "What was built.");
  text.sample("runner_build_info", 1, {{"version", facts.version}, {"commit", facts.commit}});
  one(text, "runner_start_timestamp_seconds", "gauge", "When the daemon was started.",
      seconds_of(facts.started));
  one(text, "process_start_time_seconds", "gauge", "When the process was started.",
      seconds_of(facts.started));
  text.process();
  one(text, "runner_ready", "gauge", "1 while the daemon takes work.", facts.ready ? 1 : 0);
  write_ends(text, facts.jobs, facts.projects);
  write_jobs(text, facts.jobs, facts.engine);
  write_looks(text, facts.looks);
  one(text, "runner_http_requests_in_flight", "gauge",
      "Requests that are not answered whole yet; streams too.", facts.http.in_flight);
  write_access(text, access);
  text.family("runner_disk_free_bytes", "gauge", "Free room on the disk.");
  text.sample("runner_disk_free_bytes", static_cast<double>(facts.health.free_bytes),
              {{"mount_role", "data"}});
  one(text, "runner_images_removed_total", "counter", "Images that were removed to keep image_budget.",
      facts.containers.images);
  one(text, "runner_image_bytes_removed_total", "counter", "What those took.", facts.containers.image_bytes);
  one(text, "runner_build_cache_bytes_removed_total", "counter",
      "What was removed of the engine's build cache to keep build_cache_budget.",
      facts.containers.build_cache_bytes);
  one(text, "runner_db_size_bytes", "gauge", "The database and its log.", facts.database_bytes);
  one(text, "runner_db_probe_seconds", "gauge", "How long the database took lately to let the daemon write.",
      facts.health.database_seconds);
  text.histogram("runner_db_commit_duration_seconds", "How long commits took.", facts.commits);
  one(text, "runner_db_errors_total", "counter", "What the database or its disk failed to do.",
      facts.database_errors);
  return text.take();
}

}  // namespace runner::daemon
