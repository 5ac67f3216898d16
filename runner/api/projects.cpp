// Projects: what is watched, and with which credentials.
#include "runner/api/change_events.h"
#include "runner/api/configured.h"
#include "runner/api/json_output.h"
#include "runner/api/project_fields.h"
#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

void tell(const Context& context, storage::Tx& tx, const char* kind, const storage::ProjectRecord& project,
          const Caller& caller) {
  JsonObject payload;
  payload.text("project", project.name);
  tell_change(context, tx, {.project = project.id, .kind = kind, .object = "project " + project.name},
              std::move(payload), caller);
}

void projects_changed(Context& context) {
  context.followers.changed();
  context.parts.actions.projects_changed();
}

const std::string& name_of(const Call& call) {
  return call.request.parameters.at("name");
}

/// One more than the page has, by name, of those that the caller may know of.
std::vector<storage::ProjectRecord> visible_after(storage::Tx& tx, const storage::Rights& rights,
                                                  const Page& page) {
  std::vector<storage::ProjectRecord> visible;
  std::string after = page.after;
  while (visible.size() <= page.limit) {
    auto more = storage::Projects(tx).list(after, page.limit + 1);
    if (more.empty()) break;
    after = more.back().name;
    for (storage::ProjectRecord& project : more)
      if (visible.size() <= page.limit && rights.may(storage::Permission::monitor, project.name))
        visible.push_back(std::move(project));
  }
  return visible;
}

}  // namespace

http::Response list_projects(Context& context, const Call& call) {
  const Page page = page_of(call.request, "projects");
  std::vector<std::string> items;
  std::optional<std::string> next;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    auto projects = visible_after(tx, call.caller.rights, page);
    next = cut_page(projects, page, "projects", [](const auto& project) { return project.name; });
    for (const auto& project : projects) items.push_back(project_json(context, tx, project));
  });
  return list_response(items, next);
}

http::Response add_project(Context& context, const Call& call) {
  const ProjectFields fields = read_project_fields(call.request.body, ProjectForm::creation);
  std::string json;
  context.parts.store.write([&](storage::Tx& tx) {
    storage::ProjectRecord project;
    project.name = *fields.name;
    project.created_at = context.parts.clock.now();
    fields.apply(project);
    project.id = storage::Projects(tx).insert(project);
    fields.apply_credentials(tx, context.parts.sealer, project.id, project.created_at);
    tell(context, tx, "project.created", project, call.caller);
    json = project_json(context, tx, project);
  });
  projects_changed(context);
  http::Response response = json_response(201, json);
  response.headers.add("Location", "/api/v1/projects/" + *fields.name);
  return response;
}

http::Response show_project(Context& context, const Call& call) {
  std::string json;
  context.parts.store.read(
      [&](storage::Tx& tx) { json = project_json(context, tx, get_project(tx, name_of(call))); });
  return json_response(200, json);
}

http::Response change_project(Context& context, const Call& call) {
  const ProjectFields fields = read_project_fields(call.request.body, ProjectForm::change);
  std::string json;
  context.parts.store.write([&](storage::Tx& tx) {
    storage::ProjectRecord project = get_project(tx, name_of(call));
    if (const auto given = fields.given(); !given.empty()) check_not_configured(tx, project, given);
    fields.apply(project);
    if (!storage::Projects(tx).replace(project, project.version))
      throw Error(ErrorCode::conflict, "project " + in_quotes(project.name) + " was changed meanwhile");
    fields.apply_credentials(tx, context.parts.sealer, project.id, context.parts.clock.now());
    tell(context, tx, "project.changed", project, call.caller);
    json = project_json(context, tx, project);
  });
  projects_changed(context);
  return json_response(200, json);
}

http::Response remove_project(Context& context, const Call& call) {
  context.parts.store.write([&](storage::Tx& tx) {
    const storage::ProjectRecord project = get_project(tx, name_of(call));
    check_not_configured(tx, project, {});
    storage::Projects(tx).remove(project.id);
    tell(context, tx, "project.removed", project, call.caller);
  });
  projects_changed(context);
  http::Response response;
  response.status = 204;
  return response;
}

http::Response test_project(Context& context, const Call& call) {
  storage::ProjectRecord project;
  context.parts.store.read([&](storage::Tx& tx) { project = get_project(tx, name_of(call)); });
  const SteadyPoint begin = context.parts.clock.steady_now();
  const ReachReport report = context.parts.actions.test_project(project);
  const auto time =
      std::chrono::duration_cast<std::chrono::milliseconds>(context.parts.clock.steady_now() - begin);
  std::string statuses;
  context.parts.store.read([&](storage::Tx& tx) { statuses = statuses_json(tx, project); });
  JsonObject json;
  json.flag("ok", report.ok)
      .text("why", report.why)
      .size("branches", report.branches)
      .size("tags", report.tags)
      .number("milliseconds", time.count())
      .raw("statuses", statuses);
  return json_response(200, std::move(json).take());
}

}  // namespace runner::api
