#pragma once
// Building, mounting and comparing trees.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "cache/workspace.h"
#include "runner/base/layered_tree.h"

namespace runner::cache::testing {

/// Path -> "type mode content", for comparing.
using Snapshot = std::map<std::string, std::string>;
enum class Times { compared, ignored };

Snapshot snapshot_of(const std::filesystem::path& directory, Times times = Times::ignored);
Snapshot snapshot_of(const LayeredTree& tree, Times times = Times::ignored);
/// The part at and below `path`.
Snapshot below(const Snapshot& all, const std::string& path);

/// One sentence about the first path that is not the same in both; empty when there is none.
std::string first_difference(const Snapshot& one, const Snapshot& other);

/// Makes parents too.
void put(const std::filesystem::path& file, std::string_view content);

/// Why this machine, or this build, cannot mount workspaces so; empty when it can, and always for copies.
std::string why_not_mounted(MountMode mode);

/// Runs `body` in a child process that sees the workspace mounted at its path (its working directory too).
/// What it returns, empty for success, is returned.
std::string run_mounted(const Workspace& workspace, const std::function<std::string()>& body);

}  // namespace runner::cache::testing
