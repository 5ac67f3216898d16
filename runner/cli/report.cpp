#include "runner/cli/report.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner::cli {
namespace {

using engine::JobView;
using pipelines::JobStatus;

double seconds_of(const JobView& job) {
  if (!job.started_at || !job.finished_at) return 0;
  return static_cast<double>((*job.finished_at - *job.started_at).count()) / 1000.0;
}

void write_details(JsonWriter& json, const JobView& job) {
  json.member("attempts", job.attempt);
  json.key("reason").value(job.reason);
  json.key("failure_reason");
  if (job.failure) {
    json.value(pipelines::to_string(*job.failure));
  } else {
    json.null();
  }
  json.member("coverage", job.coverage);
  json.member("tests_total", job.tests_total).member("tests_failed", job.tests_failed);
  json.member("warnings", job.warnings);
  json.member("environment_url", job.environment_url);
  json.key("artifacts");
  if (job.archive) {
    json.begin_object().member("path", job.archive->path.string()).member("bytes", job.archive->bytes);
    json.member("files", job.archive->files).end_object();
  } else {
    json.null();
  }
}

}  // namespace

std::string_view report_status(const JobView& job) {
  switch (job.status) {
    case JobStatus::success:
      return "success";
    case JobStatus::failed:
      return job.allow_failure ? "warning" : "failed";
    case JobStatus::canceled:
    case JobStatus::canceling:
      return "canceled";
    case JobStatus::manual:
      return "manual";
    default:
      return "skipped";
  }
}

std::string_view report_status(const engine::PipelineEnd& end, const std::vector<JobView>& jobs) {
  switch (end.status) {
    case JobStatus::success:
      return "success";
    case JobStatus::failed:
      return "failed";
    case JobStatus::canceled:
      return "canceled";
    case JobStatus::skipped:
      return "skipped";
    default:
      break;
  }
  // Blocked: the composite hides failures beside the job that waits; the exit code must not.
  const bool failed = std::any_of(jobs.begin(), jobs.end(), [](const JobView& job) {
    return job.status == JobStatus::failed && !job.allow_failure;
  });
  return failed ? "failed" : "success";
}

void write_report(JsonWriter& json, const Outcome& outcome, const LogReader& log, bool details) {
  json.begin_object().member("status", outcome.status);
  if (details) {
    json.member("blocked", outcome.blocked).member("warnings", outcome.warnings);
    json.member("why", outcome.why).member("duration", outcome.seconds);
  }
  json.key("jobs").begin_array();
  for (const JobView& job : outcome.jobs) {
    json.begin_object().member("name", job.name).member("stage", job.stage);
    json.key("status").value(report_status(job));
    json.member("allow_failure", job.allow_failure).member("exit_code", job.exit_code);
    json.member("duration", seconds_of(job));
    if (details) write_details(json, job);
    json.key("log").begin_text();
    if (job.attempt > 0) log(job.index, [&](std::string_view part) { json.text(part); });
    json.end_text().end_object();
  }
  json.end_array().end_object();
  json.flush();
}

void write_report_file(const std::filesystem::path& file, const Outcome& outcome, const LogReader& log) {
  // Streamed, so not write_file_atomic(); a FIFO or a device ("/dev/stdout") cannot be replaced by a rename.
  std::error_code ignored;
  const auto kind = std::filesystem::status(file, ignored).type();
  const bool replace =
      kind == std::filesystem::file_type::regular || kind == std::filesystem::file_type::not_found;
  const std::filesystem::path target =
      replace ? std::filesystem::path(file.string() + "." + std::to_string(::getpid()) + ".tmp") : file;
  const UniqueFd out(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : 0), 0666));
  if (!out) throw_errno("cannot write the report '" + file.string() + "'");
  try {
    JsonWriter json([&](std::string_view text) { write_all(out.get(), text); });
    write_report(json, outcome, log, false);
    write_all(out.get(), "\n");
    if (replace && ::rename(target.c_str(), file.c_str()) != 0)
      throw_errno("cannot rename to '" + file.string() + "'");
  } catch (Error& error) {
    if (replace) ::unlink(target.c_str());
    error.add_context("while writing the report");
    throw;
  }
}

}  // namespace runner::cli
