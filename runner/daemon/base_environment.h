#pragma once
// The environment that jobs start from: the server's, without the variables in which it is told secrets.

#include <map>
#include <set>
#include <string>

#include "runner/base/synchronized.h"

namespace runner::daemon {

/// Any thread.
class BaseEnvironment {
 public:
  using Variables = std::map<std::string, std::string>;

  explicit BaseEnvironment(Variables variables) : state_(State{std::move(variables), {}}) {}

  /// No job that starts from now on gets variables of these names, also of a pipeline that was made before.
  /// Names stay withheld until the end of this process.
  void withhold(const std::set<std::string>& names);
  /// What a pipeline that is made now is given.
  Variables get() const;
  /// Whether what a pipeline was given earlier has something that is withheld by now.
  bool is_outdated(const Variables& given) const;

 private:
  struct State {
    Variables variables;
    std::set<std::string> withheld;
  };
  mutable Synchronized<State> state_;
};

}  // namespace runner::daemon
