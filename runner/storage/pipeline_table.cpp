#include "runner/storage/pipeline_table.h"

#include "runner/base/error.h"
#include "runner/storage/project_table.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_PIPELINE_COLUMNS                                                                 \
  "id, version, project, name, source, ref, sha, status, created_at, started_at, finished_at, " \
  "project_id, iid, before_sha, once_key, priority, started_by, resource_groups"

constexpr std::string_view kSelect = "SELECT " RUNNER_PIPELINE_COLUMNS " FROM pipelines";
constexpr std::string_view kById = "SELECT " RUNNER_PIPELINE_COLUMNS " FROM pipelines WHERE id = $1";
constexpr std::string_view kByIid =
    "SELECT " RUNNER_PIPELINE_COLUMNS " FROM pipelines WHERE project_id = $1 AND iid = $2";
// The same words as the index `pipelines_unfinished` has, which is how databases know that it fits.
constexpr std::string_view kUnfinished =
    "SELECT " RUNNER_PIPELINE_COLUMNS
    " FROM pipelines WHERE status NOT IN ('success', 'failed', 'canceled', 'skipped') ORDER BY id";
constexpr std::string_view kInsert =
    "INSERT INTO pipelines (" RUNNER_PIPELINE_COLUMNS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) "
    "ON CONFLICT (once_key) DO NOTHING";

#undef RUNNER_PIPELINE_COLUMNS

// Of those the ones that wait for room and for nothing else: none of their jobs ever ran, none of them waits
// for a time, and nobody waits for them.
constexpr std::string_view kWaiting =
    " FROM pipelines p JOIN projects ON projects.id = p.project_id "
    "WHERE p.status NOT IN ('success', 'failed', 'canceled', 'skipped') "
    "AND p.status = 'pending' AND p.started_at IS NULL AND p.resource_groups = 0 "
    "AND NOT EXISTS (SELECT 1 FROM jobs WHERE pipeline_id = p.id AND status = 'scheduled') ";

PipelineRecord to_pipeline(const Row& row) {
  PipelineRecord pipeline;
  pipeline.id = as_integer(row[0]);
  pipeline.version = as_integer(row[1]);
  pipeline.project = as_text(row[2]);
  pipeline.name = as_text(row[3]);
  pipeline.source = as_text(row[4]);
  pipeline.ref = as_text(row[5]);
  pipeline.sha = as_text(row[6]);
  pipeline.status = as_status(row[7]);
  pipeline.created_at = as_time(row[8]);
  pipeline.started_at = as_optional_time(row[9]);
  pipeline.finished_at = as_optional_time(row[10]);
  pipeline.project_id = as_optional_integer(row[11]);
  pipeline.iid = as_optional_integer(row[12]);
  pipeline.before_sha = as_text(row[13]);
  pipeline.once_key = as_optional_text(row[14]);
  pipeline.priority = as_integer(row[15]);
  pipeline.started_by = as_text(row[16]);
  pipeline.resource_groups = as_flag(row[17]);
  return pipeline;
}

std::optional<PipelineRecord> first(const std::vector<Row>& rows) {
  if (rows.empty()) return std::nullopt;
  return to_pipeline(rows[0]);
}

std::vector<PipelineRecord> to_pipelines(const std::vector<Row>& rows) {
  std::vector<PipelineRecord> pipelines;
  pipelines.reserve(rows.size());
  for (const Row& row : rows) pipelines.push_back(to_pipeline(row));
  return pipelines;
}

SealPlace plan_of(std::int64_t id) noexcept {
  return {"pipeline_plans", "plan", id};
}

SealPlace facts_of(std::int64_t id) noexcept {
  return {"pipeline_plans", "facts", id};
}

}  // namespace

std::string push_once_key(std::int64_t project, std::string_view ref, std::string_view sha) {
  // No ref ends in a slash, and no commit id has one, so that different parts give different keys.
  return std::to_string(project) + "/" + std::string(ref) + "/" + std::string(sha);
}

std::optional<PipelineRecord> Pipelines::find(std::int64_t id) {
  return first(tx_.sql().query(kById, {id}));
}

std::optional<PipelineRecord> Pipelines::find_iid(std::int64_t project, std::int64_t iid) {
  return first(tx_.sql().query(kByIid, {project, iid}));
}

std::int64_t Pipelines::write(const PipelineRecord& record, std::int64_t& id) {
  std::optional<std::int64_t> iid = record.iid;
  if (record.project_id && !iid) iid = Projects(tx_).take_iid(*record.project_id);
  if (record.id == 0) {
    id = tx_.take_ids("pipelines", 1);
  } else {
    id = record.id;
    tx_.sql().exec("UPDATE sequences SET value = $2 WHERE name = $1 AND value < $2",
                   {std::string("pipelines"), id});
  }
  return tx_.sql().exec(
      kInsert,
      {id, record.version, record.project, record.name, record.source, record.ref, record.sha,
       to_value(record.status), to_value(record.created_at), to_value(record.started_at),
       to_value(record.finished_at), to_value(record.project_id), to_value(iid), record.before_sha,
       to_value(record.once_key), record.priority, record.started_by, std::int64_t{record.resource_groups}});
}

