#pragma once
// What artifacts and caches take of a workspace.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/layered_tree.h"

namespace runner::engine {

struct SelectSpec {
  std::vector<std::string> paths, exclude;  // expanded
  bool untracked = false;
  std::function<bool(std::string_view)> is_tracked;  // may be empty: nothing is
  std::string root;                                  // where the job saw the tree
};

/// select_paths(), and with `untracked` every file that git does not track (but for .git itself).
Selection select_files(const LayeredTree& tree, const SelectSpec& spec);

}  // namespace runner::engine
