#pragma once
// Looking up many paths in a stack of layers, by the rules of overlayfs. Directories stay open between calls,
// so paths that come in the order of a walk cost about one system call each. Internal to this folder; one
// thread.

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/fd.h"
#include "runner/base/opened_up.h"

namespace runner::cache {

/// What a stack shows at a path.
struct Shown {
  struct stat info {};
  std::size_t layer = 0;  // of a merged directory the topmost
};

class StackCursor {
 public:
  /// Top first; may be none. Throws Error when one cannot be opened.
  explicit StackCursor(std::span<const std::filesystem::path> layers);

  /// `path` is relative and clean; "" is the root. Links are not followed. nullopt when nothing is seen.
  /// Throws Error.
  std::optional<Shown> find(std::string_view path);
  /// Whether the directory `path` is seen with something in it. Says true when in doubt.
  bool has_content(std::string_view path);

 private:
  struct Open {
    std::size_t layer = 0;
    UniqueFd fd;
    std::optional<OpenedUp> opened;  // a job closed it to its owner, us
  };
  struct Level {
    std::string name;
    std::vector<Open> directories;  // top first; none when no directory is seen
    bool closed = false;            // too far up to be kept open
  };

  const std::vector<Open>& enter(std::string_view directory);
  void close_far();
  static std::vector<Open> descend(const std::vector<Open>& from, const std::string& name);

  std::vector<Level> levels_;  // the root first
};

}  // namespace runner::cache
