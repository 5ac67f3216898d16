#pragma once
// Inputs between text and nodes: JSON in and out. Internal to loading.

#include <string>
#include <string_view>

#include "pipelines/node.h"

namespace runner::pipelines {

/// A JSON text as a node; nullptr when it is none (or nests too deeply).
const Node* node_from_json(std::string_view text, NodeArena& arena, SourceRange range);

/// A node as JSON, on one line.
std::string node_to_json(const Node& node);

}  // namespace runner::pipelines
