// Schedules: when pipelines start by the clock. Values of their variables go in and never come out.
#include "runner/api/access.h"
#include "runner/api/action_errors.h"
#include "runner/api/audit.h"
#include "runner/api/change_events.h"
#include "runner/api/configured.h"
#include "runner/api/json_output.h"
#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/schedule_fields.h"
#include "runner/api/shapes.h"
#include "runner/base/text.h"
#include "runner/storage/schedule_table.h"
#include "runner/triggers/schedule_times.h"

namespace runner::api {
namespace {

using storage::ScheduleRecord;
using storage::Schedules;

std::map<std::string, std::string> variables_of(const Context& context, storage::Tx& tx, std::int64_t id) {
  const auto sealed = Schedules(tx, context.parts.sealer).variables(id);
  return sealed ? triggers::read_variables(sealed->text()) : std::map<std::string, std::string>();
}

std::string schedule_json(const Context& context, storage::Tx& tx, const ScheduleRecord& schedule) {
  const auto project = storage::Projects(tx).find(schedule.project);
  std::vector<std::string> names;
  for (const auto& [name, value] : variables_of(context, tx, schedule.id)) names.push_back(name);
  JsonObject json;
  json.number("id", schedule.id)
      .text("project", project ? project->name : std::string())
      .text("description", schedule.description)
      .text("cron", schedule.cron)
      .text("timezone", schedule.time_zone)
      .text("ref", schedule.ref)
      .flag("active", schedule.active)
      .text("owner", schedule.owner)
      .texts("variables", names)
      .time("next_run_at", schedule.active ? schedule.next_run_at : std::nullopt)
      .time("last_run_at", schedule.last_run_at)
      .number("last_pipeline", schedule.last_pipeline)
      .text("last_error", schedule.last_error)
      .time("retry_at", schedule.retry_at)
      .number("version", schedule.version)
      .time("created_at", schedule.created_at);
  return std::move(json).take();
}

ScheduleRecord get_schedule(const Context& context, storage::Tx& tx, std::int64_t id) {
  auto schedule = Schedules(tx, context.parts.sealer).find(id);
  if (!schedule) refuse_missing("schedule " + std::to_string(id));
  return *std::move(schedule);
}

/// Throws Refusal (403).
void check_owner(storage::Tx& tx, const Caller& caller, const ScheduleRecord& schedule) {
  if (caller.name == schedule.owner) return;
  const auto project = storage::Projects(tx).find(schedule.project);
  check_permission(
      caller, storage::Permission::manage_roles, project ? project->name : "", "",
      "schedule " + std::to_string(schedule.id) + " is of " + in_quotes(schedule.owner) + "; one of others");
}

void tell(const Context& context, storage::Tx& tx, const char* kind, const ScheduleRecord& schedule,
          const Caller& caller) {
  JsonObject payload;
  payload.number("schedule", schedule.id).text("description", schedule.description);
  tell_change(
      context, tx,
      {.project = schedule.project, .kind = kind, .object = "schedule " + std::to_string(schedule.id)},
      std::move(payload), caller);
}

void schedules_changed(Context& context) {
  context.followers.changed();
  context.parts.actions.schedules_changed();
}

}  // namespace

http::Response list_schedules(Context& context, const Call& call) {
  const Page page = page_of(call.request, "schedules");
  const std::int64_t after = after_id(page);
  std::vector<std::string> items;
  std::optional<std::string> next;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    const auto project = get_project(tx, call.request.parameters.at("name"));
    auto found = Schedules(tx, context.parts.sealer).of_project(project.id, after, page.limit + 1);
    next = cut_page(found, page, "schedules", [](const auto& one) { return std::to_string(one.id); });
    for (const auto& schedule : found) items.push_back(schedule_json(context, tx, schedule));
  });
  return list_response(items, next);
}

