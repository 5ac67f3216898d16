#pragma once
// `extends` over the merged document. Not thread-safe.

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/merge.h"
#include "pipelines/node.h"

namespace runner::pipelines {

/// Entries of one document with `extends` applied, each resolved once and when it is first asked for.
class Extender {
 public:
  /// `complete` false: unknown names are not reported, the entry is only marked broken.
  Extender(const Node& root, bool complete, NodeArena& arena, Diagnostics& diagnostics);

  /// The entry of that name after `extends`, nullptr when there is none.
  const Node* entry(std::string_view name);
  bool is_broken(std::string_view name) const { return broken_.count(name) != 0; }
  /// The merging exceeded its limit: a diagnostic was reported.
  const std::unordered_set<std::string_view>& broken() const noexcept { return broken_; }

 private:
  struct State {
    const Node* node = nullptr;  // nullptr while in progress
    std::size_t levels = 1;      // this entry and the longest way up
  };

  State resolve(const MapEntry& entry);
  State extend(const MapEntry& entry, const Node& names);
  const MapEntry* parent(const MapEntry& entry, const Node& name);
  const Node* without_extends(const Node& node);
  const Node* peek(const Node& reference, std::size_t depth);
  void report_cycle(const MapEntry& entry, const Node& name);

  const Node& root_;
  bool complete_;
  NodeArena& arena_;
  Diagnostics& diagnostics_;
  Merger merger_;
  std::unordered_map<std::string_view, State> states_;
  std::vector<std::string_view> chain_;
  std::unordered_set<std::string_view> broken_;
};

/// Top-level keys that are settings of the pipeline, not entries that could use `extends`.
bool is_global_key(std::string_view key) noexcept;

}  // namespace runner::pipelines
