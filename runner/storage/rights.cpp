#include "runner/storage/rights.h"

#include <algorithm>

#include "pipelines/job_variables.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/names.h"

namespace runner::storage {

std::string_view to_string(Permission permission) noexcept {
  switch (permission) {
    case Permission::monitor:
      return "monitor";
    case Permission::view_logs:
      return "view_logs";
    case Permission::view_metrics:
      return "view_metrics";
    case Permission::deploy:
      return "deploy";
    case Permission::rollback:
      return "rollback";
    case Permission::manage_users:
      return "manage_users";
    case Permission::manage_roles:
      break;
  }
  return "manage_roles";
}

std::optional<Permission> parse_permission(std::string_view text) noexcept {
  for (const Permission one : kPermissions)
    if (to_string(one) == text) return one;
  return std::nullopt;
}

std::vector<std::string> PermissionSet::names() const {
  std::vector<std::string> found;
  for (const Permission one : kPermissions)
    if (has(one)) found.emplace_back(to_string(one));
  return found;
}

PermissionSet permissions_of(Role role) noexcept {
  PermissionSet all;
  if (role >= Role::viewer) all |= {Permission::monitor, Permission::view_logs, Permission::view_metrics};
  if (role >= Role::developer) all.add(Permission::deploy);
  if (role >= Role::admin) all |= {Permission::rollback, Permission::manage_users, Permission::manage_roles};
  return all;
}

Grant parse_grant(std::string_view text) {
  const std::string shown = in_quotes(to_utf8(text));
  Grant grant;
  const std::size_t at = text.find('@');
  grant.right = text.substr(0, at);
  if (!parse_permission(grant.right) && user_name_problem(grant.right))
    throw Error(
        ErrorCode::invalid_input,
        shown + " begins with no permission and no role: write one, such as 'rollback@shop/production'");
  if (at == std::string_view::npos) return grant;
  const std::string_view place = text.substr(at + 1);
  const std::size_t slash = place.find('/');
  grant.project = place.substr(0, slash);
  if (project_name_problem(grant.project))
    throw Error(ErrorCode::invalid_input, shown +
                                              " names no project after the '@': write RIGHT@PROJECT, "
                                              "RIGHT@PROJECT/ENVIRONMENT, or leave it out for all");
  if (slash == std::string_view::npos) return grant;
  grant.environment = place.substr(slash + 1);
  const bool plain =
      is_utf8(grant.environment) && std::none_of(grant.environment.begin(), grant.environment.end(),
                                                 [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (grant.environment.empty() || grant.environment.size() > kMaxName || !plain)
    throw Error(ErrorCode::invalid_input,
                shown + " names no environment after the '/'; leave out the '/' for all");
  return grant;
}

std::string to_string(const Grant& grant) {
  return grant.right + (grant.project.empty() ? "" : "@" + grant.project) +
         (grant.environment.empty() ? "" : "/" + grant.environment);
}

std::optional<PermissionSet> permissions_of(const std::string& right, const CustomRoles& roles) {
  if (const auto permission = parse_permission(right)) return PermissionSet{*permission};
  if (const auto role = parse_role(right)) return permissions_of(*role);
  const auto found = roles.find(right);
  return found == roles.end() ? std::nullopt : std::optional(found->second);
}

bool Rights::Right::covers(std::string_view wanted_project, std::string_view wanted_environment) const {
  if (project.empty()) return true;
  if (project != wanted_project) return false;
  if (environment.empty()) return true;
  return !wanted_environment.empty() && pipelines::scope_matches(environment, wanted_environment);
}

Rights::Rights(Role role) : rights_{{permissions_of(role), role, "", "", ""}} {}

void Rights::add(const Grant& grant, const CustomRoles& roles) {
  const auto permissions = permissions_of(grant.right, roles);
  if (!permissions) return;
  const std::string custom = roles.count(grant.right) > 0 ? grant.right : "";
  rights_.push_back(
      {*permissions, parse_role(grant.right).value_or(Role::none), custom, grant.project, grant.environment});
}

void Rights::limit(PermissionSet most) {
  for (Right& right : rights_) {
    const PermissionSet before = right.permissions;
    right.permissions &= most;
    if (right.permissions == before) continue;
    // What is left of a role is not that role any more.
    right.custom.clear();
    const auto holds = [&](Role role) {
      PermissionSet both = permissions_of(role);
      both &= right.permissions;
      return both == permissions_of(role);
    };
    while (!holds(right.role)) right.role = static_cast<Role>(static_cast<int>(right.role) - 1);
  }
}

bool Rights::may(Permission permission, std::string_view project, std::string_view environment) const {
  return std::any_of(rights_.begin(), rights_.end(), [&](const Right& right) {
    return right.permissions.has(permission) && right.covers(project, environment);
  });
}

bool Rights::may_somewhere(Permission permission) const {
  return std::any_of(rights_.begin(), rights_.end(),
                     [&](const Right& right) { return right.permissions.has(permission); });
}

PermissionSet Rights::in(std::string_view project, std::string_view environment) const {
  PermissionSet all;
  for (const Right& right : rights_)
    if (right.covers(project, environment)) all |= right.permissions;
  return all;
}

Role Rights::role_in(std::string_view project, std::string_view environment) const {
  Role highest = Role::none;
  for (const Right& right : rights_)
    if (right.covers(project, environment)) highest = std::max(highest, right.role);
  return highest;
}

std::set<std::string> Rights::roles_in(std::string_view project, std::string_view environment) const {
  std::set<std::string> names;
  for (const Right& right : rights_)
    if (!right.custom.empty() && right.covers(project, environment)) names.insert(right.custom);
  return names;
}

Rights rights_of(Role user, const std::set<Grant>& grants, const CustomRoles& roles,
                 std::optional<Role> token) {
  Rights rights(user);
  for (const Grant& grant : grants) rights.add(grant, roles);
  // One of a higher role was made when its user had that: they may what they may now.
  const bool lower = token && *token != Role::none && (*token < user || user == Role::none);
  if (lower) rights.limit(permissions_of(*token));
  return rights;
}

}  // namespace runner::storage
