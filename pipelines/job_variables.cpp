#include "pipelines/job_variables.h"

#include <algorithm>
#include <utility>

namespace runner::pipelines {
namespace {

std::ptrdiff_t literal_length(const Variable& variable) {
  const std::string& scope = variable.environment_scope;
  return static_cast<std::ptrdiff_t>(scope.size()) - std::count(scope.begin(), scope.end(), '*');
}

}  // namespace

bool scope_matches(std::string_view scope, std::string_view name) {
  std::size_t s = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (n < name.size()) {
    if (s < scope.size() && scope[s] == '*') {
      star = s++;
      resume = n;
    } else if (s < scope.size() && scope[s] == name[n]) {
      ++s;
      ++n;
    } else if (star != std::string_view::npos) {
      s = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return scope.find_first_not_of('*', s) == std::string_view::npos;
}

void add_scoped_variables(VariableSet& set, std::span<const Variable> definitions,
                          std::string_view environment) {
  if (environment.empty()) return;
  std::vector<const Variable*> fitting;
  for (const Variable& variable : definitions)
    if (variable.environment_scope != "*" && scope_matches(variable.environment_scope, environment))
      fitting.push_back(&variable);
  std::stable_sort(fitting.begin(), fitting.end(), [](const Variable* a, const Variable* b) {
    return literal_length(*a) < literal_length(*b);
  });
  for (const Variable* variable : fitting) set.add(*variable);
}

VariableSet job_variables(const Plan& plan, const PlanJob& job, std::vector<Variable> runtime) {
  VariableSet set;
  for (const Variable& variable : plan.variables)
    if (variable.environment_scope == "*") set.add(variable);
  add_scoped_variables(set, plan.variables, job.environment ? std::string_view(job.environment->name) : "");
  for (const Variable& variable : job.variables) set.add(variable);
  for (Variable& variable : runtime) set.add(std::move(variable));
  return set;
}

}  // namespace runner::pipelines
