#pragma once
// Repositories of this machine that are not ours. Internal to this folder. Any thread.

#include <filesystem>
#include <string>
#include <vector>

#include "runner/git/remote.h"

namespace runner::git {

struct LocalSource {
  std::filesystem::path git_dir;  // common to all its working trees
  RemoteRefs refs;
  bool is_shallow = false;  // its history is cut off
};

/// What it has, read without a process, and without libgit2 as long as no new tag is to be peeled: that costs
/// a poll more than all else. `path`: of a working tree, or of a repository without one; ".git" is added as
/// git does. Layout of the files: gitrepository-layout(5). Throws Error: not_found, invalid_input for a
/// repository by SHA-256 or with reftables.
LocalSource read_local_source(const std::string& path);

}  // namespace runner::git
