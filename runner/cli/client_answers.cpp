#include "runner/cli/client_answers.h"

#include <nlohmann/json.hpp>

#include "runner/cli/client_json.h"
#include "runner/cli/client_reader.h"

namespace runner::cli {
namespace {

using nlohmann::json;

StatusesAnswer statuses_of(const json& value) {
  const Reader reader(value, "commit statuses");
  StatusesAnswer out;
  reader.take("forge", out.forge);
  reader.take("repository", out.repository);
  reader.take("failure", out.failure);
  reader.take("waiting", out.waiting);
  reader.take("delivered_at", out.delivered_at);
  reader.take("failed_at", out.failed_at);
  return out;
}

ProjectAnswer project_of(const json& value) {
  const Reader reader(value, "project");
  ProjectAnswer out;
  reader.require("name");
  reader.take("name", out.name);
  reader.take("url", out.url);
  reader.take("pipeline_file", out.pipeline_file);
  reader.take("branches", out.branches);
  reader.take("tags", out.tags);
  reader.take("poll_interval_seconds", out.poll_interval_seconds);
  reader.take("paused", out.paused);
  reader.take("created_at", out.created_at);
  reader.take("merge_requests", out.merge_requests);
  reader.take("priority", out.priority);
  if (value.contains("statuses")) out.statuses = statuses_of(value["statuses"]);
  reader.for_each("credentials", [&](const json& item) {
    const Reader credential(item, "credential");
    CredentialAnswer& one = out.credentials.emplace_back();
    credential.take("kind", one.kind);
    credential.take("username", one.username);
  });
  if (value.contains("last_look") && value.at("last_look").is_object()) {
    const Reader look(value.at("last_look"), "last_look");
    look.take("at", out.looked_at);
    look.take("ok_at", out.reached_at);
    look.take("why", out.trouble);
  }
  return out;
}

JobAnswer job_of(const json& value) {
  const Reader reader(value, "job");
  JobAnswer out;
  for (const char* name : {"id", "name", "status"}) reader.require(name);
  reader.take("id", out.id);
  reader.take("pipeline", out.pipeline);
  reader.take("attempt", out.attempt);
  reader.take("project", out.project);
  reader.take("name", out.name);
  reader.take("stage", out.stage);
  reader.take("status", out.status);
  reader.take("failure", out.failure);
  reader.take("reason", out.reason);
  reader.take("environment_url", out.environment_url);
  reader.take("allow_failure", out.allow_failure);
  reader.take("artifacts", out.artifacts);
  reader.take("exit_code", out.exit_code);
  reader.take("tests_total", out.tests_total);
  reader.take("tests_failed", out.tests_failed);
  reader.take("coverage", out.coverage);
  reader.take("created_at", out.created_at);
  reader.take("queued_at", out.queued_at);
  reader.take("started_at", out.started_at);
  reader.take("finished_at", out.finished_at);
  reader.take("scheduled_at", out.scheduled_at);
  reader.take("warnings", out.warnings);
  return out;
}

PipelineAnswer pipeline_of(const json& value) {
  const Reader reader(value, "pipeline");
  PipelineAnswer out;
  for (const char* name : {"id", "status"}) reader.require(name);
  reader.take("id", out.id);
  reader.take("iid", out.iid);
  reader.take("project", out.project);
  reader.take("name", out.name);
  reader.take("source", out.source);
  reader.take("ref", out.ref);
  reader.take("sha", out.sha);
  reader.take("status", out.status);
  reader.take("started_by", out.started_by);
  reader.take("priority", out.priority);
  reader.take("message", out.message);
  reader.take("created_at", out.created_at);
  reader.take("started_at", out.started_at);
  reader.take("finished_at", out.finished_at);
  reader.for_each("jobs", [&](const json& item) { out.jobs.push_back(job_of(item)); });
  return out;
}

ArtifactAnswer artifact_of(const json& value) {
  const Reader reader(value, "artifact");
  ArtifactAnswer out;
  for (const char* name : {"kind", "sha256"}) reader.require(name);
  reader.take("name", out.name);
  reader.take("kind", out.kind);
  reader.take("sha256", out.sha256);
  reader.take("bytes", out.bytes);
  reader.take("files", out.files);
  return out;
}

UserAnswer user_of(const json& value) {
  const Reader reader(value, "user");
  UserAnswer out;
  reader.require("name");
  reader.take("name", out.name);
  reader.take("role", out.role);
  reader.take("groups", out.groups);
  reader.take("grants", out.grants);
  reader.take("disabled", out.disabled);
  reader.take("created_at", out.created_at);
  return out;
}

ScheduleAnswer schedule_of(const json& value) {
  const Reader reader(value, "schedule");
  ScheduleAnswer out;
  for (const char* name : {"id", "cron"}) reader.require(name);
  reader.take("id", out.id);
  reader.take("project", out.project);
  reader.take("description", out.description);
  reader.take("cron", out.cron);
  reader.take("timezone", out.time_zone);
  reader.take("ref", out.ref);
  reader.take("active", out.active);
  reader.take("owner", out.owner);
  reader.take("variables", out.variables);
  reader.take("next_run_at", out.next_run_at);
  reader.take("last_run_at", out.last_run_at);
  reader.take("last_pipeline", out.last_pipeline);
  reader.take("last_error", out.last_error);
  reader.take("retry_at", out.retry_at);
  reader.take("created_at", out.created_at);
  return out;
}

TokenAnswer token_of(const json& value) {
  const Reader reader(value, "token");
  TokenAnswer out;
  reader.require("id");
  reader.take("id", out.id);
  reader.take("name", out.name);
  reader.take("role", out.role);
  reader.take("token", out.token);
  reader.take("created_at", out.created_at);
  reader.take("expires_at", out.expires_at);
  reader.take("last_used_at", out.last_used_at);
  reader.take("revoked_at", out.revoked_at);
  return out;
}

template <typename Read>
auto items_of(std::string_view text, const Read& read) {
  const json document = parse_answer(text);
  const Reader list(document, "list");
  list.require("items");
  std::vector<decltype(read(document))> out;
  list.for_each("items", [&](const json& item) { out.push_back(read(item)); });
  return out;
}

}  // namespace

ProjectAnswer read_project(std::string_view text) {
  return project_of(parse_answer(text));
}
PipelineAnswer read_pipeline(std::string_view text) {
  return pipeline_of(parse_answer(text));
}
JobAnswer read_job(std::string_view text) {
  return job_of(parse_answer(text));
}
ScheduleAnswer read_schedule(std::string_view text) {
  return schedule_of(parse_answer(text));
}
UserAnswer read_user(std::string_view text) {
  return user_of(parse_answer(text));
}
TokenAnswer read_token(std::string_view text) {
  return token_of(parse_answer(text));
}

TestAnswer read_test(std::string_view text) {
  const json document = parse_answer(text);
  const Reader reader(document, "result of a test");
  TestAnswer out;
  reader.require("ok");
  reader.take("ok", out.ok);
  reader.take("why", out.why);
  reader.take("branches", out.branches);
  reader.take("tags", out.tags);
  reader.take("milliseconds", out.milliseconds);
  if (document.contains("statuses")) out.statuses = statuses_of(document["statuses"]);
  return out;
}

LogEvent read_log_event(std::string_view text) {
  const json document = parse_answer(text);
  const Reader reader(document, "piece of a log");
  LogEvent out;
  reader.require("text");
  reader.take("text", out.text);
  reader.take("offset", out.offset);
  return out;
}

std::string read_end_event(std::string_view text) {
  const json document = parse_answer(text);
  std::string status;
  Reader(document, "end of a log").take("status", status);
  return status;
}

std::vector<ProjectAnswer> read_projects(std::string_view text) {
  return items_of(text, project_of);
}
std::vector<PipelineAnswer> read_pipelines(std::string_view text) {
  return items_of(text, pipeline_of);
}
std::vector<ArtifactAnswer> read_artifacts(std::string_view text) {
  return items_of(text, artifact_of);
}
std::vector<ScheduleAnswer> read_schedules(std::string_view text) {
  return items_of(text, schedule_of);
}
std::vector<UserAnswer> read_users(std::string_view text) {
  return items_of(text, user_of);
}
std::vector<TokenAnswer> read_tokens(std::string_view text) {
  return items_of(text, token_of);
}

std::optional<std::string> read_next(std::string_view text) {
  const json document = parse_answer(text);
  std::string next;
  Reader(document, "list").take("next", next);
  return next.empty() ? std::nullopt : std::optional(next);
}

}  // namespace runner::cli
