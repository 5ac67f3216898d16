#pragma once
// `extends` and `!reference` over the merged document. Both look names up in it, and each may need the other:
// an entry that extends may merge through a reference, and a reference sees its target after `extends`.

#include <string_view>
#include <unordered_set>

#include "pipelines/diagnostic.h"
#include "pipelines/node.h"

namespace runner::pipelines {

inline constexpr std::size_t kMaxExtendsLevels = 11;
inline constexpr std::size_t kMaxReferenceLevels = 10;

struct Resolution {
  const Node* root = nullptr;
  std::unordered_set<std::string_view>
      broken;  // entries about which an error was reported, and those built on them
};

/// The document with every `extends` and `!reference` replaced. `root` is a mapping. Reports all mistakes.
/// `complete`: all includes are there; otherwise names that are missing are not reported, only their users
/// broken.
Resolution resolve_names(const Node& root, bool complete, NodeArena& arena, Diagnostics& diagnostics);

}  // namespace runner::pipelines
