#include "runner/daemon/base_environment.h"

#include <algorithm>

namespace runner::daemon {

void BaseEnvironment::withhold(const std::set<std::string>& names) {
  auto state = state_.lock();
  state->withheld.insert(names.begin(), names.end());
  for (const std::string& name : names) state->variables.erase(name);
}

BaseEnvironment::Variables BaseEnvironment::get() const {
  return state_.lock()->variables;
}

bool BaseEnvironment::is_outdated(const Variables& given) const {
  auto state = state_.lock();
  return std::any_of(state->withheld.begin(), state->withheld.end(),
                     [&](const std::string& name) { return given.contains(name); });
}

}  // namespace runner::daemon
