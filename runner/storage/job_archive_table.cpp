#include "runner/storage/job_archive_table.h"

#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_JOB_ARCHIVE_COLUMNS \
  "job_id, kind, project_id, pipeline_id, ref, job, success, path, created_at, expires_at"

constexpr std::string_view kInsert = "INSERT INTO job_archives (" RUNNER_JOB_ARCHIVE_COLUMNS
                                     ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
                                     "ON CONFLICT (job_id, kind) DO NOTHING";
constexpr std::string_view kByJob =
    "SELECT " RUNNER_JOB_ARCHIVE_COLUMNS " FROM job_archives WHERE job_id = $1 AND kind = $2";
constexpr std::string_view kByPipeline =
    "SELECT " RUNNER_JOB_ARCHIVE_COLUMNS " FROM job_archives WHERE pipeline_id = $1 ORDER BY job_id, kind";
constexpr std::string_view kExpired =
    "SELECT " RUNNER_JOB_ARCHIVE_COLUMNS
    " FROM job_archives AS old WHERE expires_at <= $1 AND (success = 0 OR EXISTS "
    "(SELECT 1 FROM job_archives AS newer WHERE newer.project_id = old.project_id AND newer.ref = old.ref "
    "AND newer.job = old.job AND newer.pipeline_id > old.pipeline_id AND newer.success = 1)) "
    "ORDER BY expires_at, job_id, kind LIMIT $2";

#undef RUNNER_JOB_ARCHIVE_COLUMNS

JobArchiveRecord to_record(const Row& row) {
  JobArchiveRecord record;
  record.job = as_integer(row[0]);
  record.kind = as_enumerator(row[1], {ArtifactKind::archive, ArtifactKind::reports}, "kind of artifact");
  record.project = as_integer(row[2]);
  record.pipeline = as_integer(row[3]);
  record.ref = as_text(row[4]);
  record.name = as_text(row[5]);
  record.success = as_flag(row[6]);
  record.path = as_text(row[7]);
  record.created_at = as_time(row[8]);
  record.expires_at = as_optional_time(row[9]);
  return record;
}

std::vector<JobArchiveRecord> to_records(const std::vector<Row>& rows) {
  std::vector<JobArchiveRecord> records;
  records.reserve(rows.size());
  for (const Row& row : rows) records.push_back(to_record(row));
  return records;
}

}  // namespace

void JobArchives::put(const JobArchiveRecord& record) {
  tx_.sql().exec(kInsert, {record.job, std::string(to_string(record.kind)), record.project, record.pipeline,
                           record.ref, record.name, std::int64_t{record.success}, record.path,
                           to_value(record.created_at), to_value(record.expires_at)});
}

std::optional<JobArchiveRecord> JobArchives::find(std::int64_t job, ArtifactKind kind) {
  const auto rows = tx_.sql().query(kByJob, {job, std::string(to_string(kind))});
  if (rows.empty()) return std::nullopt;
  return to_record(rows[0]);
}

std::vector<JobArchiveRecord> JobArchives::of_pipeline(std::int64_t pipeline) {
  return to_records(tx_.sql().query(kByPipeline, {pipeline}));
}

std::vector<JobArchiveRecord> JobArchives::expired(TimePoint now, std::size_t limit) {
  return to_records(tx_.sql().query(kExpired, {to_value(now), limit_value(limit)}));
}

bool JobArchives::remove(const JobArchiveRecord& record) {
  tx_.sql().exec("DELETE FROM job_archives WHERE job_id = $1 AND kind = $2",
                 {record.job, std::string(to_string(record.kind))});
  return !names(record.path);
}

bool JobArchives::names(const std::string& path) {
  return !tx_.sql().query("SELECT 1 FROM job_archives WHERE path = $1 LIMIT 1", {path}).empty();
}

}  // namespace runner::storage
