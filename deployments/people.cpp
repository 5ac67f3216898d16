#include "deployments/people.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "runner/storage/group_table.h"
#include "runner/storage/role_table.h"

namespace runner::deployments {

namespace {

Person person_of(const storage::UserRecord& user, std::set<std::string> groups, storage::Rights rights) {
  Person person;
  person.name = user.name;
  person.role = storage::to_string(user.role);
  person.groups = std::move(groups);
  person.enabled = !user.disabled_at;
  person.rights = std::move(rights);
  return person;
}

}  // namespace

Person person_of(storage::Tx& tx, const storage::UserRecord& user) {
  return person_of(user, storage::Groups(tx).of(user.id), storage::rights_now(tx, user));
}

LookUp people_now(storage::Store& store) {
  auto people = std::make_shared<std::map<std::string, Person>>();
  store.read([&](storage::Tx& tx) {
    people->clear();
    auto groups = storage::Groups(tx).all();
    auto grants = storage::Grants(tx).all();
    const storage::CustomRoles roles = storage::Roles(tx).all();
    std::string after;
    for (auto page = storage::Users(tx).list(); !page.empty(); page = storage::Users(tx).list(after)) {
      for (const storage::UserRecord& user : page)
        (*people)[user.name] = person_of(user, std::move(groups[user.id]),
                                         storage::rights_of(user.role, grants[user.id], roles));
      after = page.back().name;
    }
  });
  return [people](const std::string& name) -> std::optional<Person> {
    const auto found = people->find(name);
    if (found == people->end()) return std::nullopt;
    return found->second;
  };
}

}  // namespace runner::deployments
