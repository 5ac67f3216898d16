#include "deployments/protection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runner/base/glob.h"

namespace runner::deployments {
namespace {

constexpr std::array<std::pair<Who::Kind, std::string_view>, 4> kKinds{
    {{Who::Kind::user, "user"},
     {Who::Kind::role, "role"},
     {Who::Kind::group, "group"},
     {Who::Kind::permission, "permission"}}};

// Each may what those before it may.
constexpr std::array<std::string_view, 4> kRoles{"viewer", "developer", "maintainer", "admin"};

bool has_role(const Person& person, std::string_view wanted) {
  const auto lowest = std::find(kRoles.begin(), kRoles.end(), wanted);
  return person.role == wanted || person.roles.count(std::string(wanted)) > 0 ||
         std::find(lowest, kRoles.end(), person.role) != kRoles.end();
}

}  // namespace

std::optional<Who> parse_who(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return std::nullopt;
  for (const auto& [kind, name] : kKinds)
    if (text.substr(0, colon) == name) return Who{kind, std::string(text.substr(colon + 1))};
  return std::nullopt;
}

std::string to_string(const Who& who) {
  for (const auto& [kind, name] : kKinds)
    if (kind == who.kind) return std::string(name) + ":" + who.name;
  return {};
}

Person Person::in(const std::string& project, const std::string& environment) const {
  Person person = *this;
  if (rights.empty()) return person;
  const std::vector<std::string> names = rights.in(project, environment).names();
  person.permissions = {names.begin(), names.end()};
  person.role = storage::to_string(rights.role_in(project, environment));
  person.roles = rights.roles_in(project, environment);
  return person;
}

bool matches(const std::vector<Who>& who, const Person& person) {
  if (!person.enabled) return false;
  return std::any_of(who.begin(), who.end(), [&](const Who& one) {
    switch (one.kind) {
      case Who::Kind::user:
        return one.name == person.name;
      case Who::Kind::role:
        return has_role(person, one.name);
      case Who::Kind::group:
        return person.groups.count(one.name) > 0;
      case Who::Kind::permission:
        return person.permissions.count(one.name) > 0;
    }
    return false;
  });
}

bool allows_ref(const Protection& protection, std::string_view ref) {
  return protection.refs.empty() ||
         std::any_of(protection.refs.begin(), protection.refs.end(), [&](const std::string& pattern) {
           return Glob(pattern, GlobDialect::rules).matches(ref);
         });
}

}  // namespace runner::deployments
