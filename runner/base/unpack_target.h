#pragma once
// The writing half of unpack(): entries that anybody may have made up, put below one directory and nowhere
// else. For readers of formats that unpack.h does not know. One thread; blocks on the disk.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/base/unpack.h"

namespace runner {

enum class UnpackKind : std::uint8_t { file, directory, symlink, hard_link, fifo, whiteout, opaque, refused };

struct UnpackEntry {
  std::string path;  // as stored
  UnpackKind kind = UnpackKind::file;
  std::uint32_t mode = 0;
  std::uint64_t uid = 0, gid = 0;
  std::int64_t seconds = 0;  // modification time
  std::uint32_t nanoseconds = 0;
  std::uint64_t bytes = 0;                                      // as declared
  std::string target;                                           // of links
  std::vector<std::pair<std::string, std::string>> attributes;  // user.*; for layers
};

/// A part of a file's content. Parts come in order; what lies between them is a hole.
struct UnpackPart {
  std::uint64_t offset = 0;
  std::string_view bytes;
};

class UnpackTarget {
 public:
  /// `layer`: the entries are of a layer, so FIFOs, whiteouts, opaque marks, attributes, links to anywhere
  /// and names that differ in case only are right. `archive_bytes` is what UnpackLimits::ratio is against.
  /// `options` must outlive the target. Throws Error.
  UnpackTarget(const std::filesystem::path& directory, const UnpackOptions& options,
               std::uint64_t archive_bytes, bool layer);
  ~UnpackTarget();
  UnpackTarget(const UnpackTarget&) = delete;
  UnpackTarget& operator=(const UnpackTarget&) = delete;

  /// `next` gives the parts of a file, false at its end. It is not called for other kinds, nor for entries
  /// that UnpackOptions::only leaves out. Throws Error{invalid_input} for a refused entry.
  void add(const UnpackEntry& entry, const std::function<bool(UnpackPart&)>& next);

  /// Gives the directories their modes and times. Nothing may be added afterwards.
  UnpackReport finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A name from an archive as messages show it: in quotes, without control characters, not too long.
std::string in_quotes_safely(std::string_view name);

}  // namespace runner