std::int64_t Pipelines::insert(const PipelineRecord& record) {
  std::int64_t id = 0;
  if (write(record, id) != 1) {
    throw Error(ErrorCode::conflict, "there is a pipeline '" + record.once_key.value_or("") + "' already");
  }
  return id;
}

std::optional<std::int64_t> Pipelines::insert_once(const PipelineRecord& record) {
  // Looked for first, so that what is there already takes no id and no iid.
  if (record.once_key &&
      !tx_.sql().query("SELECT 1 FROM pipelines WHERE once_key = $1", {*record.once_key}).empty()) {
    return std::nullopt;
  }
  std::int64_t id = 0;
  if (write(record, id) != 1) return std::nullopt;
  return id;
}

bool Pipelines::replace(const PipelineRecord& next, std::int64_t expected_version) {
  return tx_.sql().exec(
             "UPDATE pipelines SET version = $3, status = $4, started_at = $5, finished_at = $6 "
             "WHERE id = $1 AND version = $2",
             {next.id, expected_version, next.version, to_value(next.status), to_value(next.started_at),
              to_value(next.finished_at)}) == 1;
}

std::vector<PipelineRecord> Pipelines::list(const PipelineFilter& filter, std::size_t limit) {
  std::string sql(kSelect);
  std::vector<Value> args;
  const auto must = [&](const char* condition, Value value) {
    args.push_back(std::move(value));
    sql += args.size() == 1 ? " WHERE " : " AND ";
    sql += condition + std::to_string(args.size());
  };
  if (filter.project_id) must("project_id = $", *filter.project_id);
  if (filter.ref) must("ref = $", *filter.ref);
  if (filter.source) must("source = $", *filter.source);
  if (filter.status) must("status = $", to_value(*filter.status));
  if (filter.before) must("id < $", *filter.before);
  args.push_back(limit_value(limit));
  sql += " ORDER BY id DESC LIMIT $" + std::to_string(args.size());
  return to_pipelines(tx_.sql().query(sql, args));
}

std::vector<PipelineRecord> Pipelines::unfinished() {
  return to_pipelines(tx_.sql().query(kUnfinished, {}));
}

std::vector<WaitingPipeline> Pipelines::waiting() {
  std::vector<WaitingPipeline> all;
  for (const Row& row : tx_.sql().query(
           "SELECT p.id, projects.name, p.priority" + std::string(kWaiting) + "ORDER BY p.id", {})) {
    all.push_back({as_integer(row[0]), as_text(row[1]), as_integer(row[2]), {}});
  }
  auto of = all.begin();
  for (const Row& row : tx_.sql().query("SELECT pipeline_id, plan_index FROM jobs WHERE status = 'pending' "
                                        "AND pipeline_id IN (SELECT p.id" +
                                            std::string(kWaiting) + ") ORDER BY pipeline_id, plan_index",
                                        {})) {
    while (of->id != as_integer(row[0])) ++of;
    of->pending.push_back(static_cast<std::size_t>(as_integer(row[1])));
  }
  return all;
}

std::vector<std::string> Pipelines::newer_sources(std::int64_t project, std::string_view sha,
                                                  std::int64_t id) {
  std::vector<std::string> sources;
  for (const Row& row :
       tx_.sql().query("SELECT DISTINCT source FROM pipelines WHERE project_id = $1 AND id > $2 AND sha = $3",
                       {project, id, std::string(sha)})) {
    sources.push_back(as_text(row[0]));
  }
  return sources;
}

void Pipelines::keep_frozen(std::int64_t id, std::string_view plan, std::string_view facts,
                            const Sealer& sealer) {
  tx_.sql().exec("INSERT INTO pipeline_plans (pipeline_id, plan, facts) VALUES ($1, $2, $3)",
                 {id, sealer.seal(plan, plan_of(id)), sealer.seal(facts, facts_of(id))});
}

std::optional<FrozenPipeline> Pipelines::frozen(std::int64_t id, const Sealer& sealer) {
  const auto rows = tx_.sql().query("SELECT plan, facts FROM pipeline_plans WHERE pipeline_id = $1", {id});
  if (rows.empty()) return std::nullopt;
  return FrozenPipeline{sealer.open(as_bytes(rows[0][0]), plan_of(id)),
                        sealer.open(as_bytes(rows[0][1]), facts_of(id))};
}

}  // namespace runner::storage
