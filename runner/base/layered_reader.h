#pragma once
// Inside of LayeredTree: the merge of directories by the rules of overlayfs, on descriptors, so that no
// symbolic link is ever followed, whoever changes the tree meanwhile. Used by the layered tree, the selection
// and those who take files out of a workspace.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/fd.h"
#include "runner/base/layered_tree.h"

namespace runner::layered_detail {

/// The layers (indices, top first) in which a directory is seen.
using LayerList = std::vector<std::uint32_t>;

struct Child {
  std::string name;
  EntryType type = EntryType::file;
  std::uint32_t layer = 0;
  LayerList others;  // further layers that hold it as a directory
};

/// A directory of the merged tree.
struct Directory {
  std::string path;  // "" is the root
  LayerList layers;
};

struct Found {
  TreeEntry entry;
  Directory directory;  // of a directory: to read it
};

/// Keeps the layers' roots open. One thread.
class LayeredReader {
 public:
  explicit LayeredReader(const std::vector<std::filesystem::path>& layers,
                         ClosedDirectory closed = ClosedDirectory::fail);

  /// What is seen at a clean relative path ("" is the root).
  std::optional<Found> find(std::string_view path) const;
  /// The merged children, sorted by name; empty when the directory has gone.
  std::vector<Child> children(const Directory& directory) const;
  TreeEntry entry(const Directory& parent, const Child& child) const;
  static Directory descend(const Directory& parent, const Child& child);
  /// Paths of those that were skipped, each once.
  const std::set<std::string>& closed() const noexcept { return closed_; }

 private:
  UniqueFd open_directory(int root, std::uint32_t layer, std::string_view below, std::string_view path) const;

  const std::vector<std::filesystem::path>& layers_;
  std::vector<std::string> prefixes_;  // of the layers, with a '/' at the end
  std::vector<UniqueFd> roots_;
  const ClosedDirectory on_closed_;
  mutable std::set<std::string> closed_;
};

/// `path` without empty and "." parts and with ".." resolved by text. nullopt when it climbs out, is absolute
/// or can be no path.
std::optional<std::string> clean_path(std::string_view path);

/// The pattern of a selection relative to the tree, "" for all of it; nullopt when it leaves the tree.
std::optional<std::string> relative_pattern(std::string_view pattern, std::string_view root_path);

/// The text of a pattern without magic, escapes resolved.
std::string literal_path(std::string_view pattern);

/// The directory every match of a pattern lies in: its leading parts that have no magic.
std::string base_directory(std::string_view pattern);

std::string child_path(std::string_view directory, std::string_view name);

}  // namespace runner::layered_detail
