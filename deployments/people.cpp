#include "deployments/people.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "runner/storage/group_table.h"

namespace runner::deployments {

namespace {

Person person_of(const storage::UserRecord& user, std::set<std::string> groups) {
  Person person;
  person.name = user.name;
  person.role = storage::to_string(user.role);
  person.groups = std::move(groups);
  person.enabled = !user.disabled_at;
  return person;
}

}  // namespace

Person person_of(storage::Tx& tx, const storage::UserRecord& user) {
  return person_of(user, storage::Groups(tx).of(user.id));
}

LookUp people_now(storage::Store& store) {
  auto people = std::make_shared<std::map<std::string, Person>>();
  store.read([&](storage::Tx& tx) {
    people->clear();
    auto groups = storage::Groups(tx).all();
    std::string after;
    for (auto page = storage::Users(tx).list(); !page.empty(); page = storage::Users(tx).list(after)) {
      for (const storage::UserRecord& user : page)
        (*people)[user.name] = person_of(user, std::move(groups[user.id]));
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
