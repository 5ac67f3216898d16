#include "runner/storage/deployment_table.h"

#include <algorithm>
#include <utility>

#include "runner/base/error.h"
#include "runner/storage/audit_table.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_DEPLOYMENT_COLUMNS                                                                   \
  "id, environment_id, number, kind, state, state_since, version, fence, pipeline, job, ref, sha, " \
  "triggered_by, release, plan, fingerprint, base, snapshot, request, reason, forced, created_at, " \
  "expires_at, locked_at, finished_at"

constexpr std::string_view kById = "SELECT " RUNNER_DEPLOYMENT_COLUMNS " FROM deployments WHERE id = $1";
constexpr std::string_view kByJob = "SELECT " RUNNER_DEPLOYMENT_COLUMNS
                                    " FROM deployments WHERE pipeline = $1 AND job = $2 ORDER BY id DESC "
                                    "LIMIT 1";
constexpr std::string_view kOfEnvironment =
    "SELECT " RUNNER_DEPLOYMENT_COLUMNS
    " FROM deployments WHERE environment_id = $1 AND ($2 = 0 OR number < $2) ORDER BY number DESC LIMIT $3";
constexpr std::string_view kInState =
    "SELECT " RUNNER_DEPLOYMENT_COLUMNS
    " FROM deployments WHERE ($1 = 0 OR environment_id = $1) AND state = $2 ORDER BY id";
constexpr std::string_view kInsert =
    "INSERT INTO deployments (" RUNNER_DEPLOYMENT_COLUMNS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, "
    "$21, $22, $23, $24, $25)";

#undef RUNNER_DEPLOYMENT_COLUMNS

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxPlan = 4U << 20U;

DeploymentRecord to_deployment(const Row& row) {
  DeploymentRecord record;
  record.id = as_integer(row[0]);
  record.environment = as_integer(row[1]);
  record.number = as_integer(row[2]);
  record.kind = as_text(row[3]);
  record.state = as_text(row[4]);
  record.state_since = as_time(row[5]);
  record.version = as_integer(row[6]);
  record.fence = as_integer(row[7]);
  record.pipeline = as_optional_integer(row[8]);
  record.job = as_text(row[9]);
  record.ref = as_text(row[10]);
  record.sha = as_text(row[11]);
  record.triggered_by = as_text(row[12]);
  record.release = as_text(row[13]);
  record.plan = as_text(row[14]);
  record.fingerprint = as_text(row[15]);
  record.base = as_optional_integer(row[16]);
  record.snapshot = as_text(row[17]);
  record.request = as_text(row[18]);
  record.reason = as_text(row[19]);
  record.forced = as_text(row[20]);
  record.created_at = as_time(row[21]);
  record.expires_at = as_optional_time(row[22]);
  record.locked_at = as_optional_time(row[23]);
  record.finished_at = as_optional_time(row[24]);
  return record;
}

std::vector<DeploymentRecord> to_deployments(const std::vector<Row>& rows) {
  std::vector<DeploymentRecord> records;
  records.reserve(rows.size());
  for (const Row& row : rows) records.push_back(to_deployment(row));
  return records;
}

/// A deployment has another state than `before`. People who made it so have a record of their own.
void write_down(Tx& tx, const DeploymentRecord& deployment, const char* action, const std::string& before) {
  AuditRecord record;
  record.at = deployment.state_since;
  record.actor =
      before.empty() && !deployment.triggered_by.empty() ? deployment.triggered_by : std::string(kAuditSelf);
  record.action = action;
  record.object = "deployment " + std::to_string(deployment.id);
  record.deployment = deployment.id;
  record.before = before;
  record.after = deployment.state;
  record.reason = deployment.reason;
  record.fingerprint = deployment.fingerprint;
  if (const auto environment = Environments(tx).find(deployment.environment)) {
    record.project = environment->project;
    record.environment = environment->name;
  }
  AuditLog(tx).append(std::move(record));
}

}  // namespace

DeploymentRecord Deployments::insert(DeploymentRecord record) {
  check_text("the job", record.job, kMaxText);
  check_text("the ref", record.ref, kMaxText);
  check_text("the plan", record.plan, kMaxPlan);
  record.id = tx_.take_ids("deployments", 1);
  record.number = as_integer(
      tx_.sql().query("SELECT COALESCE(MAX(number), 0) + 1 FROM deployments WHERE environment_id = $1",
                      {record.environment})[0][0]);
  record.version = 0;
  tx_.sql().exec(kInsert, {record.id,
                           record.environment,
                           record.number,
                           record.kind,
                           record.state,
                           to_value(record.state_since),
                           record.version,
                           record.fence,
                           to_value(record.pipeline),
                           record.job,
                           record.ref,
                           record.sha,
                           record.triggered_by,
                           record.release,
                           record.plan,
                           record.fingerprint,
                           to_value(record.base),
                           record.snapshot,
                           record.request,
                           storable_text(record.reason),
                           storable_text(record.forced),
                           to_value(record.created_at),
                           to_value(record.expires_at),
                           to_value(record.locked_at),
                           to_value(record.finished_at)});
  write_down(tx_, record, "deployment.created", "");
  return record;
}

std::optional<DeploymentRecord> Deployments::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kById, {id});
  if (rows.empty()) return std::nullopt;
  return to_deployment(rows[0]);
}

std::optional<DeploymentRecord> Deployments::find(std::int64_t pipeline, const std::string& job) {
  const auto rows = tx_.sql().query(kByJob, {pipeline, job});
  if (rows.empty()) return std::nullopt;
  return to_deployment(rows[0]);
}

