#include "runner/storage/tables.h"

#include <string>
#include <string_view>

#include "runner/base/error.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_JOB_COLUMNS                                                                                  \
  "id, version, pipeline_id, plan_index, attempt, name, stage, status, allow_failure, failure, exit_code, " \
  "reason, created_at, scheduled_at, queued_at, started_at, finished_at"

constexpr std::string_view kJobById = "SELECT " RUNNER_JOB_COLUMNS " FROM jobs WHERE id = $1";
constexpr std::string_view kJobsOfPipeline =
    "SELECT " RUNNER_JOB_COLUMNS " FROM jobs WHERE pipeline_id = $1 ORDER BY plan_index, attempt";
constexpr std::string_view kInsertJob =
    "INSERT INTO jobs (" RUNNER_JOB_COLUMNS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

#undef RUNNER_JOB_COLUMNS

Value failure_value(const JobRecord& job) {
  if (!job.failure) return std::monostate{};
  return std::string(pipelines::to_string(*job.failure));
}

Value exit_code_value(const JobRecord& job) {
  if (!job.exit_code) return std::monostate{};
  return static_cast<std::int64_t>(*job.exit_code);
}

std::optional<pipelines::FailureReason> failure_of(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
  if (const auto reason = pipelines::parse_failure_reason(as_text(value))) return reason;
  throw Error(ErrorCode::corrupt, "unknown failure reason '" + as_text(value) + "' in the database");
}

JobRecord to_job(const Row& row) {
  JobRecord job;
  job.id = as_integer(row[0]);
  job.version = as_integer(row[1]);
  job.pipeline = as_integer(row[2]);
  job.plan_index = static_cast<std::size_t>(as_integer(row[3]));
  job.attempt = static_cast<int>(as_integer(row[4]));
  job.name = as_text(row[5]);
  job.stage = as_text(row[6]);
  job.status = as_status(row[7]);
  job.allow_failure = as_integer(row[8]) != 0;
  job.failure = failure_of(row[9]);
  if (const auto code = as_optional_integer(row[10])) job.exit_code = static_cast<int>(*code);
  job.reason = as_text(row[11]);
  job.created_at = as_time(row[12]);
  job.scheduled_at = as_optional_time(row[13]);
  job.queued_at = as_optional_time(row[14]);
  job.started_at = as_optional_time(row[15]);
  job.finished_at = as_optional_time(row[16]);
  return job;
}

}  // namespace

std::optional<JobRecord> Jobs::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kJobById, {id});
  if (rows.empty()) return std::nullopt;
  return to_job(rows[0]);
}

std::vector<JobRecord> Jobs::of_pipeline(std::int64_t pipeline) {
  std::vector<JobRecord> jobs;
  for (const Row& row : tx_.sql().query(kJobsOfPipeline, {pipeline})) jobs.push_back(to_job(row));
  return jobs;
}

void Jobs::insert(const JobRecord& job) {
  tx_.sql().exec(kInsertJob, {job.id, job.version, job.pipeline, static_cast<std::int64_t>(job.plan_index),
                              std::int64_t{job.attempt}, job.name, job.stage, to_value(job.status),
                              std::int64_t{job.allow_failure}, failure_value(job), exit_code_value(job),
                              job.reason, to_value(job.created_at), to_value(job.scheduled_at),
                              to_value(job.queued_at), to_value(job.started_at), to_value(job.finished_at)});
}

bool Jobs::replace(const JobRecord& next, std::int64_t expected_version) {
  return tx_.sql().exec(
             "UPDATE jobs SET version = $3, status = $4, allow_failure = $5, failure = $6, exit_code = $7, "
             "reason = $8, scheduled_at = $9, queued_at = $10, started_at = $11, finished_at = $12 "
             "WHERE id = $1 AND version = $2",
             {next.id, expected_version, next.version, to_value(next.status),
              std::int64_t{next.allow_failure}, failure_value(next), exit_code_value(next), next.reason,
              to_value(next.scheduled_at), to_value(next.queued_at), to_value(next.started_at),
              to_value(next.finished_at)}) == 1;
}

void Events::append(const EventRecord& event) {
  tx_.sql().exec(
      "INSERT INTO job_events (job_id, version, kind, from_status, to_status, detail, happened_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      {event.job, event.version, event.kind, to_value(event.from), to_value(event.to), event.detail,
       to_value(event.at)});
}

std::vector<EventRecord> Events::of_job(std::int64_t job) {
  std::vector<EventRecord> events;
  for (const Row& row :
       tx_.sql().query("SELECT job_id, version, kind, from_status, to_status, detail, happened_at "
                       "FROM job_events WHERE job_id = $1 ORDER BY version",
                       {job})) {
    events.push_back({as_integer(row[0]), as_integer(row[1]), as_text(row[2]), as_status(row[3]),
                      as_status(row[4]), as_text(row[5]), as_time(row[6])});
  }
  return events;
}

}  // namespace runner::storage
