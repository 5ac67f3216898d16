#pragma once
// The `spec` header: definitions of inputs, their values, and the body with its `$[[ ]]` blocks replaced.
// Internal to loading.

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipelines/loading.h"

namespace runner::pipelines {

/// What is handed to a file that is loaded.
struct GivenInputs {
  const Node* values = nullptr;                               // a mapping, or nullptr
  const std::map<std::string, std::string>* texts = nullptr;  // values as text, for the root file
  SourceRange where;  // of the include item; unknown for the root file
};

/// Fields of `component.<field>`; empty text = null.
using ComponentFields = std::map<std::string, std::string>;

/// Values that blocks of one body may name.
struct BlockValues {
  std::unordered_map<std::string_view, const Node*> inputs;
  std::unordered_map<std::string, const Node*> component;
  bool in_component = false;
};

/// Definitions (mappings of name to definition) of one file, its own and those of `spec:include`.
using InputDefinitions = std::vector<const Node*>;

/// Checks the definitions and binds the values. nullopt when something was reported.
std::optional<BlockValues> bind_inputs(const InputDefinitions& definitions, const GivenInputs& given,
                                       FileId file, Loading& loading);

/// Reports inputs handed to a file without a header. False when there were any.
bool check_no_inputs(const GivenInputs& given, FileId file, Loading& loading);

/// The body with all blocks replaced; shares what has none. Reports mistakes at the text that holds the
/// block.
const Node* interpolate(const Node& body, const BlockValues& values, Loading& loading);

}  // namespace runner::pipelines
