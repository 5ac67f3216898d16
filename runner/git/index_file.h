#pragma once
// The file .git/index, version 2, made from the one of another commit: what did not change is copied as it
// is, so that 50,000 entries cost a copy and a digest. Source: git's Documentation/gitformat-index. Pure.
// Internal to this folder.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runner/git/tree_diff.h"

namespace runner::git {

/// A change of the index. Paths are unique; any order.
struct IndexChange {
  std::string path;
  bool removes_below = false;  // whatever lies below path goes
  bool removes = false;        // the entry of that name goes
  /// Not none: the entry that is there afterwards (of a file, link or submodule).
  Node node = Node::none;
  ObjectId id;
  std::uint32_t size = 0, mtime = 0, mtime_nanoseconds = 0;  // of the file in the work tree
};

/// A directory of the new commit whose tree is another one, with its id; "" is the root. For the recorded
/// trees: with them git need not look at directories that are as in the commit.
struct IndexTree {
  std::string path;
  bool gone = false;
  ObjectId id;
};

struct IndexFile {
  std::string bytes;
  std::uint64_t entries = 0, size = 0;  // files, links and submodules; the lengths of all
};

/// `before`: a whole index file, or empty to start with nothing. `bytes` of the result are empty when
/// `before` is none that was made here: the caller starts with nothing then.
IndexFile make_index(std::string_view before, std::vector<IndexChange> changes,
                     const std::vector<IndexTree>& trees);

}  // namespace runner::git
