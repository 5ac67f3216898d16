// Pipelines: listed, shown, started, canceled, run again.
#include <map>

#include "runner/api/access.h"
#include "runner/api/action_errors.h"
#include "runner/api/audit.h"
#include "runner/api/json_input.h"
#include "runner/api/json_output.h"
#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/text.h"
#include "runner/storage/tables.h"

namespace runner::api {
namespace {

constexpr std::size_t kLongestRef = 1024;

storage::PipelineFilter filter_of(const http::Request& request, const Page& page) {
  storage::PipelineFilter filter;
  const auto text_of = [&](const char* name) -> std::optional<std::string> {
    const std::string* value = request.query_value(name);
    if (value == nullptr) return {};
    // The store takes nothing else, and has none that is called so.
    if (!is_utf8(*value) || value->find('\0') != std::string::npos)
      refuse_field(name, "must be UTF-8 without zeros");
    return *value;
  };
  filter.ref = text_of("ref");
  filter.source = text_of("source");
  if (const std::string* status = request.query_value("status")) {
    filter.status = pipelines::parse_job_status(*status);
    if (!filter.status) refuse_field("status", "there is no status " + in_quotes(to_utf8(*status)));
  }
  if (const std::int64_t before = after_id(page); before != 0) filter.before = before;
  return filter;
}

http::Response accepted(Context& context, std::int64_t id) {
  std::string json;
  context.parts.store.read([&](storage::Tx& tx) { json = pipeline_json(tx, get_pipeline(tx, id)); });
  return json_response(202, json);
}

/// Of each job the newest attempt.
bool has_job_to_retry(storage::Tx& tx, std::int64_t pipeline) {
  std::map<std::size_t, pipelines::JobStatus> newest;
  for (const auto& job : storage::Jobs(tx).of_pipeline(pipeline)) newest[job.plan_index] = job.status;
  for (const auto& [index, status] : newest) {
    if (status == pipelines::JobStatus::failed || status == pipelines::JobStatus::canceled) return true;
  }
  return false;
}

/// Who may start pipelines puts none before those that others of the project wait for. Throws Refusal (403).
void check_priority(const Caller& caller, const storage::ProjectRecord& project, const StartRequest& start) {
  if (start.priority.value_or(project.priority) <= project.priority) return;
  check_permission(caller, storage::Permission::manage_roles, project.name, "",
                   "priority " + std::to_string(*start.priority) + " is above that of project " +
                       in_quotes(project.name) + ", which is " + std::to_string(project.priority) + "; that");
}

storage::AuditRecord about(const storage::PipelineRecord& pipeline, const char* action) {
  return {.action = action, .object = "pipeline " + std::to_string(pipeline.id), .project = pipeline.project};
}

}  // namespace

http::Response list_pipelines(Context& context, const Call& call) {
  const Page page = page_of(call.request, "pipelines");
  storage::PipelineFilter filter = filter_of(call.request, page);
  std::vector<std::string> items;
  std::optional<std::string> next;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    filter.project_id = get_project(tx, call.request.parameters.at("name")).id;
    auto pipelines = storage::Pipelines(tx).list(filter, page.limit + 1);
    next = cut_page(pipelines, page, "pipelines",
                    [](const auto& pipeline) { return std::to_string(pipeline.id); });
    for (const auto& pipeline : pipelines) items.push_back(pipeline_json(tx, pipeline));
  });
  return list_response(items, next);
}

http::Response start_pipeline(Context& context, const Call& call) {
  JsonInput input(call.request.body);
  StartRequest start;
  start.ref = input.text("ref", kLongestRef).value_or("");
  start.variables = input.variables("variables");
  start.priority = input.integer("priority", -storage::kHighestPriority, storage::kHighestPriority);
  start.started_by = call.caller.name;
  input.finish();
  storage::ProjectRecord project;
  context.parts.store.read(
      [&](storage::Tx& tx) { project = get_project(tx, call.request.parameters.at("name")); });
  check_priority(call.caller, project, start);
  write_before(context, call.caller,
               {.action = "pipeline.started",
                .object = start.ref.empty() ? "the default branch" : start.ref,
                .project = project.name});
  const std::int64_t id = start_or_refuse(context.parts.actions, project, start);
  context.followers.changed();
  std::string json;
  context.parts.store.read([&](storage::Tx& tx) { json = pipeline_json(tx, get_pipeline(tx, id)); });
  http::Response response = json_response(201, json);
  response.headers.add("Location", "/api/v1/pipelines/" + std::to_string(id));
  return response;
}

http::Response show_pipeline(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "pipeline");
  std::string json;
  context.parts.store.read(
      [&](storage::Tx& tx) { json = pipeline_with_jobs_json(tx, get_pipeline(tx, id)); });
  return json_response(200, json);
}

http::Response cancel_pipeline(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "pipeline");
  storage::PipelineRecord pipeline;
  context.parts.store.read([&](storage::Tx& tx) {
    pipeline = get_pipeline(tx, id);
    if (is_completed(pipeline.status))
      refuse(409, "pipeline " + std::to_string(id) + " has ended: its status is " +
                      in_quotes(to_string(pipeline.status)));
  });
  write_before(context, call.caller, about(pipeline, "pipeline.canceled"));
  context.parts.actions.cancel_pipeline(id);
  return accepted(context, id);
}

http::Response retry_pipeline(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "pipeline");
  storage::PipelineRecord pipeline;
  context.parts.store.read([&](storage::Tx& tx) {
    pipeline = get_pipeline(tx, id);
    if (!has_job_to_retry(tx, id))
      refuse(409, "no job of pipeline " + std::to_string(id) + " has failed or was canceled");
  });
  write_before(context, call.caller, about(pipeline, "pipeline.retried"));
  context.parts.actions.retry_pipeline(id);
  return accepted(context, id);
}

}  // namespace runner::api
