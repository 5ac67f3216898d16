#include "runner/daemon/metrics_page.h"

#include <nlohmann/json.hpp>

#include "pipelines/status.h"

namespace runner::daemon {
namespace {

using nlohmann::json;

double seconds_of(TimePoint time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

template <typename Number>
void one(MetricsText& text, const char* name, const char* type, const char* help, Number value) {
  text.family(name, type, help);
  text.sample(name, static_cast<double>(value));
}

void write_jobs(MetricsText& text, const JobCounts::Numbers& jobs) {
  text.family("runner_jobs_total", "counter", "Jobs that ended since the daemon was started.");
  for (const char* status : {"success", "failed", "canceled", "skipped"}) {
    if (!jobs.ended.contains({status, ""}))
      text.sample("runner_jobs_total", 0, {{"status", status}, {"failure_reason", ""}});
  }
  for (const auto& [key, count] : jobs.ended) {
    text.sample("runner_jobs_total", static_cast<double>(count),
                {{"status", key.first}, {"failure_reason", key.second}});
  }
  one(text, "runner_jobs_running", "gauge", "Jobs that run.", jobs.running);
  one(text, "runner_jobs_pending", "gauge", "Jobs whose turn it is, without a place to run.", jobs.pending);
  one(text, "runner_job_retries_total", "counter", "Attempts that were begun after the first.", jobs.retries);
  one(text, "runner_job_timeouts_total", "counter", "Jobs that were ended at the end of their time.",
      jobs.timeouts);
  text.histogram("runner_job_duration_seconds", "How long jobs ran, of those that ended.", jobs.durations);
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

std::string metrics_page(const ServiceFacts& facts) {
  MetricsText text;
  text.family("runner_build_info", "gauge", "What was built.");
  text.sample("runner_build_info", 1, {{"version", facts.version}, {"commit", facts.commit}});
  one(text, "runner_start_timestamp_seconds", "gauge", "When the daemon was started.",
      seconds_of(facts.started));
  one(text, "process_start_time_seconds", "gauge", "When the process was started.",
      seconds_of(facts.started));
  text.process();
  one(text, "runner_ready", "gauge", "1 while the daemon takes work.", facts.refusal.empty() ? 1 : 0);
  write_jobs(text, facts.jobs);
  write_looks(text, facts.looks);
  text.family("runner_http_requests_total", "counter", "Requests that were answered.");
  for (const auto& [key, count] : facts.requests) {
    text.sample("runner_http_requests_total", static_cast<double>(count),
                {{"method", key.first}, {"code", std::to_string(key.second)}});
  }
  text.family("runner_disk_free_bytes", "gauge", "Free room on the disk.");
  text.sample("runner_disk_free_bytes", static_cast<double>(facts.health.free_bytes),
              {{"mount_role", "data"}});
  one(text, "runner_db_size_bytes", "gauge", "The database and its log.", facts.database_bytes);
  one(text, "runner_db_probe_seconds", "gauge", "How long the database took lately to let the daemon write.",
      facts.health.database_seconds);
  return text.take();
}

std::string health_page(const ServiceFacts& facts) {
  const HealthState& health = facts.health;
  const auto check = [](const std::string& why, const char* otherwise, const char* needed) {
    json told{{"status", why.empty() ? "pass" : otherwise}, {"required_for", needed}};
    if (!why.empty()) told["output"] = why;
    return told;
  };
  json checks = json::object();
  checks["database"] = check(health.database.empty() ? health.engine : health.database, "fail", "ready");
  checks["database"]["latency_seconds"] = health.database_seconds;
  checks["disk"] = check(health.disk, "fail", "ready");
  checks["disk"]["free_bytes"] = health.free_bytes;
  checks["disk"]["min_bytes"] = health.min_bytes;
  checks["repositories"] = {{"status", facts.unreachable == 0 ? "pass" : "warn"},
                            {"required_for", "none"},
                            {"unreachable", facts.unreachable}};
  const json body{{"status", facts.refusal.empty() ? "pass" : "fail"},
                  {"version", facts.version},
                  {"started_at", format_iso8601(facts.started)},
                  {"uptime_seconds", facts.uptime.count()},
                  {"checked_at", health.checked_at ? json(format_iso8601(*health.checked_at)) : json()},
                  {"output", facts.refusal},
                  {"checks", checks}};
  return body.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace runner::daemon