http::Response add_schedule(Context& context, const Call& call) {
  const TimePoint now = context.parts.clock.now();
  const ScheduleFields fields = read_schedule_fields(call.request.body, ScheduleForm::creation, now);
  ScheduleRecord schedule;
  std::string json;
  context.parts.store.write([&](storage::Tx& tx) {
    schedule = {};
    schedule.project = get_project(tx, call.request.parameters.at("name")).id;
    schedule.owner = call.caller.name;
    schedule.created_at = now;
    schedule.time_zone = "UTC";
    fields.apply(schedule, now);
    schedule.id = Schedules(tx, context.parts.sealer)
                      .insert(schedule, triggers::variables_text(
                                            fields.variables.value_or(std::map<std::string, std::string>())));
    tell(context, tx, "schedule.created", schedule, call.caller);
    json = schedule_json(context, tx, schedule);
  });
  schedules_changed(context);
  http::Response response = json_response(201, json);
  response.headers.add("Location", "/api/v1/schedules/" + std::to_string(schedule.id));
  return response;
}

http::Response show_schedule(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "schedule");
  std::string json;
  context.parts.store.read(
      [&](storage::Tx& tx) { json = schedule_json(context, tx, get_schedule(context, tx, id)); });
  return json_response(200, json);
}

http::Response change_schedule(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "schedule");
  // Rights come before what is wrong with the wish.
  context.parts.store.read(
      [&](storage::Tx& tx) { check_owner(tx, call.caller, get_schedule(context, tx, id)); });
  const TimePoint now = context.parts.clock.now();
  const ScheduleFields fields = read_schedule_fields(call.request.body, ScheduleForm::change, now);
  std::string json;
  context.parts.store.write([&](storage::Tx& tx) {
    ScheduleRecord schedule = get_schedule(context, tx, id);
    check_owner(tx, call.caller, schedule);
    check_not_configured(tx, schedule);
    const std::int64_t expected = fields.version.value_or(schedule.version);
    fields.apply(schedule, now);
    std::optional<std::string> variables;
    if (fields.variables) variables = triggers::variables_text(*fields.variables);
    if (!Schedules(tx, context.parts.sealer).replace(schedule, expected, variables))
      refuse(409, "schedule " + std::to_string(id) + " was changed meanwhile: its version is " +
                      std::to_string(schedule.version) + "; look at it again");
    tell(context, tx, "schedule.changed", schedule, call.caller);
    json = schedule_json(context, tx, get_schedule(context, tx, id));
  });
  schedules_changed(context);
  return json_response(200, json);
}

http::Response remove_schedule(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "schedule");
  context.parts.store.write([&](storage::Tx& tx) {
    const ScheduleRecord schedule = get_schedule(context, tx, id);
    check_owner(tx, call.caller, schedule);
    check_not_configured(tx, schedule);
    Schedules(tx, context.parts.sealer).remove(id);
    tell(context, tx, "schedule.removed", schedule, call.caller);
  });
  schedules_changed(context);
  http::Response response;
  response.status = 204;
  return response;
}

/// Beside its times: the next one stays what it was. In the name of the one who asks.
http::Response play_schedule(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "schedule");
  storage::ProjectRecord project;
  StartRequest start;
  context.parts.store.read([&](storage::Tx& tx) {
    const ScheduleRecord schedule = get_schedule(context, tx, id);
    const auto found = storage::Projects(tx).find(schedule.project);
    if (!found) refuse_missing("schedule " + std::to_string(id));
    project = *found;
    start.ref = schedule.ref;
    start.variables = variables_of(context, tx, id);
    start.predefined = {{"CI_PIPELINE_SCHEDULE_DESCRIPTION", schedule.description}};
  });
  start.started_by = call.caller.name;
  start.source = "schedule";
  write_before(
      context, call.caller,
      {.action = "schedule.played", .object = "schedule " + std::to_string(id), .project = project.name});
  const std::int64_t pipeline = start_or_refuse(context.parts.actions, project, start);
  std::string json;
  context.parts.store.write([&](storage::Tx& tx) {
    Schedules(tx, context.parts.sealer).played(id, pipeline, context.parts.clock.now());
    json = pipeline_json(tx, get_pipeline(tx, pipeline));
  });
  context.followers.changed();
  http::Response response = json_response(201, json);
  response.headers.add("Location", "/api/v1/pipelines/" + std::to_string(pipeline));
  return response;
}

}  // namespace runner::api
