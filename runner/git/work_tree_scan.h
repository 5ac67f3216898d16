#pragma once
// One pass over a working tree beside its index. Internal to this folder.

#include <filesystem>

#include "runner/git/local_repository.h"

struct git_index;
struct git_repository;

namespace runner::git {

/// Reads every directory that is not ignored, once; asks the ignore rules only about what is not tracked.
/// Throws Error. Blocks: about 2 microseconds an entry.
WorkTreeEntries scan_work_tree(git_repository* repository, git_index* index,
                               const std::filesystem::path& root);

/// Without a repository: every file below `root`.
WorkTreeEntries scan_plain_directory(const std::filesystem::path& root);

}  // namespace runner::git
