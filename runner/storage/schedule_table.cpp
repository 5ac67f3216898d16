#include "runner/storage/schedule_table.h"

#include "runner/base/error.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_SCHEDULE_COLUMNS                                                                  \
  "id, project_id, description, cron, time_zone, ref, active, owner, next_run_at, last_run_at, " \
  "version, created_at, reckoned_at"
#define RUNNER_SCHEDULE_STATE ", retry_at, failures, last_error, last_pipeline"

constexpr std::string_view kById =
    "SELECT " RUNNER_SCHEDULE_COLUMNS RUNNER_SCHEDULE_STATE " FROM schedules WHERE id = $1";
constexpr std::string_view kOfProject =
    "SELECT " RUNNER_SCHEDULE_COLUMNS RUNNER_SCHEDULE_STATE
    " FROM schedules WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT $3";
constexpr std::string_view kDue =
    "SELECT " RUNNER_SCHEDULE_COLUMNS RUNNER_SCHEDULE_STATE
    " FROM schedules WHERE active = 1 AND next_run_at <= $1 "
    "AND (retry_at IS NULL OR retry_at <= $1 OR retry_at > $3) ORDER BY next_run_at, id LIMIT $2";
constexpr std::string_view kReckonedAfter =
    "SELECT " RUNNER_SCHEDULE_COLUMNS RUNNER_SCHEDULE_STATE
    " FROM schedules WHERE active = 1 AND reckoned_at > $1 ORDER BY id LIMIT $2";
constexpr std::string_view kInsert =
    "INSERT INTO schedules (" RUNNER_SCHEDULE_COLUMNS
    ", variables) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, 0, $10, $11, $12)";

#undef RUNNER_SCHEDULE_STATE
#undef RUNNER_SCHEDULE_COLUMNS

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxVariables = 1U << 20U;

SealPlace place_of(std::int64_t id) noexcept {
  return {"schedules", "variables", id};
}

void check(const ScheduleRecord& record, std::optional<std::string_view> variables) {
  check_text("the description", record.description, kMaxText);
  check_text("the cron expression", record.cron, kMaxText);
  check_text("the time zone", record.time_zone, kMaxText);
  check_text("the ref", record.ref, kMaxText);
  check_text("the owner", record.owner, kMaxText);
  if (variables) check_text("the variables", *variables, kMaxVariables);
}

ScheduleRecord to_schedule(const Row& row) {
  ScheduleRecord schedule;
  schedule.id = as_integer(row[0]);
  schedule.project = as_integer(row[1]);
  schedule.description = as_text(row[2]);
  schedule.cron = as_text(row[3]);
  schedule.time_zone = as_text(row[4]);
  schedule.ref = as_text(row[5]);
  schedule.active = as_flag(row[6]);
  schedule.owner = as_text(row[7]);
  schedule.next_run_at = as_optional_time(row[8]);
  schedule.last_run_at = as_optional_time(row[9]);
  schedule.version = as_integer(row[10]);
  schedule.created_at = as_time(row[11]);
  schedule.reckoned_at = as_time(row[12]);
  schedule.retry_at = as_optional_time(row[13]);
  schedule.failures = as_integer(row[14]);
  schedule.last_error = as_text(row[15]);
  schedule.last_pipeline = as_optional_integer(row[16]);
  return schedule;
}

std::vector<ScheduleRecord> to_schedules(const std::vector<Row>& rows) {
  std::vector<ScheduleRecord> schedules;
  schedules.reserve(rows.size());
  for (const Row& row : rows) schedules.push_back(to_schedule(row));
  return schedules;
}

}  // namespace

std::int64_t Schedules::insert(const ScheduleRecord& record, std::string_view variables) {
  check(record, variables);
  check_project(tx_, record.project);
  const std::int64_t id = tx_.take_ids("schedules", 1);
  tx_.sql().exec(kInsert, {id, record.project, record.description, record.cron, record.time_zone, record.ref,
                           std::int64_t{record.active}, record.owner, to_value(record.next_run_at),
                           to_value(record.created_at), to_value(record.reckoned_at),
                           sealer_.seal(variables, place_of(id))});
  return id;
}

std::optional<ScheduleRecord> Schedules::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kById, {id});
  if (rows.empty()) return std::nullopt;
  return to_schedule(rows[0]);
}

