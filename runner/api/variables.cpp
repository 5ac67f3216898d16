// Variables of a project: what its jobs are given and nobody is shown. Values go in and never come out.
#include "runner/storage/variable_table.h"

#include <algorithm>

#include "deployments/protection.h"
#include "pipelines/job_variables.h"
#include "runner/api/access.h"
#include "runner/api/change_events.h"
#include "runner/api/json_input.h"
#include "runner/api/query.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/deployment_table.h"

namespace runner::api {
namespace {

using storage::VariableKind;
using storage::VariableRecord;
using storage::Variables;

constexpr std::size_t kLongest = std::size_t{1} << 20U;  // of a text here; what is too long says more
constexpr const char* kScope = "environment_scope";

struct VariableFields {
  std::optional<std::string> key, scope, value, description;
  std::optional<VariableKind> kind;
  std::optional<bool> masked, is_protected, raw;
  std::optional<std::int64_t> version;  // the one that was read before

  void apply(VariableRecord& variable) const {
    if (kind) variable.kind = *kind;
    if (masked) variable.masked = *masked;
    if (is_protected) variable.is_protected = *is_protected;
    if (raw) variable.raw = *raw;
    if (description) variable.description = *description;
  }
};

void complain_of(JsonInput& input, const char* field, const std::optional<std::string>& problem) {
  if (problem) input.complain(field, *problem);
}

/// What was given, and is well-formed. `creation`: it says which variable as well. Throws Refusal.
VariableFields read_fields(std::string_view body, bool creation) {
  JsonInput input(body);
  VariableFields fields;
  if (creation) {
    fields.key = input.text("key", kLongest);
    input.require("key");
    if (fields.key) complain_of(input, "key", storage::variable_key_problem(*fields.key));
    fields.scope = input.text(kScope, kLongest);
    if (fields.scope) complain_of(input, kScope, storage::variable_scope_problem(*fields.scope));
    input.require("value");
  } else {
    fields.version = input.integer("version", 0, INT64_MAX);
  }
  fields.value = input.text("value", kLongest);
  if (fields.value) complain_of(input, "value", storage::variable_value_problem(*fields.value));
  if (const auto type = input.text("variable_type", 32)) {
    fields.kind = storage::parse_variable_kind(*type);
    if (!fields.kind) input.complain("variable_type", "must be 'env_var' or 'file'");
  }
  fields.masked = input.flag("masked");
  fields.is_protected = input.flag("protected");
  fields.raw = input.flag("raw");
  fields.description = input.text_or_null("description", storage::kMaxVariableText);
  input.finish();
  return fields;
}

void check_mask(const VariableRecord& variable, std::string_view value) {
  if (!variable.masked) return;
  if (const auto problem = storage::mask_problem(variable.kind, value)) refuse_field("value", *problem);
}

std::string variable_json(const VariableRecord& variable) {
  JsonObject json;
  json.text("key", variable.key)
      .text("variable_type", to_string(variable.kind))
      .text(kScope, variable.scope)
      .flag("protected", variable.is_protected)
      .flag("masked", variable.masked)
      .flag("raw", variable.raw)
      .text("description", variable.description)
      .number("version", variable.version)
      .time("created_at", variable.created_at)
      .time("updated_at", variable.updated_at);
  return std::move(json).take();
}

std::string shown(const std::string& key, const std::string& scope) {
  return "variable " + in_quotes(key) + " for the scope " + in_quotes(scope);
}

/// The one that a request names: by its scope, which need not be told when there is one only. nullopt when
/// there is none. Throws Refusal (409).
std::optional<VariableRecord> find_named(const Context& context, const Call& call, storage::Tx& tx,
                                         std::int64_t project) {
  Variables variables(tx, context.parts.sealer);
  const std::string& key = call.request.parameters.at("key");
  if (const std::string* scope = call.request.query_value(kScope))
    return variables.find(project, key, *scope);
  const auto found = variables.of_key(project, key);
  if (found.size() < 2) return found.empty() ? std::nullopt : std::optional(found.front());
  std::vector<std::string> scopes;
  scopes.reserve(found.size());
  for (const VariableRecord& one : found) scopes.push_back(in_quotes(one.scope));
  refuse(409, "there are several variables " + in_quotes(key) + "; say environment_scope=..., one of " +
                  join(scopes, ", "));
}

VariableRecord get_named(const Context& context, const Call& call, storage::Tx& tx, std::int64_t project) {
  if (auto found = find_named(context, call, tx, project)) return *std::move(found);
  const std::string* scope = call.request.query_value(kScope);
  refuse_missing("variable " + in_quotes(call.request.parameters.at("key")) +
                 (scope == nullptr ? "" : " for the scope " + in_quotes(*scope)));
}

void tell(const Context& context, storage::Tx& tx, const char* kind, const VariableRecord& variable,
          const Caller& caller) {
  JsonObject payload;
  payload.text("key", variable.key).text(kScope, variable.scope);
  tell_change(context, tx,
              {.project = variable.project,
               .kind = kind,
               .object = "variable " + variable.key,
               .environment = variable.scope == "*" ? "" : variable.scope},
              std::move(payload), caller);
}

/// Of what is given to protected refs or environments too, only those may say who set the protection. Throws
/// Refusal (403).
void check_reach(storage::Tx& tx, const Call& call, const storage::ProjectRecord& project,
                 const VariableRecord& variable) {
  if (call.caller.rights.may(storage::Permission::manage_roles, project.name)) return;
  std::string reached = variable.is_protected ? "protected branches and tags" : "";
  for (const auto& environment : storage::Environments(tx).of_project(project.name)) {
    if (!reached.empty() || environment.protection.empty()) continue;
    const std::string secrets = deployments::parse_protection(environment.protection).secrets;
    if (pipelines::scope_matches(variable.scope, secrets.empty() ? environment.name : secrets))
      reached = "the protected environment " + in_quotes(environment.name);
  }
  if (reached.empty()) return;
  check_permission(call.caller, storage::Permission::manage_roles, project.name, "",
                   shown(variable.key, variable.scope) + " is for " + reached + ", too; that");
}

/// A new one, in the transaction that tells of it. Returns it as it is shown. Throws Refusal.
std::string insert(const Context& context, const Call& call, storage::Tx& tx,
                   const storage::ProjectRecord& project, VariableRecord variable,
                   const VariableFields& fields) {
  fields.apply(variable);
  check_reach(tx, call, project, variable);
  variable.created_at = variable.updated_at = context.parts.clock.now();
  check_mask(variable, *fields.value);
  try {
    variable.id = Variables(tx, context.parts.sealer).insert(variable, *fields.value);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::conflict) throw;
    refuse(409, error.what());
  }
  tell(context, tx, "variable.created", variable, call.caller);
  return variable_json(variable);
}

}  // namespace

