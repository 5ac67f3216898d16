#include "runner/daemon/project_variables.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "deployments/protection.h"
#include "deployments/record.h"
#include "pipelines/job_variables.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/audit_table.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/variable_table.h"

namespace runner::daemon {
namespace {

using pipelines::PipelineFacts;
using pipelines::Variable;
using storage::VariableRecord;

constexpr std::string_view kAllJobs = "*";

/// Without its value.
Variable described(const VariableRecord& record) {
  Variable variable;
  variable.name = record.key;
  variable.source = pipelines::VariableSource::project;
  variable.raw = record.raw;
  variable.masked = record.masked;
  variable.file = record.kind == storage::VariableKind::file;
  variable.is_public = false;
  variable.environment_scope = record.scope;
  return variable;
}

Variable opened(storage::Variables& table, const VariableRecord& record) {
  Variable variable = described(record);
  try {
    variable.value = table.open(record).text();
  } catch (Error& error) {
    error.add_context("cannot give the job variable " + in_quotes(record.key) + " for the scope " +
                      in_quotes(record.scope));
    throw;
  }
  return variable;
}

/// Of a merge request whose branch is not known to be of the project's own repository.
bool is_of_strangers(const PipelineFacts& facts) {
  return facts.ref_kind == pipelines::RefKind::merge_request &&
         !facts.extra_predefined.contains("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME");
}

bool is_for(const VariableRecord& record, const PipelineFacts& facts) {
  if (record.is_protected && !facts.ref_protected) return false;
  return !record.masked || !is_of_strangers(facts);
}

/// The records that `environment` gets: of each key the one whose scope fits best.
std::vector<VariableRecord> fitting(const std::vector<VariableRecord>& records,
                                    const std::string& environment) {
  std::vector<Variable> scopes;
  scopes.reserve(records.size());
  for (const VariableRecord& record : records) scopes.push_back(described(record));
  pipelines::VariableSet set;
  pipelines::add_scoped_variables(set, scopes, environment);
  std::vector<VariableRecord> found;
  for (const VariableRecord& record : records) {
    const Variable* winner = set.find(record.key);
    if (winner != nullptr && winner->environment_scope == record.scope) found.push_back(record);
  }
  return found;
}

/// Throws Error{conflict} unless the gate has let the job begin.
void check_begun(storage::Tx& tx, const storage::EnvironmentRecord& environment,
                 const engine::JobOrder& order) {
  for (const auto& one :
       storage::Deployments(tx).in_states(environment.id, deployments::effectful_states())) {
    if (one.pipeline == order.state.pipeline && one.job == order.state.name) return;
  }
  throw Error(ErrorCode::conflict, "environment " + in_quotes(environment.name) +
                                       " is protected, and no deployment of this job is under way there, so "
                                       "that it is not given the variables of it; retry the job");
}

/// Without values.
void write_down(storage::Tx& tx, const GivenVariables& given, storage::AuditRecord record, TimePoint now) {
  if (given.secrets.empty()) return;
  record.at = now;
  record.actor = storage::kAuditSelf;
  record.action = "variable.read";
  record.details = nlohmann::json{{"versions", given.secrets}}.dump();
  storage::AuditLog(tx).append(std::move(record));
}

/// Opens one, and counts it when it is a secret.
void give(GivenVariables& given, storage::Variables& table, const VariableRecord& record) {
  given.variables.push_back(opened(table, record));
  if (record.masked) given.secrets[record.key] = record.version;
}

GivenVariables read_for(storage::Tx& tx, const storage::Sealer& sealer, const engine::JobOrder& order,
                        const pipelines::EnvironmentSpec& environment) {
  const PipelineFacts& facts = order.request->facts;
  storage::Variables table(tx, sealer);
  auto records = table.of_project(facts.project_id);
  std::erase_if(records, [&](const VariableRecord& record) {
    return record.scope == kAllJobs || !is_for(record, facts);
  });
  if (records.empty()) return {};
  const auto known = storage::Environments(tx).find(order.request->scope, environment.name);
  const bool is_protected = known && !known->protection.empty();
  std::string scope = environment.name;
  if (is_protected) {
    const auto protection = deployments::parse_protection(known->protection);
    if (!protection.secrets.empty()) scope = protection.secrets;
  }
  records = fitting(records, scope);
  if (records.empty()) return {};
  if (is_protected && environment.action != "start") {
    // Such a job passes no gate.
    log_warn("jobs", "job " + in_quotes(order.state.name) + " of pipeline " +
                         std::to_string(order.state.pipeline) + " only has the action " +
                         in_quotes(environment.action) + " in the protected environment " +
                         in_quotes(environment.name) + ": it is not given its variables");
    return {};
  }
  if (is_protected) check_begun(tx, *known, order);
  GivenVariables given;
  for (const VariableRecord& record : records) {
    give(given, table, record);
    given.variables.back().environment_scope = kAllJobs;  // from here on it is this job's
  }
  return given;
}

}  // namespace

GivenVariables variables_of_pipeline(storage::Tx& tx, const storage::Sealer& sealer,
                                     const PipelineFacts& facts) {
  storage::Variables table(tx, sealer);
  GivenVariables given;
  for (const VariableRecord& record : table.of_project(facts.project_id)) {
    if (record.scope == kAllJobs && is_for(record, facts)) give(given, table, record);
  }
  return given;
}

void note_given(storage::Tx& tx, const GivenVariables& given, const storage::PipelineRecord& pipeline) {
  storage::AuditRecord record;
  record.object = "pipeline " + std::to_string(pipeline.id);
  record.project = pipeline.project;
  write_down(tx, given, std::move(record), pipeline.created_at);
}

std::vector<Variable> variables_of_job(storage::Store& store, const storage::Sealer& sealer,
                                       const engine::JobOrder& order, TimePoint now) {
  const pipelines::PlanJob& job = order.request->plan.jobs[order.state.plan_index];
  GivenVariables given;
  if (!job.environment) return {};
  store.read([&](storage::Tx& tx) { given = read_for(tx, sealer, order, *job.environment); });
  if (given.secrets.empty()) return std::move(given.variables);
  storage::AuditRecord record;
  record.object = "job " + order.state.name + " of pipeline " + std::to_string(order.state.pipeline);
  record.project = order.request->scope;
  record.environment = job.environment->name;
  store.write([&](storage::Tx& tx) { write_down(tx, given, record, now); });
  return std::move(given.variables);
}

}  // namespace runner::daemon
