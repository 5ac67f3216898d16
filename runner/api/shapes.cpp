#include "runner/api/shapes.h"

#include <nlohmann/json.hpp>

#include "runner/api/json_output.h"
#include "runner/api/refusal.h"
#include "runner/base/text.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/event_table.h"
#include "runner/storage/result_table.h"
#include "runner/storage/tables.h"

namespace runner::api {
namespace {

/// A pipeline tells the name its project had; this is the one it has.
std::string project_name(storage::Tx& tx, const storage::PipelineRecord& pipeline) {
  const auto project = pipeline.project_id ? storage::Projects(tx).find(*pipeline.project_id) : std::nullopt;
  return project ? project->name : pipeline.project;
}

JsonObject pipeline_object(const storage::PipelineRecord& pipeline, const std::string& project) {
  JsonObject json;
  json.number("id", pipeline.id)
      .number("iid", pipeline.iid)
      .text("project", project)
      .text("name", pipeline.name)
      .text("source", pipeline.source)
      .text("ref", pipeline.ref)
      .text("sha", pipeline.sha)
      .text("before_sha", pipeline.before_sha)
      .text("status", to_string(pipeline.status))
      .text("started_by", pipeline.started_by)
      .time("created_at", pipeline.created_at)
      .time("started_at", pipeline.started_at)
      .time("finished_at", pipeline.finished_at);
  return json;
}

std::string job_object(const storage::JobRecord& job, const std::string& project,
                       const engine::JobResult& result) {
  std::optional<std::int64_t> exit_code;
  if (job.exit_code) exit_code = *job.exit_code;
  std::optional<std::string> failure;
  if (job.failure) failure = std::string(to_string(*job.failure));
  JsonObject json;
  json.number("id", job.id)
      .number("pipeline", job.pipeline)
      .text("project", project)
      .text("name", job.name)
      .text("stage", job.stage)
      .text("status", to_string(job.status))
      .flag("allow_failure", job.allow_failure)
      .number("attempt", job.attempt)
      .text_or_null("failure", failure)
      .number("exit_code", exit_code)
      .text("reason", job.reason)
      .time("created_at", job.created_at)
      .time("queued_at", job.queued_at)
      .time("started_at", job.started_at)
      .time("finished_at", job.finished_at)
      .time("scheduled_at", job.scheduled_at)
      .real("coverage", result.coverage)
      .size("tests_total", result.collected.tests_total)
      .size("tests_failed", result.collected.tests_failed)
      .texts("warnings", result.warnings)
      .text("environment_url", result.environment_url)
      .flag("artifacts", result.archive.has_value() || result.reports.has_value());
  return std::move(json).take();
}

engine::JobResult thaw(const std::map<std::int64_t, std::string>& results, std::int64_t job) {
  const auto found = results.find(job);
  return found == results.end() ? engine::JobResult() : engine::thaw_result(found->second, {});
}

/// What is wrong with the file of a pipeline that has no jobs, as it was said when it was made.
std::string complaint_of(storage::Tx& tx, const storage::PipelineRecord& pipeline) {
  if (pipeline.status != pipelines::JobStatus::failed) return {};
  storage::LogFilter filter;
  filter.pipeline = pipeline.id;
  for (const storage::LogRecord& event : storage::EventLog(tx).after(0, 2, filter)) {
    if (event.kind != "pipeline.invalid") continue;
    const auto payload = nlohmann::json::parse(event.payload, nullptr, false);
    if (payload.is_object()) return payload.value("message", std::string());
  }
  return {};
}

}  // namespace

std::string project_json(const Context& context, storage::Tx& tx, const storage::ProjectRecord& project) {
  std::vector<std::string> credentials;
  for (const auto& each : storage::Credentials(tx, context.parts.sealer).of_project(project.id)) {
    JsonObject credential;
    credential.text("kind", to_string(each.kind))
        .text("username", each.username)
        .time("created_at", each.created_at);
    credentials.push_back(std::move(credential).take());
  }
  std::string look = "null";
  if (const auto last = context.parts.actions.last_look(project.id)) {
    JsonObject told;
    told.flag("ok", last->why.empty()).time("at", last->at).time("ok_at", last->ok_at).text("why", last->why);
    look = std::move(told).take();
  }
  JsonObject json;
  json.text("name", project.name)
      .text("url", project.url)
      .texts("branches", project.branches)
      .texts("tags", project.tags)
      .text("pipeline_file", project.pipeline_file)
      .number("poll_interval_seconds",
              std::chrono::duration_cast<std::chrono::seconds>(project.poll_interval).count())
      .flag("paused", project.paused)
      .time("created_at", project.created_at)
      .raw("credentials", json_list(credentials))
      .raw("last_look", look);
  return std::move(json).take();
}

std::string pipeline_json(storage::Tx& tx, const storage::PipelineRecord& pipeline) {
  return pipeline_object(pipeline, project_name(tx, pipeline)).take();
}

std::string pipeline_with_jobs_json(storage::Tx& tx, const storage::PipelineRecord& pipeline) {
  const std::string project = project_name(tx, pipeline);
  const auto results = storage::JobResults(tx).of_pipeline(pipeline.id);
  std::vector<std::string> jobs;
  for (const auto& job : storage::Jobs(tx).of_pipeline(pipeline.id))
    jobs.push_back(job_object(job, project, thaw(results, job.id)));
  JsonObject json = pipeline_object(pipeline, project);
  json.text("message", complaint_of(tx, pipeline));
  json.raw("jobs", json_list(jobs));
  return std::move(json).take();
}

std::string job_json(storage::Tx& tx, const storage::JobRecord& job) {
  const auto pipeline = storage::Pipelines(tx).find(job.pipeline);
  return job_object(job, pipeline ? project_name(tx, *pipeline) : std::string(), result_of(tx, job));
}

engine::JobResult result_of(storage::Tx& tx, const storage::JobRecord& job) {
  return thaw(storage::JobResults(tx).of_pipeline(job.pipeline), job.id);
}

storage::ProjectRecord get_project(storage::Tx& tx, const std::string& name) {
  auto project = storage::Projects(tx).find(name);
  if (!project) refuse_missing("project " + in_quotes(to_utf8(name)));
  return *std::move(project);
}

storage::PipelineRecord get_pipeline(storage::Tx& tx, std::int64_t id) {
  auto pipeline = storage::Pipelines(tx).find(id);
  if (!pipeline) refuse_missing("pipeline " + std::to_string(id));
  return *std::move(pipeline);
}

storage::JobRecord get_job(storage::Tx& tx, std::int64_t id) {
  auto job = storage::Jobs(tx).find(id);
  if (!job) refuse_missing("job " + std::to_string(id));
  return *std::move(job);
}

std::filesystem::path log_path(const Context& context, const storage::JobRecord& job) {
  return context.parts.data_dir / "logs" / std::to_string(job.pipeline) / (std::to_string(job.id) + ".log");
}

std::int64_t id_of(const Call& call, const std::string& what) {
  const std::string& text = call.request.parameters.at("id");
  const auto id = parse_integer(text);
  if (!id || *id < 1) refuse_missing(what + " " + in_quotes(to_utf8(text)));
  return *id;
}

}  // namespace runner::api
