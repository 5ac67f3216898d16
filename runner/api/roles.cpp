// Roles: those that are always there, and those that admins made.
#include "runner/api/audit.h"
#include "runner/api/json_input.h"
#include "runner/api/json_output.h"
#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/role_table.h"

namespace runner::api {
namespace {

using storage::PermissionSet;
using storage::Role;

std::string role_json(std::string_view name, const PermissionSet& permissions, bool fixed) {
  JsonObject json;
  json.text("name", name).texts("permissions", permissions.names()).flag("fixed", fixed);
  return std::move(json).take();
}

PermissionSet read_permissions(std::string_view body) {
  JsonInput input(body);
  PermissionSet permissions;
  const auto texts = input.texts("permissions", storage::kPermissions.size(), storage::kMaxName);
  input.require("permissions");
  for (const std::string& text : texts.value_or(std::vector<std::string>())) {
    const auto permission = storage::parse_permission(text);
    if (permission)
      permissions.add(*permission);
    else
      input.complain("permissions", "there is no permission " + in_quotes(text) + "; there are " +
                                        join(storage::permissions_of(Role::admin).names(), ", "));
  }
  if (texts && texts->empty()) input.complain("permissions", "a role needs one at least");
  input.finish();
  return permissions;
}

/// Whoever may change roles could else let themselves do anything. Throws Refusal (403).
void check_not_own(storage::Tx& tx, const Caller& caller, const std::string& name) {
  if (!caller.user) return;
  for (const storage::Grant& grant : storage::Grants(tx).of(*caller.user))
    if (grant.right == name)
      refuse(403,
             "nobody changes a role that they have; ask another admin, or do it on the server's machine");
}

std::string text_of(const std::optional<PermissionSet>& permissions) {
  return permissions ? join(permissions->names(), ", ") : std::string();
}

}  // namespace

http::Response list_roles(Context& context, const Call& call) {
  const Page page = page_of(call.request, "roles");
  storage::CustomRoles roles;
  context.parts.store.read([&](storage::Tx& tx) { roles = storage::Roles(tx).all(); });
  for (const Role role : {Role::none, Role::viewer, Role::developer, Role::admin})
    roles[std::string(to_string(role))] = storage::permissions_of(role);
  std::vector<std::pair<std::string, PermissionSet>> found(roles.upper_bound(page.after), roles.end());
  const auto next = cut_page(found, page, "roles", [](const auto& role) { return role.first; });
  std::vector<std::string> items;
  items.reserve(found.size());
  for (const auto& [name, permissions] : found)
    items.push_back(role_json(name, permissions, storage::parse_role(name).has_value()));
  return list_response(items, next);
}

http::Response put_role(Context& context, const Call& call) {
  const std::string& name = call.request.parameters.at("name");
  if (const auto problem = storage::role_name_problem(name)) refuse_field("name", *problem);
  const PermissionSet permissions = read_permissions(call.request.body);
  context.parts.store.write([&](storage::Tx& tx) {
    check_not_own(tx, call.caller, name);
    storage::Roles roles(tx);
    const auto before = roles.find(name);
    try {
      roles.put(name, permissions);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::conflict) throw;
      refuse(409, error.what());
    }
    write_down(context, tx, call.caller,
               {.action = before ? "role.changed" : "role.created",
                .object = "role " + name,
                .before = text_of(before),
                .after = text_of(permissions)});
  });
  log_info("api",
           in_quotes(call.caller.name) + " lets the role " + in_quotes(name) + " " + text_of(permissions));
  return json_response(200, role_json(name, permissions, false));
}

http::Response remove_role(Context& context, const Call& call) {
  const std::string& name = call.request.parameters.at("name");
  if (storage::parse_role(name)) refuse(409, "the role " + in_quotes(name) + " is always there");
  context.parts.store.write([&](storage::Tx& tx) {
    storage::Roles roles(tx);
    const auto before = roles.find(name);
    try {
      if (!roles.remove(name)) refuse_missing("role " + in_quotes(to_utf8(name)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::conflict) throw;
      refuse(409, error.what());
    }
    write_down(context, tx, call.caller,
               {.action = "role.removed", .object = "role " + name, .before = text_of(before)});
  });
  http::Response response;
  response.status = 204;
  return response;
}

}  // namespace runner::api
