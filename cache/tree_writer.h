#pragma once
// Writes entries of other trees into a directory of ours, as copies that share blocks where the file system
// can, or as hard links. One thread at a time; blocks on the disk.

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runner/base/layered_tree.h"

namespace runner::cache {

/// `info` of an entry, links not followed. Throws Error.
struct stat stat_entry(const TreeEntry& entry);

/// Fills one directory. Modes and times are kept, holes stay holes, names of one file stay names of one file,
/// special files other than FIFOs are left out. Nothing is undone on a throw: the caller removes the
/// directory.
class TreeWriter {
 public:
  enum class Content : std::uint8_t {
    copy,  // a file of its own
    link,  // the same file where possible: for files that nobody changes any more
  };

  /// `destination` exists and is empty.
  explicit TreeWriter(std::filesystem::path destination) : destination_(std::move(destination)) {}

  /// Adds one entry; directories come before what is in them. Throws Error.
  void add(const TreeEntry& entry, const struct stat& info, Content content);
  /// Adds what hides `path` of layers below, as overlayfs has it.
  void add_whiteout(const std::string& path);
  /// Hides the content that layers below have in a directory added before.
  void make_opaque(const std::string& path);
  /// Gives the directories their modes and times, and the top that of `root`. Nothing may be added
  /// afterwards.
  void finish(const struct stat& root);

 private:
  struct Directory {
    std::filesystem::path path;
    struct stat info;
  };
  void add_file(const TreeEntry& entry, const struct stat& info, const std::filesystem::path& to,
                Content content);
  void copy_file(const TreeEntry& entry, const struct stat& info, const std::filesystem::path& to);

  std::filesystem::path destination_;
  std::filesystem::path whiteout_;  // the last one made; the next ones are further names of it
  std::vector<Directory> directories_;
  std::map<std::pair<dev_t, ino_t>, std::filesystem::path> copied_;  // files with several names
  bool can_clone_ = true;                                            // until the file system says no
};

}  // namespace runner::cache
