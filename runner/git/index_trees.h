#pragma once
// The extension of .git/index that records the trees of directories. Pure. Internal to this folder.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "runner/git/tree_diff.h"

namespace runner::git {

/// Directories with their trees and how many entries of the index lie below them.
class IndexTrees {
 public:
  /// The content of the extension. False: it is not well-formed; the object is empty then.
  bool read(std::string_view bytes);
  std::string written() const;

  /// Makes the directory (with its parents) when it is not there.
  void set(std::string_view directory, const ObjectId& id);
  void remove(std::string_view directory);
  /// So many more or fewer entries at this path, which counts for all directories above it.
  void count(std::string_view path, std::int64_t more);

 private:
  struct Directory {
    std::int64_t entries = 0;
    ObjectId id;
    std::map<std::string, std::unique_ptr<Directory>, std::less<>> children;
  };
  Directory* find(std::string_view directory, bool make);
  bool read_one(std::string_view& bytes, std::string& name, Directory& directory, int depth);
  static void write_one(std::string& out, std::string_view name, const Directory& directory);

  Directory root_;
};

}  // namespace runner::git
