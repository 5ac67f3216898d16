#include <string_view>

#include "runner/base/error.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_ENVIRONMENT_COLUMNS \
  "id, project, name, protection, version, fence, holder, current_deployment, created_at"

constexpr std::string_view kById = "SELECT " RUNNER_ENVIRONMENT_COLUMNS " FROM environments WHERE id = $1";
constexpr std::string_view kByName =
    "SELECT " RUNNER_ENVIRONMENT_COLUMNS " FROM environments WHERE project = $1 AND name = $2";
constexpr std::string_view kOfProject =
    "SELECT " RUNNER_ENVIRONMENT_COLUMNS " FROM environments WHERE project = $1 ORDER BY name";
constexpr std::string_view kProtected =
    "SELECT " RUNNER_ENVIRONMENT_COLUMNS " FROM environments WHERE protection <> '' ORDER BY id";
constexpr std::string_view kInsert =
    "INSERT INTO environments (" RUNNER_ENVIRONMENT_COLUMNS ") VALUES ($1, $2, $3, '', 0, 0, NULL, NULL, $4)";

#undef RUNNER_ENVIRONMENT_COLUMNS

constexpr std::size_t kMaxEnvironmentName = 255;

EnvironmentRecord to_environment(const Row& row) {
  return {as_integer(row[0]),
          as_text(row[1]),
          as_text(row[2]),
          as_text(row[3]),
          as_integer(row[4]),
          as_integer(row[5]),
          as_optional_integer(row[6]),
          as_optional_integer(row[7]),
          as_time(row[8])};
}

}  // namespace

EnvironmentRecord Environments::of(const std::string& project, const std::string& name, TimePoint now) {
  if (auto found = find(project, name)) return *std::move(found);
  check_text("the name of the environment", name, kMaxEnvironmentName);
  const std::int64_t id = tx_.take_ids("environments", 1);
  tx_.sql().exec(kInsert, {id, project, name, to_value(now)});
  return *find(id);
}

std::optional<EnvironmentRecord> Environments::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kById, {id});
  if (rows.empty()) return std::nullopt;
  return to_environment(rows[0]);
}

std::optional<EnvironmentRecord> Environments::find(const std::string& project, const std::string& name) {
  const auto rows = tx_.sql().query(kByName, {project, name});
  if (rows.empty()) return std::nullopt;
  return to_environment(rows[0]);
}

std::vector<EnvironmentRecord> Environments::of_project(const std::string& project) {
  std::vector<EnvironmentRecord> all;
  for (const Row& row : tx_.sql().query(kOfProject, {project})) all.push_back(to_environment(row));
  return all;
}

std::vector<EnvironmentRecord> Environments::protected_ones() {
  std::vector<EnvironmentRecord> all;
  for (const Row& row : tx_.sql().query(kProtected, {})) all.push_back(to_environment(row));
  return all;
}

bool Environments::set_protection(std::int64_t id, const std::string& protection, std::int64_t version) {
  return tx_.sql().exec(
             "UPDATE environments SET protection = $2, version = version + 1 WHERE id = $1 AND version = $3",
             {id, protection, version}) == 1;
}

std::optional<std::int64_t> Environments::lock(std::int64_t id, std::int64_t deployment,
                                               std::int64_t at_least) {
  const std::int64_t taken = tx_.sql().exec(
      "UPDATE environments SET holder = $2, fence = CASE WHEN fence > $3 THEN fence ELSE $3 END + 1 "
      "WHERE id = $1 AND (holder IS NULL OR holder = $2)",
      {id, deployment, at_least});
  if (taken != 1) return std::nullopt;
  return find(id)->fence;
}

void Environments::unlock(std::int64_t id, std::int64_t deployment) {
  tx_.sql().exec("UPDATE environments SET holder = NULL WHERE id = $1 AND holder = $2", {id, deployment});
}

void Environments::set_current(std::int64_t id, std::int64_t deployment) {
  tx_.sql().exec("UPDATE environments SET current_deployment = $2 WHERE id = $1", {id, deployment});
}

}  // namespace runner::storage
