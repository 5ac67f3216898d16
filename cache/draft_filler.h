#pragma once
// Fills a draft with what changed in a workspace and brings it into the form of a layer: nothing hidden that
// is not there, no marks of the mount, no sockets. Internal to this folder; one thread.

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/delta.h"
#include "cache/layer_store.h"
#include "cache/stack_cursor.h"
#include "cache/tree_writer.h"
#include "runner/base/opened_up.h"

namespace runner::cache {

/// What a finished draft holds, and what the stack below it shows no more.
struct DraftResult {
  Draft::Content content;
  /// The draft hides all of the stack: it is an entry of its own.
  bool covers = false;
  bool empty = false;                                    // nothing was left of it
  std::uint64_t replaced_files = 0, replaced_bytes = 0;  // seen in the stack before, another file now
  std::uint64_t removed_files = 0, removed_bytes = 0;    // seen in the stack before, nothing now
};

class DraftFiller {
 public:
  struct Source {
    const CacheSource& workspace;
    int upper = -1;
    Opener& opener;  // of the upper layer
    /// Files of this path never change: they may be linked.
    std::function<bool(const std::filesystem::path&)> owns;
    const OpenedTrees* opened = nullptr;  // what was opened up to be read; may be null
  };
  DraftFiller(const std::filesystem::path& tree, Source source, std::span<const std::filesystem::path> stack);

  /// Throws Error; the draft is good for nothing then.
  void apply(const Changes& changes);
  /// One entry of the workspace as it is seen, linked or copied. Directories come before what is in them.
  void add(const TreeEntry& entry, bool may_link);
  /// Nothing may be added afterwards. `root`: how the top is to look. Throws Error.
  DraftResult finish(const struct stat& root);

 private:
  bool copied_workspace() const noexcept { return source_.workspace.lowers.empty(); }
  void note_parents(std::string_view path);
  void make_parents(std::string_view path);
  void keep_opened_modes();
  void take(const std::string& path);
  void link_tree(const std::string& path);
  void touch(const std::string& directory);
  void make_whiteout(const std::string& path);
  bool covers(const std::string& directory, const LayeredTree& stack);
  void tidy(const std::string& directory, bool hidden);
  void tidy_child(const std::string& path, bool hidden);
  void tidy_directory(const std::string& path, const struct stat& info, bool hidden);
  void prune(const std::string& path, std::size_t hides);
  void count_file(const std::string& path, const struct stat& info, bool hidden);
  void count_hidden(const std::string& path, const Shown& shown);
  void drop_overlay_marks(const std::string& path, const struct stat& info);
  void part_from_outside();
  void restore_directories(const struct stat& root);

  std::filesystem::path tree_;
  Source source_;
  std::vector<std::filesystem::path> layers_;
  StackCursor stack_, seen_;
  UniqueFd root_;
  TreeWriter writer_;
  std::map<std::string, struct stat> looks_;    // of parents, as the workspace shows them
  std::map<std::string, struct stat> wanted_;   // how directories are to look in the end
  std::set<std::string, std::less<>> parents_;  // made only because something lies below them
  struct Names {
    struct stat info {};
    std::vector<std::string> paths;
  };
  std::map<std::pair<dev_t, ino_t>, Names> several_;  // files with several names
  bool moved_ = false;
  DraftResult result_;
};

}  // namespace runner::cache