http::Response list_variables(Context& context, const Call& call) {
  const Page page = page_of(call.request, "variables");
  std::vector<std::string> items;
  std::optional<std::string> next;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    const auto project = get_project(tx, call.request.parameters.at("name"));
    auto found = Variables(tx, context.parts.sealer).of_project(project.id);
    // A blank is less than all that is in keys, so that this has the order of the list.
    const auto name = [](const VariableRecord& one) { return one.key + " " + one.scope; };
    std::erase_if(found, [&](const auto& one) { return !page.after.empty() && name(one) <= page.after; });
    next = cut_page(found, page, "variables", name);
    for (const VariableRecord& variable : found) items.push_back(variable_json(variable));
  });
  return list_response(items, next);
}

http::Response show_variable(Context& context, const Call& call) {
  std::string json;
  context.parts.store.read([&](storage::Tx& tx) {
    const auto project = get_project(tx, call.request.parameters.at("name"));
    json = variable_json(get_named(context, call, tx, project.id));
  });
  return json_response(200, json);
}

http::Response add_variable(Context& context, const Call& call) {
  const VariableFields fields = read_fields(call.request.body, true);
  std::string json;
  context.parts.store.write([&](storage::Tx& tx) {
    VariableRecord variable;
    const auto project = get_project(tx, call.request.parameters.at("name"));
    variable.project = project.id;
    variable.key = *fields.key;
    if (fields.scope) variable.scope = *fields.scope;
    json = insert(context, call, tx, project, variable, fields);
  });
  context.followers.changed();
  return json_response(201, json);
}

/// Of one that is there what is given; one that is not is made.
http::Response change_variable(Context& context, const Call& call) {
  const VariableFields fields = read_fields(call.request.body, false);
  const std::string& key = call.request.parameters.at("key");
  if (const auto problem = storage::variable_key_problem(key)) refuse_field("key", *problem);
  const std::string* scope = call.request.query_value(kScope);
  if (scope != nullptr) {
    if (const auto problem = storage::variable_scope_problem(*scope)) refuse_field(kScope, *problem);
  }
  std::string json;
  context.parts.store.write([&](storage::Tx& tx) {
    const auto project = get_project(tx, call.request.parameters.at("name"));
    auto variable = find_named(context, call, tx, project.id);
    if (!variable) {
      if (!fields.value) refuse_field("value", "this field is needed: there is no such variable yet");
      VariableRecord made;
      made.project = project.id;
      made.key = key;
      if (scope != nullptr) made.scope = *scope;
      json = insert(context, call, tx, project, made, fields);
      return;
    }
    if (fields.version && *fields.version != variable->version)
      refuse(409, shown(key, variable->scope) + " was changed meanwhile: its version is " +
                      std::to_string(variable->version) + "; look at it again");
    check_reach(tx, call, project, *variable);
    Variables variables(tx, context.parts.sealer);
    const bool masked_before = variable->masked && (!fields.kind || *fields.kind == variable->kind);
    // Before `apply`: it opens only as what it was sealed as.
    const std::optional<storage::Secret> kept =
        fields.value || masked_before ? std::nullopt : std::optional(variables.open(*variable));
    fields.apply(*variable);
    check_reach(tx, call, project, *variable);
    variable->updated_at = context.parts.clock.now();
    if (fields.value) check_mask(*variable, *fields.value);
    if (kept) check_mask(*variable, kept->text());
    if (!variables.replace(*variable, fields.value))
      refuse(409, shown(key, variable->scope) + " was changed meanwhile; look at it again");
    ++variable->version;
    tell(context, tx, "variable.changed", *variable, call.caller);
    json = variable_json(*variable);
  });
  context.followers.changed();
  return json_response(200, json);
}

http::Response remove_variable(Context& context, const Call& call) {
  context.parts.store.write([&](storage::Tx& tx) {
    const auto project = get_project(tx, call.request.parameters.at("name"));
    const VariableRecord variable = get_named(context, call, tx, project.id);
    check_reach(tx, call, project, variable);
    Variables(tx, context.parts.sealer).remove(variable.id);
    tell(context, tx, "variable.removed", variable, call.caller);
  });
  context.followers.changed();
  http::Response response;
  response.status = 204;
  return response;
}

}  // namespace runner::api
