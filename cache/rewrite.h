#pragma once
// A whole entry from what a workspace shows, by links where files never change: when the patterns are others
// than those of the entry, or when there is no layer of what the job changed. Internal to this folder.

#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "cache/caches.h"
#include "cache/draft_filler.h"

namespace runner::cache {

/// All that the patterns select and git does not track, sorted by path.
Selection select_content(const LayeredTree& tree, const CacheContent& content);

/// For copied workspaces: what the entry holds untouched is taken from there, so that it is kept once.
class Comparison {
 public:
  /// `selection` must outlive it. `stack` is that of the entry, top first.
  /// `opened` knows the modes of what was opened up to be read.
  Comparison(const Selection& selection, std::span<const std::filesystem::path> stack,
             const OpenedTrees& opened);
  /// The selection is exactly what the entry holds.
  bool same() const noexcept { return same_; }
  /// The file of the entry that an entry of the selection (by index) still is; empty when it changed.
  const std::string& original(std::size_t index) const { return originals_[index]; }
  /// Files of the entry whose paths are in the selection, changed or not.
  std::uint64_t still_there() const noexcept { return still_there_; }

 private:
  void compare(const Selection& selection, std::span<const std::filesystem::path> stack,
               const OpenedTrees& opened);
  void part_changed_links(const Selection& selection);

  std::vector<std::string> originals_;
  std::vector<std::pair<struct stat, struct stat>> stats_;  // here and there
  std::uint64_t still_there_ = 0;
  bool same_ = true;
};

}  // namespace runner::cache
