#pragma once
// Where workspaces of a local run go, and how they are mounted there. Forks (a trial mount): call it while
// the process has one thread.

#include <filesystem>
#include <string>

#include "cache/workspace.h"

namespace runner::cli {

struct WorkPlace {
  std::filesystem::path parent;  // of the runs' directories
  cache::MountMode mode = cache::MountMode::copy;
};

/// DATA/work when workspaces can be mounted there; else the first temporary directory where they can (a data
/// directory inside the working tree, or on a file system that overlay refuses to write to, cannot hold
/// them); else DATA/work with copies. Blocks for milliseconds. Throws Error when nothing can be written
/// anywhere.
WorkPlace choose_work_place(const std::filesystem::path& data, const std::filesystem::path& project_root);

/// The file that remembers that a workspace could be mounted. To be removed when one could not in spite of
/// it.
std::filesystem::path mount_memory(const std::filesystem::path& data);

/// `path` is `directory` or below it; both absolute. Links are resolved as far as the path exists.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& directory);

}  // namespace runner::cli
