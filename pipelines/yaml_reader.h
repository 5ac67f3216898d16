#pragma once
// Text to nodes: the YAML profile of the dialect (YAML 1.1 scalars, `!reference`, merge keys, limits). The
// only place that knows libyaml. Pure; any thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/node.h"

namespace runner::pipelines {

inline constexpr std::size_t kMaxFileBytes = std::size_t{2} << 20U;
inline constexpr std::size_t kMaxDepth = 100;
inline constexpr std::size_t kMaxDocuments = 2;
/// Nodes of a file with every alias written out.
inline constexpr std::uint64_t kMaxExpandedNodes = 500'000;

/// Reads a whole file. One node per document (a blank file has none); nullopt when errors were reported: the
/// first syntax error ends reading, other mistakes are all reported.
std::optional<std::vector<const Node*>> read_yaml(FileId file, std::string_view text, NodeArena& arena,
                                                  Diagnostics& diagnostics);

}  // namespace runner::pipelines
