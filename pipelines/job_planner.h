#pragma once
// Decides for one instance whether it joins the pipeline, and with which settings. Internal to planning.

#include <optional>
#include <vector>

#include "pipelines/conditions.h"
#include "pipelines/instances.h"
#include "pipelines/plan.h"

namespace runner::pipelines {

/// What all jobs of a pipeline share while they are planned.
struct PipelineVariables {
  std::vector<Variable> plan;  // for Plan::variables
  VariableSet base;            // those without environment scope
  std::vector<Variable> yaml;  // ranks root and workflow_rules
  VariableSet with_yaml;       // both, for jobs that inherit everything
  bool yaml_cycle = false;     // with_yaml has a cycle of its own
  bool has_scoped = false;
};

struct PlannedInstance {
  PlanJob job;
  bool kept = false;
  std::string why;                         // when it is not kept
  const NeedsDefinition* needs = nullptr;  // after rules
};

class JobPlanner {
 public:
  JobPlanner(const PipelineVariables& variables, Conditions& conditions, bool workflow_rules,
             Diagnostics& diagnostics)
      : variables_(variables),
        conditions_(conditions),
        workflow_rules_(workflow_rules),
        diagnostics_(diagnostics) {}

  PlannedInstance plan(const Instance& instance);

 private:
  const RuleDefinition* match_rules(const RuleList& rules, const VariableSet& scope,
                                    PlannedInstance& planned);
  bool match_policies(const JobDefinition& definition, const VariableSet& scope, PlannedInstance& planned);
  void apply_rule(const RuleDefinition& rule, PlannedInstance& planned);
  void finish(const JobDefinition& definition, VariableSet& scope, PlanJob& job);
  void check_cycles(const VariableSet& scope, const PlanJob& job);

  const PipelineVariables& variables_;
  Conditions& conditions_;
  bool workflow_rules_;
  Diagnostics& diagnostics_;
};

/// Whose variables, and where they are written.
struct Place {
  std::string owner;
  const Node* map = nullptr;  // the mapping that holds them, or
  SourceRange otherwise;
};

/// Warns about variables that name themselves although nothing below defines them: they see nothing there,
/// never the variable of the shell.
void warn_self_references(const VariableSet& scope, const std::vector<Variable>& own, const Place& place,
                          Diagnostics& diagnostics);

/// development, testing, staging, production or other, by the words in the name of an environment.
std::string_view guess_tier(std::string_view environment) noexcept;

}  // namespace runner::pipelines
