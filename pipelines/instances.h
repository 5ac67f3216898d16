#pragma once
// Jobs after parallel expansion, and what `needs` and `dependencies` mean among them. Internal to planning.

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipelines/job_model.h"

namespace runner::pipelines {

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
  /// Expands the definitions; `stages` are the stages in order. Definitions with an unknown stage stay out.
  InstanceTable(const std::vector<JobDefinition>& definitions, const std::vector<std::string>& stages,
                Diagnostics& diagnostics);

  const std::vector<Instance>& all() const noexcept { return all_; }
  /// The instances a name means: one by its full name, all by the base name; null when there is none.
  const std::vector<std::size_t>* find(std::string_view name) const;
  /// Base names and full names, for "did you mean".
  std::vector<std::string_view> names() const;

 private:
  std::vector<Instance> all_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_name_;
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

 private:
  void check_dependencies(const Instance& consumer);
  void check_cycles(const std::vector<std::vector<ResolvedNeed>>& graph);
  std::vector<std::size_t> targets(const NeedDefinition& need, const Instance& consumer, bool report);
  std::optional<std::string> selector_value(const std::string& text, const NeedDefinition& need,
                                            const Instance& consumer, bool report);
  void unknown(const NeedDefinition& need, const Instance& consumer, const std::string& name);

  const InstanceTable& instances_;
  bool complete_;
  Diagnostics& diagnostics_;
};

}  // namespace runner::pipelines
