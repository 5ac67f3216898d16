#pragma once
// Writes entries of other trees into a directory of ours, as copies that share blocks where the file system
// can, or as hard links. Used by one thread; it may have others help it copy. Blocks on the disk.

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cache/copy_crew.h"
#include "runner/base/layered_tree.h"

namespace runner::cache {

/// `info` of an entry, links not followed. Throws Error.
struct stat stat_entry(const TreeEntry& entry);

/// Fills one directory. Modes, times and attributes (user.*, without overlay's) are kept, holes stay holes,
/// names of one file stay names of one file, special files other than FIFOs are left out. Nothing is undone
/// on a throw: the caller removes the directory.
class TreeWriter {
 public:
  enum class Content : std::uint8_t {
    copy,  // a file of its own
    link,  // the same file where possible: for files that nobody changes any more
  };

  /// `destination` exists and is empty. Files are copied by so many threads.
  explicit TreeWriter(std::filesystem::path destination, unsigned threads = 1)
      : destination_(std::move(destination)), crew_(threads) {}

  /// Adds one entry; directories come before what is in them. Throws Error.
  void add(const TreeEntry& entry, const struct stat& info, Content content);
  /// Adds what hides `path` of layers below, as overlayfs has it.
  void add_whiteout(const std::string& path);
  /// Hides the content that layers below have in a directory added before.
  void make_opaque(const std::string& path);
  /// Makes all files that were added. None may be added afterwards.
  void finish_files();
  /// The same, and gives the directories their modes and times, and the top that of `root`. Nothing may be
  /// added afterwards.
  void finish(const struct stat& root);

 private:
  struct Directory {
    std::filesystem::path path;
    struct stat info;
  };
  void add_file(const TreeEntry& entry, const struct stat& info, const std::filesystem::path& to,
                Content content);
  void link_further_names();

  std::filesystem::path destination_;
  std::filesystem::path whiteout_;  // the last one made; the next ones are further names of it
  std::vector<Directory> directories_;
  std::map<std::pair<dev_t, ino_t>, FileCopy> copied_;  // files with several names
  std::vector<std::pair<const FileCopy*, std::filesystem::path>> further_names_;
  CopyCrew crew_;
};

}  // namespace runner::cache
