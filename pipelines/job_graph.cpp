// parallel, needs, dependencies.

#include <string>

#include "pipelines/document.h"
#include "pipelines/job_model.h"
#include "pipelines/variables.h"

namespace runner::pipelines {
namespace {

constexpr std::int64_t kMaxInstances = 200;
constexpr std::size_t kMaxNeeds = 50;
constexpr std::size_t kMaxForeignNeeds = 5;

std::vector<std::string> read_matrix_values(Shapes& in, const std::string& path, const Node& node) {
  std::vector<std::string> values;
  if (node.is_scalar() && !node.is_null()) {
    values.emplace_back(node.text());
    return values;
  }
  if (!node.is_list()) {
    in.wrong_type(path, node, "a scalar or a list of scalars");
    return values;
  }
  if (node.items().empty()) in.error("empty-matrix", node.range(), path + " must not be empty");
  for (const Node* item : node.items()) {
    if (item->is_scalar()) {
      values.emplace_back(item->text());
    } else {
      in.wrong_type(path, *item, "a scalar");
    }
  }
  return values;
}

std::optional<NeedDefinition> read_named_need(Shapes& in, const std::string& path, const Node& node,
                                              const KeywordTable& table) {
  NeedDefinition need;
  need.where = node.range();
  const Node* job = in.get(table, node, "job");
  if (job == nullptr || job->text().empty()) {
    if (node.find("job") == nullptr || node.find("job")->is_null() || job != nullptr)
      in.error("missing-key", node.range(), path + " needs the name of a job");
    return std::nullopt;
  }
  need.job = job->text();
  need.where = job->range();
  if (const Node* artifacts = in.get(table, node, "artifacts")) need.artifacts = artifacts->boolean();
  if (const Node* optional = in.get(table, node, "optional")) need.optional = optional->boolean();
  if (const Node* parallel = in.get(table, node, "parallel")) {
    in.check_keys(path + ":parallel", kNeedParallelKeys, *parallel);
    if (const Node* matrix = in.get(kNeedParallelKeys, *parallel, "matrix"))
      need.matrix = read_matrix(in, path + ":parallel:matrix", *matrix);
  }
  return need;
}

std::string text_of(const Node* node) {
  return node == nullptr ? std::string() : std::string(node->text());
}

void read_need(Shapes& in, const std::string& path, const Node& node, const KeywordTable& table,
               NeedsDefinition& needs) {
  if (node.is_string()) {
    NeedDefinition need;
    need.job = node.text();
    need.where = node.range();
    if (need.job.empty()) in.error("empty-value", node.range(), path + " must not hold an empty name");
    needs.jobs.push_back(std::move(need));
    return;
  }
  if (!node.is_map()) {
    in.wrong_type(path, node, "a job name or a mapping",
                  node.is_scalar() && !node.is_null() ? "put it in quotes" : "");
    return;
  }
  if (!in.check_keys(path, table, node)) return;
  const Node* pipeline = in.get(table, node, "pipeline");
  const Node* project = in.get(table, node, "project");
  if (pipeline == nullptr && project == nullptr) {
    if (auto need = read_named_need(in, path, node, table)) needs.jobs.push_back(std::move(*need));
    return;
  }
  ForeignNeed foreign;
  foreign.pipeline = text_of(pipeline);
  foreign.project = text_of(project);
  foreign.ref = text_of(in.get(table, node, "ref"));
  foreign.job = text_of(in.get(table, node, "job"));
  if (const Node* artifacts = in.get(table, node, "artifacts")) foreign.artifacts = artifacts->boolean();
  if (project != nullptr && (foreign.ref.empty() || foreign.job.empty()))
    in.error("missing-key", node.range(), path + " with project needs job and ref");
  if (pipeline != nullptr && foreign.pipeline == "$CI_PIPELINE_ID")
    in.error("own-pipeline", pipeline->range(), "needs:pipeline must name another pipeline");
  needs.foreign.push_back(std::move(foreign));
}

void check_duplicates(Shapes& in, const std::string& path, const NeedsDefinition& needs) {
  std::map<std::string_view, const NeedDefinition*> seen;
  for (const NeedDefinition& need : needs.jobs) {
    const auto [first, added] = seen.try_emplace(need.job, &need);
    if (!added && (need.matrix.empty() || first->second->matrix.empty()))
      in.error("duplicate-need", need.where, path + " names '" + need.job + "' twice");
  }
}

}  // namespace

std::vector<MatrixMap> read_matrix(Shapes& in, std::string_view path, const Node& list) {
  std::vector<MatrixMap> maps;
  Diagnostics nesting;
  const std::vector<const Node*> items = flatten(list, nesting);
  for (const Diagnostic& one : nesting.all())
    in.error(one.id, one.where, std::string(path) + ": " + one.message);
  if (items.empty()) in.error("empty-matrix", list.range(), std::string(path) + " must not be empty");
  for (const Node* item : items) {
    if (!item->is_map()) {
      in.wrong_type(path, *item, "a mapping of names to values");
      continue;
    }
    if (item->entries().empty())
      in.error("empty-matrix", item->range(), std::string(path) + " has an empty mapping");
    MatrixMap map;
    for (const MapEntry& entry : item->entries()) {
      const std::string full = std::string(path) + ":" + std::string(entry.key);
      if (!is_variable_name(entry.key))
        in.error("bad-variable-name", entry.key_range, full + " is no variable name");
      map.emplace_back(entry.key, read_matrix_values(in, full, *entry.value));
    }
    if (!map.empty()) maps.push_back(std::move(map));
  }
  return maps;
}

void read_parallel(JobBuild& build, const MapEntry& entry) {
  const Node& node = *entry.value;
  ParallelDefinition parallel;
  parallel.where = node.range();
  if (!node.is_map()) {
    if (build.job.job.trigger) {
      build.in.error("key-not-in-trigger", entry.key_range, "a trigger job can only have parallel:matrix");
    } else if (node.integer() < 1 || node.integer() > kMaxInstances) {
      build.in.error("bad-parallel", node.range(),
                     "parallel must be between 1 and 200, got " + std::string(node.text()));
    } else {
      parallel.count = static_cast<int>(node.integer());
      build.job.parallel = std::move(parallel);
    }
    return;
  }
  build.in.check_keys("parallel", kParallelKeys, node);
  const Node* matrix = build.in.get(kParallelKeys, node, "matrix");
  if (matrix == nullptr) {
    build.in.error("missing-key", node.range(), "parallel needs a number or matrix");
    return;
  }
  parallel.matrix = read_matrix(build.in, "parallel:matrix", *matrix);
  std::uint64_t total = 0;
  for (const MatrixMap& map : parallel.matrix) {
    std::uint64_t product = 1;
    for (const auto& [name, values] : map)
      product = std::min<std::uint64_t>(product * values.size(), 1'000'000);
    total += product;
  }
  if (total > kMaxInstances) {
    build.in.error("bad-parallel", node.range(), "parallel: " + std::to_string(total) + " jobs, limit 200");
  } else {
    build.job.parallel = std::move(parallel);
  }
}

std::optional<NeedsDefinition> read_needs_list(Shapes& in, std::string_view path, const Node& list,
                                               const KeywordTable& table) {
  NeedsDefinition needs;
  needs.where = list.range();
  const std::string where(path);
  if (list.is_map()) {
    if (list.find("pipeline") == nullptr) {
      in.wrong_type(path, list, "a list of job names");
      return std::nullopt;
    }
    read_need(in, where, list, table, needs);
    return needs;
  }
  Diagnostics nesting;
  const std::vector<const Node*> items = flatten(list, nesting);
  for (const Diagnostic& one : nesting.all()) in.error(one.id, one.where, where + ": " + one.message);
  for (const Node* item : items) read_need(in, where, *item, table, needs);
  if (needs.jobs.size() > kMaxNeeds)
    in.error("too-many-needs", list.range(),
             where + ": needs too many jobs (" + std::to_string(needs.jobs.size()) + ", limit 50)");
  if (needs.foreign.size() > kMaxForeignNeeds)
    in.error("too-many-needs", list.range(), where + ": needs too many jobs of other pipelines (limit 5)");
  check_duplicates(in, where, needs);
  return needs;
}

void read_needs(JobBuild& build, const MapEntry& entry) {
  build.job.needs = read_needs_list(build.in, "needs", *entry.value, kNeedKeys);
  if (!build.job.needs) return;
  if (build.job.job.trigger && !build.job.needs->foreign.empty() && !build.job.needs->jobs.empty())
    build.in.error("bad-need", entry.key_range, "a trigger job can only need jobs of this pipeline");
  for (const ForeignNeed& need : build.job.needs->foreign)
    if (build.job.job.unsupported.empty())
      build.job.job.unsupported =
          need.project.empty() ? "needs of another pipeline ('" + need.pipeline + "') cannot be served here"
                               : "needs of another project ('" + need.project + "') cannot be served here";
}

void read_dependencies(JobBuild& build, const MapEntry& entry) {
  Diagnostics nesting;
  std::vector<NameAt> names;
  for (const Node* item : flatten(*entry.value, nesting)) {
    if (item->is_string()) {
      names.push_back({std::string(item->text()), item->range()});
    } else {
      build.in.wrong_type("dependencies", *item, "a job name");
    }
  }
  for (const Diagnostic& one : nesting.all())
    build.in.error(one.id, one.where, "dependencies: " + one.message);
  build.job.dependencies = std::move(names);
}

}  // namespace runner::pipelines
