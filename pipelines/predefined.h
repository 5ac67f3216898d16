#pragma once
// Predefined variables that are known before a job runs. Pure.
// Phase P: from the start (includes, workflow, rules, jobs). Phase C: from the creation of jobs on.

#include <string_view>
#include <vector>

#include "pipelines/facts.h"
#include "pipelines/plan.h"
#include "pipelines/variables.h"

namespace runner::pipelines {

/// Phase P of a pipeline; nothing in them is ever expanded.
std::vector<Variable> pipeline_predefined(const PipelineFacts& facts);
/// What phase C adds for all jobs: CI_PIPELINE_IID, CI_PIPELINE_NAME, GITLAB_USER_* ...
std::vector<Variable> creation_predefined(const PipelineFacts& facts, std::string_view pipeline_name);
/// What phase C adds for one job: CI_JOB_NAME, CI_NODE_INDEX ... (CI_ENVIRONMENT_* are in
/// environment_predefined).
std::vector<Variable> job_predefined(const PlanJob& job);
std::vector<Variable> environment_predefined(const EnvironmentSpec& environment);

/// The variables that `include` may use: phase P and those of ranks pipeline, project, group and instance.
VariableSet include_variables(const PipelineFacts& facts);

}  // namespace runner::pipelines