std::vector<ScheduleRecord> Schedules::of_project(std::int64_t project, std::int64_t after,
                                                  std::size_t limit) {
  return to_schedules(tx_.sql().query(kOfProject, {project, after, limit_value(limit)}));
}

std::optional<Secret> Schedules::variables(std::int64_t id) {
  const auto rows = tx_.sql().query("SELECT variables FROM schedules WHERE id = $1", {id});
  if (rows.empty()) return std::nullopt;
  return sealer_.open(as_bytes(rows[0][0]), place_of(id));
}

std::vector<ScheduleRecord> Schedules::due(TimePoint now, std::size_t limit) {
  return to_schedules(
      tx_.sql().query(kDue, {to_value(now), limit_value(limit), to_value(now + kLongestRetry)}));
}

std::optional<TimePoint> Schedules::next_due(TimePoint after) {
  return as_optional_time(
      tx_.sql().query("SELECT MIN(COALESCE(retry_at, next_run_at)) FROM schedules "
                      "WHERE active = 1 AND next_run_at IS NOT NULL AND COALESCE(retry_at, next_run_at) > $1",
                      {to_value(after)})[0][0]);
}

std::vector<ScheduleRecord> Schedules::reckoned_after(TimePoint time, std::size_t limit) {
  return to_schedules(tx_.sql().query(kReckonedAfter, {to_value(time), limit_value(limit)}));
}

bool Schedules::replace(const ScheduleRecord& next, std::int64_t expected_version,
                        std::optional<std::string_view> variables) {
  check(next, variables);
  const bool written =
      tx_.sql().exec(
          "UPDATE schedules SET version = $2 + 1, description = $3, cron = $4, time_zone = $5, ref = $6, "
          "active = $7, owner = $8, next_run_at = $9, reckoned_at = $10, retry_at = NULL, failures = 0, "
          "last_error = '' WHERE id = $1 AND version = $2",
          {next.id, expected_version, next.description, next.cron, next.time_zone, next.ref,
           std::int64_t{next.active}, next.owner, to_value(next.next_run_at), to_value(next.reckoned_at)}) ==
      1;
  if (written && variables) {
    tx_.sql().exec("UPDATE schedules SET variables = $2 WHERE id = $1",
                   {next.id, sealer_.seal(*variables, place_of(next.id))});
  }
  return written;
}

bool Schedules::advance(std::int64_t id, TimePoint due, std::optional<TimePoint> next, TimePoint ran_at,
                        const ScheduleOutcome& outcome) {
  check_text("the error", outcome.error, kMaxText);
  // A run without a pipeline leaves what the one before it had.
  return tx_.sql().exec(
             "UPDATE schedules SET next_run_at = $3, last_run_at = $4, reckoned_at = $4, retry_at = NULL, "
             "failures = 0, last_error = $5, last_pipeline = COALESCE($6, last_pipeline) "
             "WHERE id = $1 AND next_run_at = $2 AND active = 1",
             {id, to_value(due), to_value(next), to_value(ran_at), outcome.error,
              to_value(outcome.pipeline)}) == 1;
}

bool Schedules::put_off(std::int64_t id, TimePoint due, TimePoint retry_at, std::string_view error) {
  check_text("the error", error, kMaxText);
  return tx_.sql().exec(
             "UPDATE schedules SET retry_at = $3, failures = failures + 1, last_error = $4 "
             "WHERE id = $1 AND next_run_at = $2 AND active = 1",
             {id, to_value(due), to_value(retry_at), std::string(error)}) == 1;
}

bool Schedules::reckon_anew(std::int64_t id, TimePoint due, std::optional<TimePoint> next, TimePoint now) {
  return tx_.sql().exec(
             "UPDATE schedules SET next_run_at = $3, reckoned_at = $4, retry_at = NULL "
             "WHERE id = $1 AND next_run_at = $2 AND active = 1",
             {id, to_value(due), to_value(next), to_value(now)}) == 1;
}

void Schedules::played(std::int64_t id, std::int64_t pipeline, TimePoint at) {
  tx_.sql().exec("UPDATE schedules SET last_run_at = $3, last_pipeline = $2 WHERE id = $1",
                 {id, pipeline, to_value(at)});
}

void Schedules::remove(std::int64_t id) {
  tx_.sql().exec("DELETE FROM schedules WHERE id = $1", {id});
}

}  // namespace runner::storage
