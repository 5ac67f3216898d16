#include "runner/storage/artifact_table.h"

#include "runner/base/error.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_ARTIFACT_COLUMNS                                                                   \
  "id, project, run, ref, sha, job, job_status, name, kind, format, path, sha256, bytes, files, " \
  "created_at, "                                                                                  \
  "expires_at, expose_as, access"

// Numbers of runs grow with time; within one, the jobs that ended last come first.
#define RUNNER_ARTIFACT_ORDER " ORDER BY created_at DESC, run DESC, kind, id DESC"

constexpr std::string_view kInsert =
    "INSERT INTO artifacts (" RUNNER_ARTIFACT_COLUMNS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
constexpr std::string_view kById = "SELECT " RUNNER_ARTIFACT_COLUMNS " FROM artifacts WHERE id = $1";
constexpr std::string_view kAll = "SELECT " RUNNER_ARTIFACT_COLUMNS " FROM artifacts" RUNNER_ARTIFACT_ORDER;
constexpr std::string_view kOfProject =
    "SELECT " RUNNER_ARTIFACT_COLUMNS " FROM artifacts WHERE project = $1" RUNNER_ARTIFACT_ORDER;

#undef RUNNER_ARTIFACT_COLUMNS
#undef RUNNER_ARTIFACT_ORDER

ArtifactKind as_kind(const Value& value) {
  const std::string& text = as_text(value);
  for (const ArtifactKind kind : {ArtifactKind::archive, ArtifactKind::reports}) {
    if (text == to_string(kind)) return kind;
  }
  throw Error(ErrorCode::corrupt, "unknown kind of artifact '" + text + "' in the database");
}

ArtifactRecord to_artifact(const Row& row) {
  ArtifactRecord artifact;
  artifact.id = as_integer(row[0]);
  artifact.project = as_text(row[1]);
  artifact.run = as_integer(row[2]);
  artifact.ref = as_text(row[3]);
  artifact.sha = as_text(row[4]);
  artifact.job = as_text(row[5]);
  artifact.job_status = as_status(row[6]);
  artifact.name = as_text(row[7]);
  artifact.kind = as_kind(row[8]);
  artifact.format = as_text(row[9]);
  artifact.path = as_text(row[10]);
  artifact.sha256 = as_text(row[11]);
  artifact.bytes = static_cast<std::uint64_t>(as_integer(row[12]));
  artifact.files = static_cast<std::uint64_t>(as_integer(row[13]));
  artifact.created_at = as_time(row[14]);
  artifact.expires_at = as_optional_time(row[15]);
  artifact.expose_as = as_text(row[16]);
  artifact.access = as_text(row[17]);
  return artifact;
}

}  // namespace

std::string_view to_string(ArtifactKind kind) noexcept {
  return kind == ArtifactKind::archive ? "archive" : "reports";
}

std::int64_t Artifacts::insert(const ArtifactRecord& record) {
  const std::int64_t id = tx_.take_ids("artifacts", 1);
  tx_.sql().exec(kInsert, {id, record.project, record.run, record.ref, record.sha, record.job,
                           to_value(record.job_status), record.name, std::string(to_string(record.kind)),
                           record.format, record.path, record.sha256, static_cast<std::int64_t>(record.bytes),
                           static_cast<std::int64_t>(record.files), to_value(record.created_at),
                           to_value(record.expires_at), record.expose_as, record.access});
  return id;
}

std::optional<ArtifactRecord> Artifacts::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kById, {id});
  if (rows.empty()) return std::nullopt;
  return to_artifact(rows[0]);
}

std::vector<ArtifactRecord> Artifacts::list(const std::optional<std::string>& project) {
  const auto rows = project ? tx_.sql().query(kOfProject, {*project}) : tx_.sql().query(kAll, {});
  std::vector<ArtifactRecord> artifacts;
  artifacts.reserve(rows.size());
  for (const Row& row : rows) artifacts.push_back(to_artifact(row));
  return artifacts;
}

std::int64_t Artifacts::count_of_digest(const std::string& sha256, const std::string& format) {
  const auto rows =
      tx_.sql().query("SELECT COUNT(*) FROM artifacts WHERE sha256 = $1 AND format = $2", {sha256, format});
  return as_integer(rows[0][0]);
}

void Artifacts::remove(std::int64_t id) {
  tx_.sql().exec("DELETE FROM artifacts WHERE id = $1", {id});
}

}  // namespace runner::storage
