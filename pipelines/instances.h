#pragma once
// Jobs after parallel expansion, and what `needs` and `dependencies` mean among them. Internal to planning.

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pipelines/job_model.h"

namespace runner::pipelines {

/// Stage of a job that names none of the stages: reported, and in no order with the others.
inline constexpr auto kUnknownStage = static_cast<std::size_t>(-1);

struct Instance {
  const JobDefinition* definition = nullptr;
  std::size_t declared = 0;  // position of the definition
  std::string name;
  std::size_t stage = 0;
  std::size_t node_index = 0, node_total = 1;
  MatrixTuple values;
};

/// All instances, ordered by stage, then declaration, then parallel index.
class InstanceTable {
 public:
  /// Expands the definitions; `stages` are the stages in order. `unreadable` are jobs with mistakes that
  /// leave no definition: their names are known all the same.
  InstanceTable(const std::vector<JobDefinition>& definitions, const std::vector<std::string>& stages,
                std::unordered_set<std::string_view> unreadable, Diagnostics& diagnostics);

  const std::vector<Instance>& all() const noexcept { return all_; }
  /// The instances a name means: one by its full name, all by the base name; null when there is none.
  const std::vector<std::size_t>* find(std::string_view name) const;
  /// The name is that of an unreadable job, or of an instance of one.
  bool is_unreadable(std::string_view name) const;
  /// Base names and full names, for "did you mean".
  std::vector<std::string_view> names() const;

 private:
  std::vector<Instance> all_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_name_;
  std::unordered_set<std::string_view> unreadable_;
};

struct ResolvedNeed {
  std::size_t target = 0;  // into InstanceTable::all()
  bool artifacts = true;
  bool optional = false;
  const NeedDefinition* definition = nullptr;
};

/// Finds what needs mean, and reports what they cannot mean.
class NeedsResolver {
 public:
  /// `complete` false: parts of the file are missing, unknown names are not reported.
  NeedsResolver(const InstanceTable& instances, bool complete, Diagnostics& diagnostics)
      : instances_(instances), complete_(complete), diagnostics_(diagnostics) {}

  /// The instances that `consumer` waits for. Reports unknown targets, later stages, itself.
  std::vector<ResolvedNeed> resolve(const NeedsDefinition& needs, const Instance& consumer, bool report);
  /// Everything that is wrong with needs and dependencies of all instances, cycles included.
  void check_all();
  /// Reports cycles, one per group of jobs; the needs of each instance, by its index.
  void check_cycles(const std::vector<std::vector<ResolvedNeed>>& graph);

 private:
  void check_dependencies(const Instance& consumer);
  std::vector<std::size_t> targets(const NeedDefinition& need, const Instance& consumer, bool report);
  std::optional<std::string> selector_value(const std::string& text, const NeedDefinition& need,
                                            const Instance& consumer, bool report);
  void unknown(const NeedDefinition& need, const Instance& consumer, const std::string& name);

  const InstanceTable& instances_;
  bool complete_;
  Diagnostics& diagnostics_;
};

}  // namespace runner::pipelines
