#pragma once
// The trees a job's workspace starts from, made from a mirror without copying what is there already: the
// first commit is a full layer, a later one a small layer over that of a commit near it. With them comes a
// `.git` of the job's own, as a fetch of GIT_DEPTH would leave it, whose objects are those of the mirror (by
// objects/info/alternates: the mirror must be seen at the same path where the job runs).
//
// Files have the time at which they were written here. What differs from the commit that was checked out
// before is written anew, whichever of the two is older in history: so build tools see by time what changed
// since whatever a cache holds was built.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/layer_store.h"
#include "runner/git/mirror.h"

namespace runner::git {

enum class SubmoduleStrategy : std::uint8_t { none, normal, recursive };

struct CheckoutRequest {
  std::string scope;       // the project: its layers are shared with no other
  std::string commit;      // 40 hex digits
  std::string ref;         // "refs/heads/main", "refs/tags/v1" or another full name; "" = none
  std::size_t depth = 20;  // commits of history; 0 = all, with all branches and tags
  std::string origin_url;  // for `git fetch`; credentials are taken out
  std::string fetch_from;  // a repository of this machine that jobs fetch from instead, and never push to
  std::string attached_branch;  // HEAD is this branch, instead of detached; "" = detached
  SubmoduleStrategy submodules = SubmoduleStrategy::none;
  std::vector<std::string> submodule_paths;  // patterns; empty = all, ":(exclude)PATTERN" and ":!PATTERN" too
  std::optional<std::size_t> submodule_depth;  // default: depth
  /// A mirror of `url` that has the commit, fetched when it has not. Throws Error when it cannot be had.
  std::function<std::unique_ptr<Mirror>(const std::string& url, const std::string& commit)> submodule_mirror;
  /// Files that a large file storage keeps are fetched by git-lfs when it is installed. False: the pointers.
  bool lfs = true;
};

struct CheckoutLayers {
  std::vector<std::filesystem::path> lowers;  // top first
  std::vector<cache::HeldEntry> held;         // keeps them
  std::vector<std::string> notices;           // one line each, for the job's log
};

/// Any thread; the mirror is used by this thread alone meanwhile. Blocks on the disk: for a new commit as
/// long as the change is big, for a known one it is a look-up. Throws Error: not_found for a commit that is
/// not there, invalid_input for one that cannot be checked out safely.
CheckoutLayers checkout_layers(const Mirror& mirror, const CheckoutRequest& request,
                               cache::LayerStore& store);

}  // namespace runner::git
