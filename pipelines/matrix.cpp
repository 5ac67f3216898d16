// Parallel expansion.

#include <algorithm>
#include <unordered_set>

#include "pipelines/instances.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxName = 255;

/// The cartesian product of one map's keys; the first key varies slowest.
void append_product(const MatrixMap& map, std::vector<MatrixTuple>& tuples) {
  std::vector<std::size_t> at(map.size(), 0);
  if (std::any_of(map.begin(), map.end(), [](const auto& key) { return key.second.empty(); })) return;
  while (true) {
    MatrixTuple tuple;
    tuple.reserve(map.size());
    for (std::size_t i = 0; i < map.size(); ++i) tuple.emplace_back(map[i].first, map[i].second[at[i]]);
    tuples.push_back(std::move(tuple));
    std::size_t i = map.size();
    while (i > 0 && ++at[i - 1] == map[i - 1].second.size()) at[--i] = 0;
    if (i == 0) return;
  }
}

std::string suffix(const MatrixTuple& tuple) {
  std::string out = ": [";
  for (std::size_t i = 0; i < tuple.size(); ++i) out.append(i > 0 ? ", " : "").append(tuple[i].second);
  return out + "]";
}

void expand_matrix(const JobDefinition& definition, std::vector<Instance>& out, Diagnostics& diagnostics) {
  std::vector<MatrixTuple> tuples;
  for (const MatrixMap& map : definition.parallel->matrix) append_product(map, tuples);
  std::unordered_map<std::string, std::size_t> seen;
  const std::size_t first = out.size();
  for (std::size_t i = 0; i < tuples.size(); ++i) {
    Instance instance;
    instance.name = definition.job.name + suffix(tuples[i]);
    instance.node_index = i + 1;
    instance.node_total = tuples.size();
    instance.values = std::move(tuples[i]);
    const auto [known, added] = seen.try_emplace(instance.name, out.size());
    if (added) {
      out.push_back(std::move(instance));
      continue;
    }
    diagnostics.warning("same-instance", definition.parallel->where,
                        "job '" + definition.job.name + "': parallel gives '" + instance.name +
                            "' twice, the later one is used");
    out[known->second] = std::move(instance);
  }
  for (std::size_t i = first; i < out.size(); ++i)
    if (out[i].name.size() > kMaxName)
      diagnostics.error("name-too-long", definition.parallel->where,
                        "the job name '" + out[i].name.substr(0, 60) + "...' has more than 255 characters");
}

std::vector<Instance> expand(const JobDefinition& definition, Diagnostics& diagnostics) {
  std::vector<Instance> out;
  if (definition.parallel && !definition.parallel->matrix.empty()) {
    expand_matrix(definition, out, diagnostics);
  } else if (definition.parallel && definition.parallel->count > 0) {
    const auto total = static_cast<std::size_t>(definition.parallel->count);
    for (std::size_t i = 1; i <= total; ++i) {
      Instance& instance = out.emplace_back();
      instance.name = definition.job.name + " " + std::to_string(i) + "/" + std::to_string(total);
      instance.node_index = i;
      instance.node_total = total;
    }
  } else {
    out.emplace_back().name = definition.job.name;
  }
  return out;
}

}  // namespace

InstanceTable::InstanceTable(const std::vector<JobDefinition>& definitions,
                             const std::vector<std::string>& stages,
                             std::unordered_set<std::string_view> unreadable, Diagnostics& diagnostics)
    : unreadable_(std::move(unreadable)) {
  std::unordered_map<std::string_view, std::size_t> stage_index;
  for (std::size_t i = 0; i < stages.size(); ++i) stage_index.emplace(stages[i], i);
  std::unordered_set<std::string_view> written;
  for (const JobDefinition& definition : definitions) written.insert(definition.job.name);

  for (std::size_t i = 0; i < definitions.size(); ++i) {
    const auto stage = stage_index.find(definitions[i].job.stage);
    for (Instance& instance : expand(definitions[i], diagnostics)) {
      // A job written under the name of an instance takes its place.
      if (instance.node_index > 0 && written.count(instance.name) != 0) continue;
      instance.definition = &definitions[i];
      instance.declared = i;
      instance.stage = stage == stage_index.end() ? kUnknownStage : stage->second;
      all_.push_back(std::move(instance));
    }
  }
  std::stable_sort(all_.begin(), all_.end(),
                   [](const Instance& a, const Instance& b) { return a.stage < b.stage; });
  by_name_.reserve(all_.size() * 2);
  for (std::size_t i = 0; i < all_.size(); ++i) {
    by_name_[all_[i].name].push_back(i);
    if (all_[i].node_index > 0) by_name_[all_[i].definition->job.name].push_back(i);
  }
}

const std::vector<std::size_t>* InstanceTable::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &found->second;
}

bool InstanceTable::is_unreadable(std::string_view name) const {
  if (unreadable_.empty()) return false;
  return unreadable_.count(name) != 0 || unreadable_.count(name.substr(0, name.find(": ["))) != 0 ||
         unreadable_.count(name.substr(0, name.rfind(' '))) != 0;
}

std::vector<std::string_view> InstanceTable::names() const {
  std::vector<std::string_view> names;
  names.reserve(by_name_.size());
  for (const Instance& instance : all_) {
    if (names.empty() || names.back() != instance.definition->job.name)
      names.emplace_back(instance.definition->job.name);
    if (instance.node_index > 0) names.emplace_back(instance.name);
  }
  return names;
}

}  // namespace runner::pipelines
