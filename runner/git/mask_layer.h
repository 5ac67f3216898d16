#pragma once
// The layer that is stacked over the user's working tree for a local run, so that a job sees what a fresh
// clone would have plus uncommitted work, and has a repository of its own that it may write to.

#include <cstdint>
#include <filesystem>

#include "runner/git/local_repository.h"

namespace runner::git {

/// How the job's git finds the commits.
enum class ObjectAccess : std::uint8_t {
  below,      // for mounts: .git/objects shows through from the layer below, nothing is copied or named
  alternate,  // for copies: the user's objects are named in objects/info/alternates, and not copied with the
              // tree
};

/// Makes `destination` (its parent exists) a layer of: whiteouts for what is ignored; a `.git` with HEAD
/// detached at the commit, all refs, a copy of the index, the settings of the work tree, and origin without
/// credentials; none of the user's hooks, logs, stashes and locks. Other repositories in the tree stay
/// visible; submodules whose own git directory lies out of the job's reach lose the link to it. False, and
/// nothing made, when there is no repository with a working tree. Any thread. Throws Error; what was made
/// stays for the caller to remove then.
bool make_mask_layer(LocalRepository& repository, const std::filesystem::path& destination,
                     ObjectAccess objects);

}  // namespace runner::git
