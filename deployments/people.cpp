#include "deployments/people.h"

#include <map>
#include <memory>
#include <utility>

namespace runner::deployments {

Person person_of(const storage::UserRecord& user) {
  Person person;
  person.name = user.name;
  person.role = storage::to_string(user.role);
  person.enabled = !user.disabled_at;
  return person;
}

LookUp people_now(storage::Store& store) {
  auto people = std::make_shared<std::map<std::string, Person>>();
  store.read([&](storage::Tx& tx) {
    people->clear();
    std::string after;
    for (auto page = storage::Users(tx).list(); !page.empty(); page = storage::Users(tx).list(after)) {
      for (const storage::UserRecord& user : page) (*people)[user.name] = person_of(user);
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
