// Environments: what runs there, who may change that, and what was deployed.
#include <algorithm>

#include "deployments/protection.h"
#include "deployments/state.h"
#include "runner/api/change_events.h"
#include "runner/api/deployment_shapes.h"
#include "runner/api/json_input.h"
#include "runner/api/query.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/group_table.h"
#include "runner/storage/role_table.h"

namespace runner::api {
namespace {

using storage::DeploymentRecord;
using storage::EnvironmentRecord;
using storage::Environments;

constexpr int kDeepProtection = 6;  // the names of a rule, with all that is around them
constexpr std::size_t kMaxName = 255;

void check_name(const std::string& name) {
  const bool plain = is_utf8(name) && std::none_of(name.begin(), name.end(), [](char c) {
                       return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                     });
  if (!plain || name.empty() || name.size() > kMaxName || trim(name) != name)
    refuse_field("environment", "a name has 1 to 255 bytes, no line breaks, and no blanks at its ends");
}

/// What would be taken and then mean nothing: a protection that does not protect is worse than none.
std::string useless_part(storage::Tx& tx, const deployments::Protection& protection) {
  if (protection.exclude_commit_authors)
    return "approvals:exclude_commit_authors: the server knows no mail addresses of its users in this "
           "version; leave it out";
  std::vector<deployments::Who> all = protection.deployers;
  for (const auto* more : {&protection.break_glass, &protection.rollback})
    all.insert(all.end(), more->begin(), more->end());
  for (const auto& rule : protection.rules) all.insert(all.end(), rule.who.begin(), rule.who.end());
  for (const deployments::Who& who : all) {
    if (who.kind == deployments::Who::Kind::permission && !storage::parse_permission(who.name))
      return in_quotes(to_string(who)) + " is nobody: permissions are " +
             join(storage::permissions_of(storage::Role::admin).names(), ", ");
    if (who.kind == deployments::Who::Kind::group && !storage::Groups(tx).has_members(who.name))
      return in_quotes(to_string(who)) +
             " is nobody: no user is in that group; 'runner user set NAME --group " + who.name +
             "' puts one in";
    // Nobody has the role maintainer here, but admins may what it may.
    if (who.kind == deployments::Who::Kind::role && who.name != "maintainer" &&
        !storage::parse_role(who.name) && !storage::Roles(tx).find(who.name))
      return in_quotes(to_string(who)) +
             " is nobody: there is no such role; 'runner role list' has those that there are";
  }
  return {};
}

/// As it was written; "" when it says nothing.
std::string read_protection(Context& context, JsonInput& input) {
  const auto text = input.object("protection");
  input.require("protection");
  if (!text) return {};
  try {
    const deployments::Protection protection = deployments::parse_protection(*text);
    std::string problem;
    context.parts.store.read([&](storage::Tx& tx) { problem = useless_part(tx, protection); });
    if (!problem.empty()) input.complain("protection", problem);
  } catch (const Error& error) {
    input.complain("protection", error.what());
  }
  return *text == "{}" ? std::string() : *text;
}

/// The states that a list is asked for; empty: all.
std::vector<std::string> states_of(const http::Request& request) {
  const std::string* wanted = request.query_value("state");
  if (wanted == nullptr) return {};
  if (*wanted == "waiting") return deployments::waiting_states();
  if (!deployments::parse_state(*wanted))
    refuse_field("state", "must be 'waiting', or one state such as 'succeeded'");
  return {*wanted};
}

/// Below which number a list begins; 0: at the newest.
std::int64_t before_of(const http::Request& request, const Page& page) {
  const std::int64_t after = after_id(page);
  const std::string* before = request.query_value("before");
  if (before == nullptr) return after;
  const auto number = parse_integer(*before);
  if (!number || *number < 1) refuse_field("before", "must be the number of a deployment");
  return after == 0 ? *number : std::min(after, *number);
}

std::vector<DeploymentRecord> find_deployments(storage::Tx& tx, std::int64_t environment, std::int64_t before,
                                               const std::vector<std::string>& states, std::size_t limit) {
  if (states.empty()) return storage::Deployments(tx).of_environment(environment, before, limit);
  auto found = storage::Deployments(tx).in_states(environment, states);
  std::erase_if(found, [&](const auto& one) { return before != 0 && one.number >= before; });
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.number > b.number; });
  if (found.size() > limit) found.resize(limit);
  return found;
}

/// Of a protection: two versions are told apart by it.
std::string digest_of(const std::string& text) {
  return text.empty() ? "none" : "sha256:" + sha256_hex(text);
}

}  // namespace

http::Response list_environments(Context& context, const Call& call) {
  const Page page = page_of(call.request, "environments");
  std::vector<std::string> items;
  std::optional<std::string> next;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    const auto project = get_project(tx, call.request.parameters.at("name"));
    auto found = Environments(tx).of_project(project.name);
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    std::erase_if(found, [&](const EnvironmentRecord& one) { return one.name <= page.after; });
    next = cut_page(found, page, "environments", [](const auto& one) { return one.name; });
    for (const auto& environment : found) items.push_back(environment_json(tx, environment));
  });
  return list_response(items, next);
}

http::Response show_environment(Context& context, const Call& call) {
  std::string json;
  context.parts.store.read([&](storage::Tx& tx) { json = environment_json(tx, get_environment(tx, call)); });
  return json_response(200, json);
}

http::Response change_environment(Context& context, const Call& call) {
  const std::string& name = call.request.parameters.at("environment");
  check_name(name);
  JsonInput input(call.request.body, kDeepProtection);
  const std::string protection = read_protection(context, input);
  const auto version = input.integer("version", 0, INT64_MAX);
  input.finish();
  std::string json;
  context.parts.store.write([&](storage::Tx& tx) {
    const auto project = get_project(tx, call.request.parameters.at("name"));
    Environments environments(tx);
    EnvironmentRecord environment = environments.of(project.name, name, context.parts.clock.now());
    if (!environments.set_protection(environment.id, protection, version.value_or(environment.version)))
      refuse(409, "environment " + in_quotes(name) + " was changed meanwhile: its version is " +
                      std::to_string(environment.version) + "; look at it again");
    const std::string before = digest_of(environment.protection);
    environment = environments.find(environment.id).value();
    JsonObject payload;
    payload.text("environment", name).number("version", environment.version);
    tell_change(context, tx,
                {.project = project.id,
                 .kind = "environment.changed",
                 .object = "environment " + name,
                 .environment = name,
                 .before = before,
                 .after = digest_of(environment.protection)},
                std::move(payload), call.caller);
    json = environment_json(tx, environment);
  });
  context.followers.changed();
  context.parts.actions.environments_changed();
  return json_response(200, json);
}

http::Response list_deployments(Context& context, const Call& call) {
  const Page page = page_of(call.request, "deployments");
  const std::int64_t before = before_of(call.request, page);
  const std::vector<std::string> states = states_of(call.request);
  std::vector<std::string> items;
  std::optional<std::string> next;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    const EnvironmentRecord environment = get_environment(tx, call);
    auto found = find_deployments(tx, environment.id, before, states, page.limit + 1);
    next = cut_page(found, page, "deployments", [](const auto& one) { return std::to_string(one.number); });
    for (const auto& one : found) items.push_back(deployment_object(environment, one).take());
  });
  return list_response(items, next);
}

}  // namespace runner::api
