#pragma once
// Several directory trees read as one, top first, by the rules of overlayfs with `userxattr`: a 0/0 character
// device hides what lies below it, a directory with user.overlay.opaque=y hides the content of those below, a
// file hides directories and the other way round. This is how a workspace is looked at from outside the job,
// with no mount, also after the job is gone. Source: the kernel's Documentation/filesystems/overlayfs.
// Any thread; reads block on the disk. Nothing is cached, so changes are seen.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/glob.h"

namespace runner {

enum class EntryType : std::uint8_t { file, directory, symlink, other };

struct TreeEntry {
  std::string path;  // relative to the tree, no leading "./"
  EntryType type = EntryType::file;
  std::size_t layer = 0;  // index of the layer it is seen in (for a merged directory, the topmost)
  std::string real;       // where it lies on disk
};

/// Immutable list of layers. The directories must outlive it and, but for the top one, not change.
class LayeredTree {
 public:
  explicit LayeredTree(std::vector<std::filesystem::path> layers_top_first);

  const std::vector<std::filesystem::path>& layers() const noexcept { return layers_; }

  /// What is seen at `path`, links not followed (also not in its parents). "" is the root.
  /// nullopt when nothing is, or when the path climbs out.
  std::optional<TreeEntry> find(std::string_view path) const;

  /// The merged children of a directory, sorted by name. Empty when it is none.
  std::vector<TreeEntry> list(std::string_view directory) const;

  /// Depth-first in sorted order; a directory comes before its content. `enter` decides about each directory
  /// (root excluded) whether its content is visited. Links are visited, never followed.
  void walk(std::string_view from, const std::function<void(const TreeEntry&)>& visit,
            const std::function<bool(const TreeEntry&)>& enter) const;

 private:
  std::vector<std::filesystem::path> layers_;
};

struct Selection {
  std::vector<TreeEntry> entries;          // sorted by path, each once; no parents that were not matched
  std::vector<std::string> without_match;  // patterns that matched nothing
  std::vector<std::string> outside;        // patterns that leave the tree: skipped
  std::vector<std::string> closed;         // directories that may not be read, when they were to be skipped
};

/// What becomes of a directory that may not be read: an Error, or it shows nothing and is remembered.
enum class ClosedDirectory : std::uint8_t { fail, skip };

/// The entries that `paths` select and `exclude` does not, as artifacts and cache define it: glob-D patterns,
/// a matched directory is taken with all below it, excludes are tested on each path alone. Patterns may be
/// absolute when they lie in `root_path` (where the job saw the tree).
Selection select_paths(const LayeredTree& tree, std::span<const std::string> paths,
                       std::span<const std::string> exclude, std::string_view root_path);

/// The entries that `paths` match themselves: a directory is taken without what is in it.
Selection match_paths(const LayeredTree& tree, std::span<const std::string> paths, std::string_view root_path,
                      ClosedDirectory closed = ClosedDirectory::fail);

}  // namespace runner
