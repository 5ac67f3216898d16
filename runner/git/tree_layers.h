#pragma once
// The files of a commit as a stack of layers in the store, with the index that describes them at .git/index
// of the topmost. Internal to this folder.

#include <string>
#include <vector>

#include "cache/layer_store.h"
#include "runner/git/lfs.h"
#include "runner/git/mirror.h"

namespace runner::git {

struct TreeRequest {
  std::string scope, commit;
  bool lfs = false;   // pointers are replaced by what they stand for
  LfsAccess storage;  // for lfs
};

struct TreeStack {
  cache::HeldEntry entry;
  std::vector<std::string> pointers;  // paths of files that are still pointers, as they are shown
  std::vector<std::string> notices;
};

/// Found, or made: over the stack of a commit near it where that is less work. Throws Error.
TreeStack tree_layers(const Mirror& mirror, const TreeRequest& request, cache::LayerStore& store);

}  // namespace runner::git
