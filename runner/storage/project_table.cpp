#include "runner/storage/project_table.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_PROJECT_COLUMNS                                                                           \
  "id, name, url, branches, tags, pipeline_file, poll_interval_ms, paused, version, created_at, forge, " \
  "forge_api, forge_repository, merge_requests, merge_requests_noted, priority"

constexpr std::string_view kById = "SELECT " RUNNER_PROJECT_COLUMNS " FROM projects WHERE id = $1";
constexpr std::string_view kByName = "SELECT " RUNNER_PROJECT_COLUMNS " FROM projects WHERE name = $1";
constexpr std::string_view kList =
    "SELECT " RUNNER_PROJECT_COLUMNS " FROM projects WHERE name > $1 ORDER BY name LIMIT $2";
constexpr std::string_view kInsert = "INSERT INTO projects (" RUNNER_PROJECT_COLUMNS
                                     ", next_iid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
                                     "$13, $14, 0, $15, 1) ON CONFLICT (name) DO NOTHING";

#undef RUNNER_PROJECT_COLUMNS

#define RUNNER_PIPELINES_OF_PROJECT "(SELECT id FROM pipelines WHERE project_id = $1)"
#define RUNNER_JOBS_OF_PROJECT "(SELECT id FROM jobs WHERE pipeline_id IN " RUNNER_PIPELINES_OF_PROJECT ")"

/// What refers comes before what it refers to.
constexpr std::array<std::string_view, 16> kRemoval = {
    "DELETE FROM effects WHERE job_id IN " RUNNER_JOBS_OF_PROJECT,
    "DELETE FROM job_archives WHERE project_id = $1",
    "DELETE FROM job_results WHERE job_id IN " RUNNER_JOBS_OF_PROJECT,
    "DELETE FROM job_events WHERE job_id IN " RUNNER_JOBS_OF_PROJECT,
    "DELETE FROM jobs WHERE pipeline_id IN " RUNNER_PIPELINES_OF_PROJECT,
    "DELETE FROM pipeline_plans WHERE pipeline_id IN " RUNNER_PIPELINES_OF_PROJECT,
    "DELETE FROM pipelines WHERE project_id = $1",
    "DELETE FROM credentials WHERE project_id = $1",
    "DELETE FROM variables WHERE project_id = $1",
    "DELETE FROM ref_heads WHERE project_id = $1",
    "DELETE FROM deliveries WHERE project_id = $1",
    "DELETE FROM schedules WHERE project_id = $1",
    "DELETE FROM resource_groups WHERE project_id = $1",
    "DELETE FROM status_reports WHERE project_id = $1",
    "DELETE FROM configured WHERE project_id = $1",
    "DELETE FROM projects WHERE id = $1",
};

#undef RUNNER_JOBS_OF_PROJECT
#undef RUNNER_PIPELINES_OF_PROJECT

constexpr std::size_t kMaxText = 4096;

void check(const ProjectRecord& record) {
  if (const auto problem = project_name_problem(record.name)) throw Error(ErrorCode::invalid_input, *problem);
  check_text("the address of the project", record.url, kMaxText);
  check_text("the path of the pipeline file", record.pipeline_file, kMaxText);
  check_text("the name of the forge", record.forge, kMaxText);
  check_text("the address of the forge's API", record.forge_api, kMaxText);
  check_text("the repository's name at the forge", record.forge_repository, kMaxText);
  for (const auto* patterns : {&record.branches, &record.tags}) {
    for (const std::string& pattern : *patterns) {
      check_text("a pattern of branches or tags", pattern, kMaxText);
      if (!pattern.empty() && pattern.find('\n') == std::string::npos) continue;
      throw Error(ErrorCode::invalid_input,
                  "a pattern of branches or tags may not be empty or have line breaks");
    }
  }
  if (record.poll_interval < std::chrono::milliseconds(0)) {
    throw Error(ErrorCode::invalid_input,
                "the poll interval may not be negative; 0 means that it is not polled");
  }
  if (record.priority < -kHighestPriority || record.priority > kHighestPriority)
    throw Error(ErrorCode::invalid_input, "a priority is a number from -100 to 100");
}

[[noreturn]] void throw_taken(const std::string& name) {
  throw Error(ErrorCode::conflict, "there is a project '" + name + "' already; choose another name");
}

/// One pattern a line: no ref has a line break in its name.
std::string to_lines(const std::vector<std::string>& patterns) {
  return join(patterns, "\n");
}

std::vector<std::string> from_lines(const std::string& text) {
  std::vector<std::string> patterns;
  if (text.empty()) return patterns;
  for (const std::string_view line : split(std::string_view(text), '\n')) patterns.emplace_back(line);
  return patterns;
}

