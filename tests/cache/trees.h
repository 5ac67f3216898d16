#pragma once
// Building, mounting and comparing trees.

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "cache/workspace.h"
#include "runner/base/fd.h"
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

/// A child process that waits for a workspace, and runs `body` where it sees it mounted at its path (its
/// working directory too). Made before the test has threads: what is forked beside them may find the locks of
/// the allocator held for ever.
class MountedChild {
 public:
  explicit MountedChild(const std::function<std::string()>& body);
  MountedChild(const MountedChild&) = delete;
  MountedChild& operator=(const MountedChild&) = delete;
  ~MountedChild();

  /// Once. What `body` returns, empty for success.
  std::string run(const Workspace& workspace);

 private:
  pid_t pid_ = -1;
  UniqueFd order_, answer_;
};

/// Both at once.
std::string run_mounted(const Workspace& workspace, const std::function<std::string()>& body);

}  // namespace runner::cache::testing
