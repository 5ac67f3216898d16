// Users, and the tokens they show.
#include <set>

#include "runner/api/access.h"
#include "runner/api/audit.h"
#include "runner/api/json_input.h"
#include "runner/api/json_output.h"
#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/group_table.h"
#include "runner/storage/role_table.h"

namespace runner::api {
namespace {

using storage::Role;

using Names = std::set<std::string>;

/// What a user is beside the row.
struct More {
  Names groups;
  std::set<storage::Grant> grants;
};

std::vector<std::string> texts_of(const std::set<storage::Grant>& grants) {
  std::vector<std::string> texts;
  texts.reserve(grants.size());
  for (const storage::Grant& grant : grants) texts.push_back(to_string(grant));
  return texts;
}

std::string user_json(const storage::UserRecord& user, const More& more) {
  JsonObject json;
  json.text("name", user.name)
      .text("role", to_string(user.role))
      .texts("groups", {more.groups.begin(), more.groups.end()})
      .texts("grants", texts_of(more.grants))
      .flag("disabled", user.disabled_at.has_value())
      .time("created_at", user.created_at)
      .time("disabled_at", user.disabled_at);
  return std::move(json).take();
}

std::optional<Role> read_role(JsonInput& input) {
  const auto text = input.text("role", storage::kMaxName);
  const auto role = text ? storage::parse_role(*text) : std::nullopt;
  if (text && !role)
    input.complain(
        "role",
        "there is no role " + in_quotes(*text) +
            " for all that a server has; there are none, viewer, developer and admin, and roles of your "
            "own are granted");
  return role;
}

std::optional<Names> read_groups(JsonInput& input) {
  const auto texts = input.texts("groups", storage::kMostGroups, storage::kMaxName);
  if (!texts) return std::nullopt;
  for (const std::string& group : *texts)
    if (const auto problem = storage::group_name_problem(group)) input.complain("groups", *problem);
  return Names(texts->begin(), texts->end());
}

std::optional<std::set<storage::Grant>> read_grants(JsonInput& input) {
  const auto texts = input.texts("grants", storage::kMostGrants, 3 * storage::kMaxName);
  if (!texts) return std::nullopt;
  std::set<storage::Grant> grants;
  for (const std::string& text : *texts) {
    try {
      grants.insert(storage::parse_grant(text));
    } catch (const Error& error) {
      input.complain("grants", error.what());
    }
  }
  return grants;
}

/// In the transaction of the change. Throws Refusal.
void put_grants(storage::Tx& tx, std::int64_t user, const std::set<storage::Grant>& grants) {
  try {
    storage::Grants(tx).put(user, grants);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_input) throw;
    refuse_field("grants", error.what());
  }
}

More more_of(storage::Tx& tx, std::int64_t user) {
  return {storage::Groups(tx).of(user), storage::Grants(tx).of(user)};
}

/// The unix socket lets root in whatever the users are; by network somebody has to be left.
void check_admin_is_left(storage::Users& users, const Caller& caller) {
  if (caller.user && users.count_enabled(Role::admin) == 0)
    refuse(409, "nobody would be left who may do this; make another user an admin first");
}

/// "admin", "viewer, disabled", "developer in ops, web".
std::string state_of(const storage::UserRecord& user, const More& more) {
  const std::vector<std::string> groups(more.groups.begin(), more.groups.end());
  return std::string(to_string(user.role)) +
         (more.grants.empty() ? "" : " with " + join(texts_of(more.grants), ", ")) +
         (groups.empty() ? "" : " in " + join(groups, ", ")) + (user.disabled_at ? ", disabled" : "");
}

/// Whoever may change users could else let themselves approve.
void check_not_own(const Caller& caller, const storage::UserRecord& user) {
  if (caller.user == user.id)
    refuse(403,
           "nobody changes their own role, groups or grants; ask another admin, or do it on the server's "
           "machine");
}

}  // namespace

http::Response list_users(Context& context, const Call& call) {
  const Page page = page_of(call.request, "users");
  std::vector<std::string> items;
  std::optional<std::string> next;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    auto users = storage::Users(tx).list(page.after, page.limit + 1);
    next = cut_page(users, page, "users", [](const auto& user) { return user.name; });
    auto groups = storage::Groups(tx).all();
    auto grants = storage::Grants(tx).all();
    for (const auto& user : users) items.push_back(user_json(user, {groups[user.id], grants[user.id]}));
  });
  return list_response(items, next);
}

http::Response add_user(Context& context, const Call& call) {
  JsonInput input(call.request.body);
  storage::UserRecord user;
  const auto name = input.text("name", storage::kMaxName);
  const auto role = read_role(input);
  const More more{read_groups(input).value_or(Names()),
                  read_grants(input).value_or(std::set<storage::Grant>())};
  input.require("name");
  input.require("role");
  if (const auto problem = name ? storage::user_name_problem(*name) : std::nullopt)
    input.complain("name", *problem);
  input.finish();
  user.name = *name;
  user.role = *role;
  user.created_at = context.parts.clock.now();
  if (user.role != Role::none || !more.groups.empty() || !more.grants.empty())
    check_permission(call.caller, storage::Permission::manage_roles, "", "",
                     "to add a user who may something");
  context.parts.store.write([&](storage::Tx& tx) {
    const std::int64_t id = storage::Users(tx).insert(user);
    storage::Groups(tx).put(id, more.groups);
    put_grants(tx, id, more.grants);
    write_down(context, tx, call.caller,
               {.action = "user.created", .object = "user " + user.name, .after = state_of(user, more)});
  });
  log_info("api", in_quotes(call.caller.name) + " added user " + in_quotes(user.name));
  http::Response response = json_response(201, user_json(user, more));
  response.headers.add("Location", "/api/v1/users/" + user.name);
  return response;
}

http::Response change_user(Context& context, const Call& call) {
  JsonInput input(call.request.body);
  const auto role = read_role(input);
  const auto groups = read_groups(input);
  const auto grants = read_grants(input);
  const auto disabled = input.flag("disabled");
  input.finish();
  if (role || groups || grants) check_permission(call.caller, storage::Permission::manage_roles);
  if (disabled) check_permission(call.caller, storage::Permission::manage_users);
  const std::string& name = call.request.parameters.at("name");
  storage::UserRecord user;
  More now;
  context.parts.store.write([&](storage::Tx& tx) {
    storage::Users users(tx);
    const auto found = users.find(name);
    if (!found) refuse_missing("user " + in_quotes(to_utf8(name)));
    if (role || groups || grants) check_not_own(call.caller, *found);
    const More before = more_of(tx, found->id);
    if (role) users.set_role(found->id, *role);
    if (groups) storage::Groups(tx).put(found->id, *groups);
    if (grants) put_grants(tx, found->id, *grants);
    now = more_of(tx, found->id);
    if (disabled && *disabled != found->disabled_at.has_value())
      users.set_disabled(found->id, *disabled ? std::optional(context.parts.clock.now()) : std::nullopt);
    check_admin_is_left(users, call.caller);
    user = users.find(found->id).value();
    write_down(context, tx, call.caller,
               {.action = "user.changed",
                .object = "user " + user.name,
                .before = state_of(*found, before),
                .after = state_of(user, now)});
  });
  log_info("api", in_quotes(call.caller.name) + " changed user " + in_quotes(user.name));
  return json_response(200, user_json(user, now));
}

}  // namespace runner::api
