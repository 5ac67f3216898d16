#pragma once
// The deep merge of includes and `extends`: mappings merge key by key, anything else is replaced. Not
// thread-safe.

#include <cstdint>
#include <functional>

#include "pipelines/node.h"

namespace runner::pipelines {

class Merger {
 public:
  explicit Merger(NodeArena& arena) : arena_(arena) {}

  /// Keys of `base` first, in its order; new ones of `over` behind them. Shares what only one side has.
  const Node* merge(const Node& base, const Node& over);

  /// Asked for the meaning of a `!reference` that meets a mapping; nullptr keeps the reference as it is.
  std::function<const Node*(const Node& reference)> resolve_reference;

  /// Merging stopped because the result would be too large: its results are incomplete then.
  bool exhausted() const noexcept { return copied_ > kMaxCopiedEntries; }

 private:
  static constexpr std::uint64_t kMaxCopiedEntries = 2'000'000;

  NodeArena& arena_;
  std::uint64_t copied_ = 0;
};

}  // namespace runner::pipelines
