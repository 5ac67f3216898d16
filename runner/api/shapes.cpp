#include "runner/api/shapes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runner/api/json_output.h"
#include "runner/api/refusal.h"
#include "runner/base/text.h"
#include "runner/forge/forge.h"
#include "runner/forge/status_outbox.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/event_table.h"
#include "runner/storage/job_archive_table.h"
#include "runner/storage/outbox_table.h"
#include "runner/storage/result_table.h"
#include "runner/storage/status_report_table.h"
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
      .number("priority", pipeline.priority)
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

/// What is known of the jobs of a pipeline beside their rows. Archives are only there as long as they are
/// kept.
class Results {
 public:
  Results(storage::Tx& tx, std::int64_t pipeline)
      : texts_(storage::JobResults(tx).of_pipeline(pipeline)),
        kept_(storage::JobArchives(tx).of_pipeline(pipeline)) {}

  engine::JobResult of(std::int64_t job) const {
    const auto found = texts_.find(job);
    if (found == texts_.end()) return {};
    engine::JobResult result = engine::thaw_result(found->second, {});
    take_kept(job, storage::ArtifactKind::archive, result.archive);
    take_kept(job, storage::ArtifactKind::reports, result.reports);
    return result;
  }

 private:
  void take_kept(std::int64_t job, storage::ArtifactKind kind,
                 std::optional<engine::ArchiveView>& archive) const {
    if (!archive) return;
    const auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const storage::JobArchiveRecord& record) {
      return record.job == job && record.kind == kind;
    });
    if (kept == kept_.end()) {
      archive.reset();
    } else {
      archive->path = kept->path;
    }
  }

  const std::map<std::int64_t, std::string> texts_;
  const std::vector<storage::JobArchiveRecord> kept_;
};

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

std::optional<std::string> text_or_none(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

}  // namespace

std::string statuses_json(storage::Tx& tx, const storage::ProjectRecord& project) {
  const forge::ForgePlace place = forge::place_of(project);
  const bool is_told = place.kind != forge::ForgeKind::none;
  const storage::StatusReport report = storage::StatusReports(tx).of_project(project.id);
  JsonObject json;
  json.text("forge", to_string(place.kind))
      .text("api", place.api)
      .text("repository", place.repository)
      .number("waiting", storage::Outbox(tx).count(forge::kStatusKind, forge::key_prefix_of(project.id)))
      .time("delivered_at", report.delivered_at)
      .time("failed_at", report.failed_at)
      .text("failure", is_told ? report.failure : place.why);
  return std::move(json).take();
}

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
      .text_or_null("forge", text_or_none(project.forge))
      .text_or_null("forge_api", text_or_none(project.forge_api))
      .text_or_null("forge_repository", text_or_none(project.forge_repository))
      .flag("merge_requests", project.merge_requests)
      .number("priority", project.priority)
      .raw("statuses", statuses_json(tx, project))
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
  const Results results(tx, pipeline.id);
  std::vector<std::string> jobs;
  for (const auto& job : storage::Jobs(tx).of_pipeline(pipeline.id))
    jobs.push_back(job_object(job, project, results.of(job.id)));
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
  return Results(tx, job.pipeline).of(job.id);
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
