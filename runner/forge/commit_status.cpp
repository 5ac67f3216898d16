#include "runner/forge/commit_status.h"

#include <nlohmann/json.hpp>

#include "runner/base/text.h"

namespace runner::forge {
namespace {

using nlohmann::json;
using pipelines::FailureReason;
using pipelines::JobStatus;

constexpr std::size_t kLongestDescription = 140;  // characters; of GitHub
constexpr std::size_t kLongestName = 255;         // likewise; of GitLab and Gitea
constexpr std::string_view kMergeRequest = "merge_request_event";

/// `most` characters at most, the last one '…' when something was cut.
std::string cut(const std::string& text, std::size_t most) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
  std::size_t count = 0, last = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!begins(text[at])) continue;
    if (++count == most) last = at;
    if (count > most) return text.substr(0, last) + "…";
  }
  return text;
}

/// One line.
std::string line_of(std::string_view text) {
  std::string line = to_utf8(text.substr(0, text.find('\n')));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return std::string(trim(line));
}

std::string took(const std::optional<TimePoint>& from, const std::optional<TimePoint>& to,
                 const char* between) {
  if (!from || !to || *to < *from) return {};
  return between + format_duration(*to - *from);
}

std::string with_reason(const char* what, const std::string& reason) {
  const std::string line = line_of(reason);
  return line.empty() ? what : std::string(what) + ": " + line;
}

std::string describe(const storage::PipelineRecord& pipeline) {
  switch (pipeline.status) {
    case JobStatus::success:
      return "passed" + took(pipeline.started_at, pipeline.finished_at, " in ");
    case JobStatus::failed:
      return pipeline.started_at ? "failed" + took(pipeline.started_at, pipeline.finished_at, " after ")
                                 : "failed before any job ran";
    case JobStatus::canceled:
      return "canceled";
    case JobStatus::skipped:
      return "skipped: no job had to run";
    case JobStatus::manual:
      return "waits for somebody to start a job";
    case JobStatus::running:
      return "jobs run";
    case JobStatus::canceling:
      return "is being canceled";
    default:
      return "jobs wait for their turn";
  }
}

std::string describe(const storage::JobRecord& job) {
  switch (job.status) {
    case JobStatus::success:
      return "passed" + took(job.started_at, job.finished_at, " in ");
    case JobStatus::failed:
      return with_reason(job.allow_failure ? "failed, which is allowed" : "failed", job.reason);
    case JobStatus::canceled:
      return with_reason("canceled", job.reason);
    case JobStatus::skipped:
      return with_reason("skipped", job.reason);
    case JobStatus::manual:
      return job.allow_failure ? "may be started by somebody" : "waits for somebody to start it";
    case JobStatus::running:
      return "runs";
    case JobStatus::canceling:
      return "is being canceled";
    case JobStatus::scheduled:
      return job.scheduled_at ? "starts at " + format_iso8601(*job.scheduled_at) : "starts later";
    case JobStatus::waiting_for_resource:
      return "waits for its resource group";
    default:
      return "waits for its turn";
  }
}

std::string base_name(const storage::PipelineRecord& pipeline) {
  return pipeline.source == kMergeRequest ? "runner (merge request)" : "runner";
}

std::string_view gitlab_state(const CommitStatus& status) {
  switch (status.status) {
    case JobStatus::running:
    case JobStatus::canceling:
      return "running";
    case JobStatus::success:
    case JobStatus::skipped:  // a state of its own only since GitLab 17.5
      return "success";
    case JobStatus::failed:
      return status.allow_failure ? "success" : "failed";
    case JobStatus::canceled:
      return status.allow_failure ? "success" : "canceled";
    case JobStatus::manual:
      return status.allow_failure ? "success" : "pending";
    default:
      return "pending";
  }
}

std::string_view github_state(const CommitStatus& status) {
  switch (status.status) {
    case JobStatus::success:
    case JobStatus::skipped:
      return "success";
    case JobStatus::failed:
      if (status.allow_failure) return "success";
      return status.broken ? "error" : "failure";
    case JobStatus::canceled:
      return status.allow_failure ? "success" : "error";
    case JobStatus::manual:
      return status.allow_failure ? "success" : "pending";
    default:
      return "pending";
  }
}

}  // namespace

std::optional<CommitStatus> status_of(const storage::PipelineRecord& pipeline) {
  if (!pipeline.project_id || pipeline.sha.empty()) return std::nullopt;
  CommitStatus status;
  status.project = *pipeline.project_id;
  status.pipeline = pipeline.id;
  status.sha = pipeline.sha;
  if (pipeline.source != kMergeRequest) status.ref = pipeline.ref;
  status.name = base_name(pipeline);
  status.status = pipeline.status;
  status.description = cut(describe(pipeline), kLongestDescription);
  return status;
}

std::optional<CommitStatus> status_of(const storage::PipelineRecord& pipeline,
                                      const storage::JobRecord& attempt) {
  auto status = status_of(pipeline);
  if (!status) return status;
  status->job = attempt.id;
  status->name = cut(base_name(pipeline) + " / " + line_of(attempt.name), kLongestName);
  status->status = attempt.status;
  status->allow_failure = attempt.allow_failure;
  status->broken = attempt.failure == FailureReason::runner_system_failure ||
                   attempt.failure == FailureReason::unknown_failure;
  status->description = cut(describe(attempt), kLongestDescription);
  return status;
}

std::string_view state_of(ForgeKind kind, const CommitStatus& status) {
  return kind == ForgeKind::gitlab ? gitlab_state(status) : github_state(status);
}

std::string key_prefix_of(std::int64_t project) {
  return "commit_status/" + std::to_string(project) + "/";
}

std::string key_of(const CommitStatus& status) {
  return key_prefix_of(status.project) + status.sha + "/" + status.name;
}

std::string encode(const CommitStatus& status) {
  json text{{"project", status.project},
            {"pipeline", status.pipeline},
            {"sha", status.sha},
            {"ref", status.ref},
            {"name", status.name},
            {"status", std::string(to_string(status.status))},
            {"allow_failure", status.allow_failure},
            {"broken", status.broken},
            {"description", status.description}};
  if (status.job) text["job"] = *status.job;
  return text.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<CommitStatus> decode(std::string_view text) {
  const json read = json::parse(text, nullptr, false);
  if (!read.is_object()) return std::nullopt;
  try {
    CommitStatus status;
    read.at("project").get_to(status.project);
    read.at("pipeline").get_to(status.pipeline);
    if (read.contains("job")) status.job = read.at("job").get<std::int64_t>();
    read.at("sha").get_to(status.sha);
    read.at("ref").get_to(status.ref);
    read.at("name").get_to(status.name);
    const auto known = pipelines::parse_job_status(read.at("status").get<std::string>());
    if (!known) return std::nullopt;
    status.status = *known;
    read.at("allow_failure").get_to(status.allow_failure);
    read.at("broken").get_to(status.broken);
    read.at("description").get_to(status.description);
    return status;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace runner::forge
