#include "runner/storage/role_table.h"

#include <algorithm>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

PermissionSet to_permissions(const std::string& text) {
  PermissionSet permissions;
  for (const std::string_view word : split_words(text)) {
    const auto permission = parse_permission(word);
    if (!permission) throw_unknown("permission", word);
    permissions.add(*permission);
  }
  return permissions;
}

}  // namespace

std::optional<std::string> role_name_problem(std::string_view name) {
  if (parse_role(name) || parse_permission(name) || name == "maintainer")
    return in_quotes(name) + " is the name of a role or permission that is always there; choose another one";
  if (const auto problem = user_name_problem(name)) return replace_all(*problem, "of a user", "of a role");
  if (name.find('@') != std::string_view::npos) return "the name of a role has no '@'";
  return std::nullopt;
}

CustomRoles Roles::all() {
  CustomRoles roles;
  for (const Row& row : tx_.sql().query("SELECT name, permissions FROM roles", {}))
    roles[as_text(row[0])] = to_permissions(as_text(row[1]));
  return roles;
}

std::optional<PermissionSet> Roles::find(const std::string& name) {
  if (role_name_problem(name)) return std::nullopt;
  const auto rows = tx_.sql().query("SELECT permissions FROM roles WHERE name = $1", {name});
  if (rows.empty()) return std::nullopt;
  return to_permissions(as_text(rows[0][0]));
}

void Roles::put(const std::string& name, PermissionSet permissions) {
  if (const auto problem = role_name_problem(name)) throw Error(ErrorCode::invalid_input, *problem);
  if (permissions.empty())
    throw Error(ErrorCode::invalid_input, "a role without permissions means nothing; remove it instead");
  if (!find(name) && all().size() >= kMostRoles)
    throw Error(ErrorCode::conflict,
                "there may be " + std::to_string(kMostRoles) + " roles; remove those that nobody has");
  tx_.sql().exec("DELETE FROM roles WHERE name = $1", {name});
  tx_.sql().exec("INSERT INTO roles (name, permissions) VALUES ($1, $2)",
                 {name, join(permissions.names(), " ")});
}

bool Roles::remove(const std::string& name) {
  if (role_name_problem(name)) return false;
  for (const auto& [user, grants] : Grants(tx_).all()) {
    if (std::none_of(grants.begin(), grants.end(), [&](const Grant& grant) { return grant.right == name; }))
      continue;
    const auto record = Users(tx_).find(user);
    throw Error(ErrorCode::conflict, "user " + in_quotes(record ? record->name : std::to_string(user)) +
                                         " has the role " + in_quotes(name) + "; take it away first");
  }
  return tx_.sql().exec("DELETE FROM roles WHERE name = $1", {name}) == 1;
}

std::set<Grant> Grants::of(std::int64_t user) {
  std::set<Grant> grants;
  for (const Row& row : tx_.sql().query("SELECT grant_text FROM user_grants WHERE user_id = $1", {user}))
    grants.insert(parse_grant(as_text(row[0])));
  return grants;
}

std::map<std::int64_t, std::set<Grant>> Grants::all() {
  std::map<std::int64_t, std::set<Grant>> grants;
  for (const Row& row : tx_.sql().query("SELECT user_id, grant_text FROM user_grants", {}))
    grants[as_integer(row[0])].insert(parse_grant(as_text(row[1])));
  return grants;
}

void Grants::put(std::int64_t user, const std::set<Grant>& grants) {
  if (grants.size() > kMostGrants)
    throw Error(ErrorCode::invalid_input, "a user has " + std::to_string(kMostGrants) + " grants at most");
  const CustomRoles roles = Roles(tx_).all();
  for (const Grant& grant : grants)
    if (!permissions_of(grant.right, roles))
      throw Error(ErrorCode::invalid_input, "there is no role and no permission " + in_quotes(grant.right) +
                                                "; 'runner role list' has them");
  if (!Users(tx_).find(user)) throw Error(ErrorCode::not_found, "there is no user " + std::to_string(user));
  tx_.sql().exec("DELETE FROM user_grants WHERE user_id = $1", {user});
  for (const Grant& grant : grants)
    tx_.sql().exec("INSERT INTO user_grants (user_id, grant_text) VALUES ($1, $2)", {user, to_string(grant)});
}

Rights rights_now(Tx& tx, const UserRecord& user, std::optional<Role> token) {
  const std::set<Grant> grants = Grants(tx).of(user.id);
  return rights_of(user.role, grants, grants.empty() ? CustomRoles() : Roles(tx).all(), token);
}

}  // namespace runner::storage
