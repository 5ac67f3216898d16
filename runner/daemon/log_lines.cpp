#include "runner/daemon/log_lines.h"

#include <chrono>
#include <string>

#include "runner/base/log.h"
#include "runner/base/log_line.h"
#include "runner/base/text.h"

namespace runner::daemon {
namespace {

constexpr int kFirstFailure = 400, kFirstFault = 500;

LogLevel level_of(const http::AccessRecord& record) {
  if (record.status >= kFirstFault) return LogLevel::warn;
  const bool reads = record.method == "GET" || record.method == "HEAD" || record.method == "OPTIONS";
  return reads && record.status < kFirstFailure ? LogLevel::debug : LogLevel::info;
}

}  // namespace

void log_access(const http::AccessRecord& record) noexcept {
  try {
    const LogLevel level = level_of(record);
    if (!log_enabled(level)) return;
    const std::string from = record.peer.is_local_socket() ? "local" : record.peer.address;
    log(level, "access", record.method + " " + record.target,
        {{"status", record.status},
         {"remote_addr", std::string_view(from)},
         {"request_id", std::string_view(record.request_id)},
         {"bytes", static_cast<std::int64_t>(record.body_bytes)},
         {"duration_seconds", std::chrono::duration<double>(record.duration).count()},
         {"result", std::string_view(record.complete ? "complete" : "broken")}});
  } catch (...) {
    log_error("access", "a request is not in the log, as there is no memory for its line");
  }
}

void log_job(const engine::JobView& job) noexcept {
  try {
    const bool ended = is_completed(job.status) && job.finished_at;
    if (!ended && job.status != pipelines::JobStatus::running) return;
    const std::string what = "job " + in_quotes(job.name) + " of pipeline " + std::to_string(job.pipeline);
    if (!ended) {
      log_info(
          "jobs", what + " runs",
          {{"pipeline_id", job.pipeline}, {"job", std::string_view(job.name)}, {"attempt", job.attempt}});
      return;
    }
    const std::string_view result = pipelines::to_string(job.status);
    const double seconds =
        job.started_at ? std::chrono::duration<double>(*job.finished_at - *job.started_at).count() : 0;
    std::string message = what + ": " + std::string(result);
    if (!job.reason.empty()) message += ": " + job.reason;
    log_info("jobs", message,
             {{"pipeline_id", job.pipeline},
              {"job", std::string_view(job.name)},
              {"attempt", job.attempt},
              {"result", result},
              {"failure_reason", job.failure ? pipelines::to_string(*job.failure) : std::string_view("")},
              {"duration_seconds", seconds}});
  } catch (...) {
    log_error("jobs", "a job is not in the log, as there is no memory for its line");
  }
}

void add_log_metrics(MetricsText& text) {
  const LogCounts counts = log_counts();
  text.family("runner_log_lines_total", "counter", "Lines of the server's own log.");
  for (std::size_t i = 0; i < kLogLevels; ++i) {
    text.sample("runner_log_lines_total", static_cast<double>(counts.lines.at(i)),
                {{"level", std::string(to_string(static_cast<LogLevel>(i)))}});
  }
  text.family("runner_log_dropped_total", "counter", "Lines that there was no room for.");
  text.sample("runner_log_dropped_total", static_cast<double>(counts.dropped));
}

}  // namespace runner::daemon
