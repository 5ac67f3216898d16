// Users, and the tokens they show.
#include "runner/api/audit.h"
#include "runner/api/json_input.h"
#include "runner/api/json_output.h"
#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

using storage::Role;

std::string user_json(const storage::UserRecord& user) {
  JsonObject json;
  json.text("name", user.name)
      .text("role", to_string(user.role))
      .flag("disabled", user.disabled_at.has_value())
      .time("created_at", user.created_at)
      .time("disabled_at", user.disabled_at);
  return std::move(json).take();
}

std::optional<Role> read_role(JsonInput& input) {
  const auto text = input.text("role", storage::kMaxName);
  const auto role = text ? storage::parse_role(*text) : std::nullopt;
  if (text && !role)
    input.complain("role",
                   "there is no role " + in_quotes(*text) + "; there are viewer, developer and admin");
  return role;
}

/// The unix socket lets root in whatever the users are; by network somebody has to be left.
void check_admin_is_left(storage::Users& users, const Caller& caller) {
  if (caller.user && users.count_enabled(Role::admin) == 0)
    refuse(409, "nobody would be left who may do this; make another user an admin first");
}

/// "admin", "viewer, disabled".
std::string state_of(const storage::UserRecord& user) {
  return std::string(to_string(user.role)) + (user.disabled_at ? ", disabled" : "");
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
    for (const auto& user : users) items.push_back(user_json(user));
  });
  return list_response(items, next);
}

http::Response add_user(Context& context, const Call& call) {
  JsonInput input(call.request.body);
  storage::UserRecord user;
  const auto name = input.text("name", storage::kMaxName);
  const auto role = read_role(input);
  input.require("name");
  input.require("role");
  if (const auto problem = name ? storage::user_name_problem(*name) : std::nullopt)
    input.complain("name", *problem);
  input.finish();
  user.name = *name;
  user.role = *role;
  user.created_at = context.parts.clock.now();
  context.parts.store.write([&](storage::Tx& tx) {
    storage::Users(tx).insert(user);
    write_down(context, tx, call.caller,
               {.action = "user.created",
                .object = "user " + user.name,
                .after = std::string(to_string(user.role))});
  });
  log_info("api", in_quotes(call.caller.name) + " added user " + in_quotes(user.name));
  http::Response response = json_response(201, user_json(user));
  response.headers.add("Location", "/api/v1/users/" + user.name);
  return response;
}

http::Response change_user(Context& context, const Call& call) {
  JsonInput input(call.request.body);
  const auto role = read_role(input);
  const auto disabled = input.flag("disabled");
  input.finish();
  const std::string& name = call.request.parameters.at("name");
  storage::UserRecord user;
  context.parts.store.write([&](storage::Tx& tx) {
    storage::Users users(tx);
    const auto found = users.find(name);
    if (!found) refuse_missing("user " + in_quotes(to_utf8(name)));
    if (role) users.set_role(found->id, *role);
    if (disabled && *disabled != found->disabled_at.has_value())
      users.set_disabled(found->id, *disabled ? std::optional(context.parts.clock.now()) : std::nullopt);
    check_admin_is_left(users, call.caller);
    user = users.find(found->id).value();
    write_down(context, tx, call.caller,
               {.action = "user.changed",
                .object = "user " + user.name,
                .before = state_of(*found),
                .after = state_of(user)});
  });
  log_info("api", in_quotes(call.caller.name) + " changed user " + in_quotes(user.name));
  return json_response(200, user_json(user));
}

}  // namespace runner::api
