#pragma once
// Names of git's refs, by the rules of git-check-ref-format(1). Pure; any thread.

#include <string_view>

namespace runner::triggers {

/// Whole names such as "refs/heads/main". Stricter than git in three: they begin with "refs/", have 1000
/// bytes at most, and no branch or tag begins with "-", which is what the commands of git refuse to make.
bool is_ref_name(std::string_view name) noexcept;

}  // namespace runner::triggers
