#pragma once
// What is known of path patterns (glob-D) without looking at files. Pure.

#include <span>
#include <string>
#include <string_view>

namespace runner::engine {

/// Whether two lists of patterns may select the same file, by the directories they begin with; "" stands for
/// everything. Says true when in doubt. `root` is where the job saw the workspace.
bool may_overlap(std::span<const std::string> some, std::span<const std::string> others,
                 std::string_view root);

/// The patterns as one text that is the same for lists that select the same: from the root, sorted, one a
/// line.
std::string canonical_patterns(std::span<const std::string> patterns, std::string_view root);

}  // namespace runner::engine