std::vector<DeploymentRecord> Deployments::of_environment(std::int64_t environment, std::int64_t before,
                                                          std::size_t limit) {
  return to_deployments(tx_.sql().query(kOfEnvironment, {environment, before, limit_value(limit)}));
}

std::vector<DeploymentRecord> Deployments::in_states(std::int64_t environment,
                                                     const std::vector<std::string>& states) {
  std::vector<DeploymentRecord> all;
  for (const std::string& state : states)
    for (DeploymentRecord& record : to_deployments(tx_.sql().query(kInState, {environment, state})))
      all.push_back(std::move(record));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return all;
}

std::vector<DeploymentRecord> Deployments::in_states(const std::vector<std::string>& states) {
  return in_states(0, states);
}

bool Deployments::replace(DeploymentRecord& record) {
  const auto before = tx_.sql().query("SELECT state FROM deployments WHERE id = $1", {record.id});
  const bool changed =
      tx_.sql().exec(
          "UPDATE deployments SET state = $3, state_since = $4, version = version + 1, fence = $5, "
          "fingerprint = $6, base = $7, snapshot = $8, request = $9, reason = $10, forced = $11, "
          "expires_at = $12, locked_at = $13, finished_at = $14, plan = $15, release = $16 "
          "WHERE id = $1 AND version = $2",
          {record.id, record.version, record.state, to_value(record.state_since), record.fence,
           record.fingerprint, to_value(record.base), record.snapshot, record.request,
           storable_text(record.reason), storable_text(record.forced), to_value(record.expires_at),
           to_value(record.locked_at), to_value(record.finished_at), record.plan, record.release}) == 1;
  if (!changed) return false;
  ++record.version;
  if (as_text(before.at(0)[0]) != record.state)
    write_down(tx_, record, "deployment.state", as_text(before.at(0)[0]));
  return true;
}

bool Deployments::set_request(std::int64_t id, const std::string& request,
                              const std::vector<std::string>& states) {
  const auto record = find(id);
  if (!record || std::find(states.begin(), states.end(), record->state) == states.end()) return false;
  tx_.sql().exec("UPDATE deployments SET request = $2, version = version + 1 WHERE id = $1", {id, request});
  return true;
}

void DeploymentSteps::begin(const StepRecord& step) {
  tx_.sql().exec(
      "INSERT INTO deployment_steps (deployment_id, part, n, unit, slot, action, fence, attempt, begun_at, "
      "done_at, result, message) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, NULL, '', '') "
      "ON CONFLICT (deployment_id, part, n, unit, slot) DO UPDATE SET fence = excluded.fence, "
      "attempt = deployment_steps.attempt + 1, begun_at = excluded.begun_at, done_at = NULL, result = '', "
      "message = ''",
      {step.deployment, step.part, step.n, step.unit, step.slot, step.action, step.fence,
       to_value(step.begun_at)});
}

bool DeploymentSteps::complete(const StepRecord& step) {
  return tx_.sql().exec(
             "UPDATE deployment_steps SET done_at = $7, result = $8, message = $9 WHERE deployment_id = $1 "
             "AND part = $2 AND n = $3 AND unit = $4 AND slot = $5 AND fence = $6",
             {step.deployment, step.part, step.n, step.unit, step.slot, step.fence, to_value(step.done_at),
              step.result, storable_text(step.message)}) == 1;
}

std::vector<StepRecord> DeploymentSteps::of(std::int64_t deployment) {
  std::vector<StepRecord> steps;
  for (const Row& row : tx_.sql().query(
           "SELECT part, n, unit, slot, action, fence, attempt, begun_at, done_at, result, message FROM "
           "deployment_steps WHERE deployment_id = $1 ORDER BY part, n, unit, slot",
           {deployment})) {
    StepRecord step;
    step.deployment = deployment;
    step.part = as_text(row[0]);
    step.n = as_integer(row[1]);
    step.unit = as_text(row[2]);
    step.slot = as_text(row[3]);
    step.action = as_text(row[4]);
    step.fence = as_integer(row[5]);
    step.attempt = as_integer(row[6]);
    step.begun_at = as_time(row[7]);
    step.done_at = as_optional_time(row[8]);
    step.result = as_text(row[9]);
    step.message = as_text(row[10]);
    steps.push_back(std::move(step));
  }
  return steps;
}

void Approvals::put(const ApprovalRecord& approval) {
  check_text("the comment", approval.comment, kMaxText);
  tx_.sql().exec(
      "INSERT INTO approvals (deployment_id, person, decision, fingerprint, comment, method, decided_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (deployment_id, person) DO UPDATE SET "
      "decision = excluded.decision, fingerprint = excluded.fingerprint, comment = excluded.comment, "
      "method = excluded.method, decided_at = excluded.decided_at",
      {approval.deployment, approval.person, approval.decision, approval.fingerprint, approval.comment,
       approval.method, to_value(approval.at)});
}

std::vector<ApprovalRecord> Approvals::of(std::int64_t deployment) {
  std::vector<ApprovalRecord> approvals;
  for (const Row& row : tx_.sql().query(
           "SELECT person, decision, fingerprint, comment, method, decided_at FROM approvals WHERE "
           "deployment_id = $1 ORDER BY decided_at, person",
           {deployment}))
    approvals.push_back({deployment, as_text(row[0]), as_text(row[1]), as_text(row[2]), as_text(row[3]),
                         as_text(row[4]), as_time(row[5])});
  return approvals;
}

}  // namespace runner::storage
