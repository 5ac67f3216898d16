#pragma once
// What a job changed under the paths of a cache: found in its writable layer without looking at what it left
// alone, moved into a draft that lies on the stack the job started from. Internal to this folder; one thread.

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/caches.h"
#include "cache/path_set.h"
#include "cache/stack_cursor.h"
#include "cache/tree_writer.h"
#include "runner/base/fd.h"

namespace runner::cache {

/// What is to be done, found without changing anything.
struct Changes {
  std::vector<std::string> taken;      // entries of the upper layer, with all below them
  std::vector<std::string> whiteouts;  // what the stack shows and the workspace does not any more
  std::vector<std::string> cut;        // directories not taken themselves: the stack's content of them went
  std::vector<TreeEntry> added;        // seen in layers that are not of the stack
};

/// Opens directories of one tree that their modes keep us out of, and gives the modes back.
class Opener {
 public:
  explicit Opener(int root) noexcept : root_(root) {}
  /// A directory below the root, for reading. Throws Error.
  UniqueFd open(const std::string& path);
  /// Makes the directory writable for us. Throws Error.
  void make_writable(const std::string& path);
  /// The modes before, by path.
  const std::map<std::string, mode_t>& opened() const noexcept { return opened_; }
  void restore() noexcept;

 private:
  int root_;
  std::map<std::string, mode_t> opened_;
};

/// Looks for what changed. `upper` is the job's layer; `stack` what of the entry lies below it, top first;
/// `foreign` the other layers. Nothing is written but modes of unreadable directories, through `opener`.
class ChangeFinder {
 public:
  ChangeFinder(const CacheSource& source, std::span<const std::filesystem::path> stack, PathSet& paths,
               const CacheContent& content, int upper, Opener& opener);
  Changes find();
  /// Whether they would change what is seen through the stack.
  bool have_effect(const Changes& changes);

 private:
  void scan(const std::string& directory);
  void add_foreign(StackCursor& seen);
  void add_foreign_entry(StackCursor& seen, const TreeEntry& entry);
  void hide_tracked(StackCursor& seen, const TreeEntry& entry);
  bool has_effect(const std::string& path);

  const CacheSource& source_;
  std::span<const std::filesystem::path> layers_;
  PathSet& paths_;
  const CacheContent& content_;
  int upper_;
  Opener& opener_;
  StackCursor stack_;
  Changes changes_;
};

/// Names in a directory, sorted. Throws Error.
std::vector<std::string> names_in(int directory, std::string_view shown);

}  // namespace runner::cache
