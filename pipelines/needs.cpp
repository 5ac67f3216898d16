// What `needs` and `dependencies` mean, and what they cannot mean.

#include <algorithm>

#include "pipelines/instances.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

std::string owner(const Instance& instance) {
  return "job '" + instance.definition->job.name + "'";
}

bool is_later(const Instance& instance, const Instance& than) {
  return instance.stage > than.stage && instance.stage != kUnknownStage && than.stage != kUnknownStage;
}

}  // namespace

void NeedsResolver::unknown(const NeedDefinition& need, const Instance& consumer, const std::string& name) {
  if (need.optional || !complete_ || instances_.is_unreadable(name)) return;
  diagnostics_.error("unknown-need", need.where, owner(consumer) + " needs unknown job '" + name + "'",
                     did_you_mean(name, instances_.names()));
}

std::optional<std::string> NeedsResolver::selector_value(const std::string& text, const NeedDefinition& need,
                                                         const Instance& consumer, bool report) {
  std::string out;
  std::string_view rest = text;
  while (true) {
    const std::size_t open = rest.find("$[[");
    const std::size_t close = open == std::string_view::npos ? open : rest.find("]]", open);
    if (close == std::string_view::npos) return out.append(rest);
    out.append(rest.substr(0, open));
    const std::string_view inside = trim(rest.substr(open + 3, close - open - 3));
    rest.remove_prefix(close + 2);
    const std::string_view key = inside.starts_with("matrix.") ? inside.substr(7) : std::string_view();
    const auto value = std::find_if(consumer.values.begin(), consumer.values.end(),
                                    [&](const auto& one) { return one.first == key; });
    if (value != consumer.values.end()) {
      out.append(value->second);
      continue;
    }
    if (report)
      diagnostics_.error("unknown-matrix-key", need.where,
                         owner(consumer) + ": needs:parallel:matrix uses '" + std::string(inside) +
                             "', but the job " +
                             (consumer.values.empty() ? "has no parallel:matrix" : "has no such matrix key"));
    return std::nullopt;
  }
}

std::vector<std::size_t> NeedsResolver::targets(const NeedDefinition& need, const Instance& consumer,
                                                bool report) {
  if (need.matrix.empty()) {
    const auto* found = instances_.find(need.job);
    if (found == nullptr && report) unknown(need, consumer, need.job);
    return found == nullptr ? std::vector<std::size_t>{} : *found;
  }
  std::vector<std::string> names;
  for (const MatrixMap& map : need.matrix) {
    std::vector<std::string> parts{""};
    for (const auto& [key, values] : map) {
      std::vector<std::string> longer;
      for (const std::string& part : parts)
        for (const std::string& value : values) {
          const auto text = selector_value(value, need, consumer, report);
          if (!text) return {};
          longer.push_back(part.empty() ? *text : part + ", " + *text);
        }
      parts = std::move(longer);
    }
    for (const std::string& part : parts) names.push_back(need.job + ": [" + part + "]");
  }
  std::vector<std::size_t> found;
  for (const std::string& name : names) {
    if (const auto* target = instances_.find(name)) {
      found.insert(found.end(), target->begin(), target->end());
    } else if (report) {
      unknown(need, consumer, name);
      return found;
    }
  }
  return found;
}

std::vector<ResolvedNeed> NeedsResolver::resolve(const NeedsDefinition& needs, const Instance& consumer,
                                                 bool report) {
  std::vector<ResolvedNeed> resolved;
  for (const NeedDefinition& need : needs.jobs) {
    if (need.job == consumer.definition->job.name && need.matrix.empty()) {
      if (report) diagnostics_.error("self-need", need.where, owner(consumer) + " needs itself");
      continue;
    }
    bool later = false;
    for (std::size_t target : targets(need, consumer, report)) {
      const Instance& instance = instances_.all()[target];
      if (is_later(instance, consumer)) {
        if (report && !later)
          diagnostics_.error("later-need", need.where,
                             owner(consumer) + " needs '" + need.job + "' from a later stage ('" +
                                 instance.definition->job.stage + "' comes after '" +
                                 consumer.definition->job.stage + "')");
        later = true;
        continue;
      }
      resolved.push_back({target, need.artifacts, need.optional, &need});
    }
  }
  return resolved;
}

void NeedsResolver::check_dependencies(const Instance& consumer) {
  const JobDefinition& job = *consumer.definition;
  if (!job.dependencies) return;
  for (const NameAt& dependency : *job.dependencies) {
    const auto* found = instances_.find(dependency.name);
    if (found == nullptr) {
      if (complete_ && !instances_.is_unreadable(dependency.name))
        diagnostics_.error("unknown-dependency", dependency.where,
                           owner(consumer) + ": undefined dependency '" + dependency.name + "'",
                           did_you_mean(dependency.name, instances_.names()));
      continue;
    }
    const Instance& target = instances_.all()[found->front()];
    if (is_later(target, consumer) || target.definition == consumer.definition)
      diagnostics_.error(
          "later-dependency", dependency.where,
          owner(consumer) + ": dependency '" + dependency.name + "' is not in an earlier stage");
    if (!job.needs || job.needs->jobs.empty()) continue;
    const bool needed =
        std::any_of(job.needs->jobs.begin(), job.needs->jobs.end(), [&](const NeedDefinition& need) {
          return need.job == dependency.name || need.job == target.definition->job.name;
        });
    if (!needed)
      diagnostics_.error("dependency-not-needed", dependency.where,
                         owner(consumer) + ": dependencies '" + dependency.name + "' must also be in needs");
  }
}

void NeedsResolver::check_cycles(const std::vector<std::vector<ResolvedNeed>>& graph) {
  enum class Mark : std::uint8_t { fresh, open, done };
  std::vector<Mark> marks(graph.size(), Mark::fresh);
  struct Step {
    std::size_t node;
    std::size_t next;
  };
  for (std::size_t start = 0; start < graph.size(); ++start) {
    if (marks[start] != Mark::fresh) continue;
    std::vector<Step> path{{start, 0}};
    marks[start] = Mark::open;
    while (!path.empty()) {
      Step& step = path.back();
      if (step.next == graph[step.node].size()) {
        marks[step.node] = Mark::done;
        path.pop_back();
        continue;
      }
      const ResolvedNeed& need = graph[step.node][step.next++];
      if (marks[need.target] == Mark::fresh) {
        marks[need.target] = Mark::open;
        path.push_back({need.target, 0});
      } else if (marks[need.target] == Mark::open) {
        const auto first =
            std::find_if(path.begin(), path.end(), [&](const Step& one) { return one.node == need.target; });
        std::string text;
        for (auto one = first; one != path.end(); ++one) text += instances_.all()[one->node].name + " -> ";
        diagnostics_.error("needs-cycle", need.definition->where,
                           "needs form a cycle: " + text + instances_.all()[need.target].name);
        for (const Step& one : path) marks[one.node] = Mark::done;  // one report is enough for these
        path.clear();
      }
    }
  }
}

void NeedsResolver::check_all() {
  const std::vector<Instance>& all = instances_.all();
  std::vector<std::vector<ResolvedNeed>> graph(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const JobDefinition& job = *all[i].definition;
    const bool first = i == 0 || all[i - 1].definition != all[i].definition;
    if (job.needs) graph[i] = resolve(*job.needs, all[i], first || !all[i].values.empty());
    if (!first) continue;
    check_dependencies(all[i]);
    if (!job.rules) continue;
    for (const auto& rule : *job.rules)
      if (rule->needs) resolve(*rule->needs, all[i], true);
  }
  check_cycles(graph);
}

}  // namespace runner::pipelines
