#pragma once
// Functions of `$[[ ]]` blocks: `inputs.x | expand_vars | truncate(0,8)`. Internal to loading.

#include <string>
#include <string_view>

#include "pipelines/loading.h"

namespace runner::pipelines {

/// Applies one call, such as "truncate(0,8)". nullptr with `error` set when it cannot.
const Node* call_block_function(std::string_view call, const Node& value, Loading& loading,
                                std::string& error);

}  // namespace runner::pipelines
