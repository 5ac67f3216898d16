#pragma once
// The top level of a resolved file: stages, variables, workflow, defaults, and which entries are jobs.
// Internal to planning.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "pipelines/document.h"
#include "pipelines/job_model.h"

namespace runner::pipelines {

struct WorkflowDefinition {
  std::string name;
  std::optional<RuleList> rules;
  AutoCancel auto_cancel;
};

struct Globals {
  std::vector<std::string> stages;  // with .pre and .post
  bool stages_known = true;         // false: the list has mistakes, so that a name outside of it says nothing
  SourceRange stages_where;
  std::vector<Variable> variables;  // rank root
  const Node* variables_node = nullptr;
  WorkflowDefinition workflow;
  std::map<std::string, const Node*, std::less<>> defaults;
  std::vector<const MapEntry*> jobs;  // visible ones, in order
  std::unordered_set<std::string_view>
      unreadable;  // entries that would be jobs, but about which was reported
};

/// Everything but workflow and variables, which need `JobReading` (see read_workflow).
Globals read_globals(const ResolvedDocument& document, Diagnostics& diagnostics, NoEffect& no_effect);
void read_workflow(const ResolvedDocument& document, JobReading& shared, Globals& globals);

}  // namespace runner::pipelines