ProjectRecord to_project(const Row& row) {
  ProjectRecord project;
  project.id = as_integer(row[0]);
  project.name = as_text(row[1]);
  project.url = as_text(row[2]);
  project.branches = from_lines(as_text(row[3]));
  project.tags = from_lines(as_text(row[4]));
  project.pipeline_file = as_text(row[5]);
  project.poll_interval = std::chrono::milliseconds(as_integer(row[6]));
  project.paused = as_flag(row[7]);
  project.version = as_integer(row[8]);
  project.created_at = as_time(row[9]);
  project.forge = as_text(row[10]);
  project.forge_api = as_text(row[11]);
  project.forge_repository = as_text(row[12]);
  project.merge_requests = as_flag(row[13]);
  project.merge_requests_noted = as_flag(row[14]);
  project.priority = as_integer(row[15]);
  return project;
}

}  // namespace

std::int64_t Projects::insert(const ProjectRecord& record) {
  check(record);
  const std::int64_t id = tx_.take_ids("projects", 1);
  if (tx_.sql().exec(kInsert, {id, record.name, record.url, to_lines(record.branches), to_lines(record.tags),
                               record.pipeline_file, std::int64_t{record.poll_interval.count()},
                               std::int64_t{record.paused}, std::int64_t{0}, to_value(record.created_at),
                               record.forge, record.forge_api, record.forge_repository,
                               std::int64_t{record.merge_requests}, record.priority}) != 1) {
    throw_taken(record.name);
  }
  return id;
}

std::optional<ProjectRecord> Projects::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kById, {id});
  if (rows.empty()) return std::nullopt;
  return to_project(rows[0]);
}

std::optional<ProjectRecord> Projects::find(const std::string& name) {
  // Others cannot be there, and not every database takes every text.
  if (project_name_problem(name)) return std::nullopt;
  const auto rows = tx_.sql().query(kByName, {name});
  if (rows.empty()) return std::nullopt;
  return to_project(rows[0]);
}

std::vector<ProjectRecord> Projects::list(const std::string& after, std::size_t limit) {
  check_text("the name to begin after", after, kMaxText);
  std::vector<ProjectRecord> projects;
  for (const Row& row : tx_.sql().query(kList, {after, limit_value(limit)})) {
    projects.push_back(to_project(row));
  }
  return projects;
}

bool Projects::replace(const ProjectRecord& next, std::int64_t expected_version) {
  check(next);
  if (const auto other = find(next.name); other && other->id != next.id) throw_taken(next.name);
  return tx_.sql().exec(
             "UPDATE projects SET version = $2 + 1, name = $3, url = $4, branches = $5, tags = $6, "
             "pipeline_file = $7, poll_interval_ms = $8, paused = $9, forge = $10, forge_api = $11, "
             "forge_repository = $12, merge_requests = $13, priority = $14, "
             "merge_requests_noted = merge_requests_noted * $13 WHERE id = $1 AND version = $2",
             {next.id, expected_version, next.name, next.url, to_lines(next.branches), to_lines(next.tags),
              next.pipeline_file, std::int64_t{next.poll_interval.count()}, std::int64_t{next.paused},
              next.forge, next.forge_api, next.forge_repository, std::int64_t{next.merge_requests},
              next.priority}) == 1;
}

void Projects::note_merge_requests(std::int64_t id) {
  tx_.sql().exec("UPDATE projects SET merge_requests_noted = merge_requests WHERE id = $1", {id});
}

bool Projects::remove(std::int64_t id) {
  const auto unfinished = tx_.sql().query(
      "SELECT COUNT(*) FROM pipelines WHERE project_id = $1 "
      "AND status NOT IN ('success', 'failed', 'canceled', 'skipped')",
      {id});
  if (const std::int64_t count = as_integer(unfinished[0][0]); count != 0) {
    throw Error(ErrorCode::conflict,
                "the project has " + format_count(static_cast<std::uint64_t>(count), "unfinished pipeline") +
                    "; cancel what runs, or wait for its end");
  }
  std::int64_t removed = 0;
  for (const std::string_view statement : kRemoval) removed = tx_.sql().exec(statement, {id});
  return removed != 0;
}

std::int64_t Projects::take_iid(std::int64_t id) {
  const auto rows =
      tx_.sql().query("UPDATE projects SET next_iid = next_iid + 1 WHERE id = $1 RETURNING next_iid", {id});
  if (rows.empty()) throw Error(ErrorCode::not_found, "there is no project " + std::to_string(id));
  return as_integer(rows[0][0]) - 1;
}

}  // namespace runner::storage
