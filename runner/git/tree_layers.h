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
  std::string place;  // of a submodule: its path
  bool lfs = false;   // pointers are replaced by what they stand for
  LfsAccess storage;  // for lfs
};

struct TreeStack {
  cache::HeldEntry entry;
  std::vector<std::string> pointers;  // paths of files that are still pointers, as they are shown
  std::vector<std::string> notices;
};

/// The stack that was made last for this place is where files have their times from: what differs from it is
/// written anew and so is newer than all that was built meanwhile, as in a directory that git moves from
/// commit to commit. Found, if it is that one, else made over it where that is less work. Throws Error.
TreeStack tree_layers(const Mirror& mirror, const TreeRequest& request, cache::LayerStore& store);

}  // namespace runner::git
