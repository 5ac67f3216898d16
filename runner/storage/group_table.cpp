#include "runner/storage/group_table.h"

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {

std::optional<std::string> group_name_problem(std::string_view name) {
  const auto problem = user_name_problem(name);
  return problem ? std::optional(replace_all(*problem, "of a user", "of a group")) : std::nullopt;
}

std::set<std::string> Groups::of(std::int64_t user) {
  std::set<std::string> groups;
  for (const Row& row : tx_.sql().query("SELECT name FROM user_groups WHERE user_id = $1", {user}))
    groups.insert(as_text(row[0]));
  return groups;
}

std::map<std::int64_t, std::set<std::string>> Groups::all() {
  std::map<std::int64_t, std::set<std::string>> groups;
  for (const Row& row : tx_.sql().query("SELECT user_id, name FROM user_groups", {}))
    groups[as_integer(row[0])].insert(as_text(row[1]));
  return groups;
}

void Groups::put(std::int64_t user, const std::set<std::string>& groups) {
  if (groups.size() > kMostGroups)
    throw Error(ErrorCode::invalid_input, "a user is in " + std::to_string(kMostGroups) + " groups at most");
  for (const std::string& group : groups)
    if (const auto problem = group_name_problem(group)) throw Error(ErrorCode::invalid_input, *problem);
  if (tx_.sql().query("SELECT id FROM users WHERE id = $1", {user}).empty())
    throw Error(ErrorCode::not_found, "there is no user " + std::to_string(user));
  tx_.sql().exec("DELETE FROM user_groups WHERE user_id = $1", {user});
  for (const std::string& group : groups)
    tx_.sql().exec("INSERT INTO user_groups (user_id, name) VALUES ($1, $2)", {user, group});
}

bool Groups::has_members(const std::string& group) {
  return !tx_.sql().query("SELECT user_id FROM user_groups WHERE name = $1 LIMIT 1", {group}).empty();
}

}  // namespace runner::storage
