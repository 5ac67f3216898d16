#pragma once
// What a server answers, as values. Nothing in an answer is trusted: types, sizes and depth are checked.
// Texts are as they came, and may hold what a terminal would obey: print them through table.h. Pure; any
// thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/base/clock.h"

namespace runner::cli {

/// A moment as the API writes it, "2026-01-31T16:47:55.123Z". nullopt for anything else.
std::optional<TimePoint> parse_moment(std::string_view text);

struct CredentialAnswer {
  std::string kind, username;
};

/// Whom commit statuses are told.
struct StatusesAnswer {
  std::string forge = "none", repository, failure;
  std::int64_t waiting = 0;
  std::optional<TimePoint> delivered_at, failed_at;
};

struct ProjectAnswer {
  std::string name, url, pipeline_file;
  std::vector<std::string> branches, tags;
  std::optional<std::int64_t> poll_interval_seconds;
  bool paused = false;
  std::optional<TimePoint> created_at;
  std::vector<CredentialAnswer> credentials;
  bool merge_requests = false;
  std::int64_t priority = 0;
  StatusesAnswer statuses;
  std::optional<TimePoint> looked_at, reached_at;  // the last time, the last time that went well
  std::string trouble;                             // of the last time; "" = none
};

struct JobAnswer {
  std::int64_t id = 0, pipeline = 0, attempt = 1;
  std::string project, name, stage, status, failure, reason, environment_url;
  bool allow_failure = false, artifacts = false;
  std::optional<std::int64_t> exit_code, tests_total, tests_failed;
  std::optional<double> coverage;
  std::optional<TimePoint> created_at, queued_at, started_at, finished_at, scheduled_at;
  std::vector<std::string> warnings;
};

struct PipelineAnswer {
  std::int64_t id = 0, iid = 0, priority = 0;
  std::string project, name, source, ref, sha, status, started_by;
  std::string message;  // what is wrong with the pipeline file
  std::optional<TimePoint> created_at, started_at, finished_at;
  std::vector<JobAnswer> jobs;
};

struct ArtifactAnswer {
  std::string name, kind, sha256;
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> files;
};

struct UserAnswer {
  std::string name, role;
  std::vector<std::string> groups, grants;
  bool disabled = false;
  std::optional<TimePoint> created_at;
};

struct TokenAnswer {
  std::int64_t id = 0;
  std::string name, role;
  std::string token;  // only of a new one
  std::optional<TimePoint> created_at, expires_at, last_used_at, revoked_at;
};

struct ScheduleAnswer {
  std::int64_t id = 0;
  std::string project, description, cron, time_zone, ref, owner;
  bool active = true;
  std::vector<std::string> variables;  // their names
  std::optional<TimePoint> next_run_at, last_run_at, retry_at, created_at;
  std::optional<std::int64_t> last_pipeline;
  std::string last_error;
};

struct TestAnswer {
  bool ok = false;
  std::string why;
  std::int64_t branches = 0, tags = 0, milliseconds = 0;
  StatusesAnswer statuses;
};

struct ProblemAnswer {
  std::string title, detail;
  std::vector<std::pair<std::string, std::string>> errors;  // field, message
};

struct LogEvent {
  std::optional<std::int64_t> offset;  // of the first byte
  std::string text;
};

/// All of them throw Error{corrupt} that names what is wrong when the answer is none of its kind.
ProjectAnswer read_project(std::string_view json);
PipelineAnswer read_pipeline(std::string_view json);
JobAnswer read_job(std::string_view json);
ScheduleAnswer read_schedule(std::string_view json);
UserAnswer read_user(std::string_view json);
TokenAnswer read_token(std::string_view json);
TestAnswer read_test(std::string_view json);
LogEvent read_log_event(std::string_view json);
std::string read_end_event(std::string_view json);  // the status

std::vector<ProjectAnswer> read_projects(std::string_view json);
std::vector<PipelineAnswer> read_pipelines(std::string_view json);
std::vector<ArtifactAnswer> read_artifacts(std::string_view json);
std::vector<ScheduleAnswer> read_schedules(std::string_view json);
std::vector<UserAnswer> read_users(std::string_view json);
std::vector<TokenAnswer> read_tokens(std::string_view json);

/// The cursor of the next page; nullopt on the last one.
std::optional<std::string> read_next(std::string_view json);
/// Never throws; empty where it is none.
ProblemAnswer read_problem(std::string_view json) noexcept;

/// The document again, in one line and harmless to a terminal.
std::string clean_json(std::string_view json);
/// The items of a list, each as clean_json() has it.
std::vector<std::string> clean_items(std::string_view json);

}  // namespace runner::cli
