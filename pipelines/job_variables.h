#pragma once
// The variables one job runs with. Pure; any thread.

#include <span>
#include <string_view>
#include <vector>

#include "pipelines/plan.h"
#include "pipelines/variables.h"

namespace runner::pipelines {

/// Whether a scope of environments has this one: `*` is any run of characters, nothing else is special.
bool scope_matches(std::string_view scope, std::string_view environment);

/// Adds the environment-scoped definitions that fit `environment` ("" = none), most specific last, so that it
/// wins within its rank. Definitions of scope "*" are not touched.
void add_scoped_variables(VariableSet& set, std::span<const Variable> definitions,
                          std::string_view environment);

/// All variables of a job at job time: those of the plan that apply to its environment, those of the job, and
/// what only the run knows (phase J, dotenv, forced ones), each with its own source.
VariableSet job_variables(const Plan& plan, const PlanJob& job, std::vector<Variable> runtime);

}  // namespace runner::pipelines
