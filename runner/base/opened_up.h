#pragma once
// Files and directories of trees of ours that a job left without the permission to read them, while we read
// them. Only root reads them without asking. Readers in one process share what is opened up: it is closed
// again with the last of them, and each is told the mode as the job left it. For trees that nobody outside
// this process reads at the time: others see the permissions change for a moment.

#include <sys/stat.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runner {

/// Whether this thread reads what it has no permission for: root, unless the right was taken away. A system
/// call.
bool reads_everything();

/// Keeps one file or directory open to its owner; the last one of it takes the permission away again.
/// Move-only; made and ended in any thread.
class OpenedUp {
 public:
  /// lstat() of `name` in `parent`, and, when it is closed to us or was until another reader came, the
  /// permission to read it (and to search a directory). `info` has the mode as the job left it. nullopt when
  /// nothing was to be done; when nothing could be, it is not ours, and who reads it is told so; or when it
  /// cannot be looked at: then `error` is an errno, else 0.
  static std::optional<OpenedUp> look(int parent, const std::string& name, struct stat& info, int& error);
  /// fstatat() with the mode as the job left it, also while somebody keeps it open. Sets errno.
  static int stat(int parent, const char* name, struct stat& info, int flags);

  OpenedUp(OpenedUp&& other) noexcept : key_(std::exchange(other.key_, std::nullopt)) {}
  OpenedUp& operator=(OpenedUp&& other) noexcept {
    std::swap(key_, other.key_);
    return *this;
  }
  ~OpenedUp();

 private:
  using Key = std::pair<dev_t, ino_t>;
  explicit OpenedUp(Key key) noexcept : key_(key) {}
  std::optional<Key> key_;
};

/// Everything closed in some trees, opened up as long as this lives. Costs a walk, but nothing for who may
/// read all. One thread.
class OpenedTrees {
 public:
  OpenedTrees() = default;
  /// The tree and all below it; what is not ours stays as it is. `stop` is asked now and then: true ends the
  /// walk. Throws Error.
  void open(const std::filesystem::path& tree, const std::function<bool()>& stop = {});
  /// The mode as it was, in what was looked up since.
  void correct(struct stat& info) const;

 private:
  /// False when it is gone.
  bool open_entry(int parent, const std::string& name, struct stat& info);

  std::vector<OpenedUp> opened_;
  std::map<std::pair<dev_t, ino_t>, mode_t> modes_;
};

}  // namespace runner
