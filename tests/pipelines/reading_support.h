#pragma once
// What the tests of reading share: nodes as compact text, and one-call reading.

#include <string>
#include <string_view>

#include "pipelines/diagnostic.h"
#include "pipelines/node.h"

namespace runner::pipelines {

/// Compact text: strings in double quotes, other scalars by kind: null, true, i8, r1.1, [a, b], {"k": v},
/// !ref["a"].
std::string dump(const Node* node);

/// dump() of each document joined by " --- ", or the messages of all diagnostics when there are errors.
std::string read_and_dump(std::string_view text);

/// "error id 3:5 message" per line, sorted.
std::string brief(const Diagnostics& diagnostics);

}  // namespace runner::pipelines
