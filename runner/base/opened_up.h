#pragma once
// Files and directories of a tree of ours that a job left without the permission to read them, while we read
// them. Only root reads them without asking. For trees that belong to nobody else: another reader sees the
// permissions change for a moment. One thread.

#include <sys/stat.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runner/base/fd.h"

namespace runner {

/// Gives the owner the permission to read, and to search a directory; takes it away again at the end.
/// Move-only.
class OpenedUp {
 public:
  /// nullopt, with errno, when it is not ours or nothing can be changed. Links are not followed.
  static std::optional<OpenedUp> make(int parent, const std::string& name);
  OpenedUp(OpenedUp&& other) noexcept = default;
  OpenedUp& operator=(OpenedUp&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(mode_, other.mode_);
    return *this;
  }
  ~OpenedUp();
  /// As it was, and will be.
  mode_t mode() const noexcept { return mode_; }

 private:
  OpenedUp(UniqueFd handle, mode_t mode) noexcept : handle_(std::move(handle)), mode_(mode) {}
  UniqueFd handle_;
  mode_t mode_ = 0;
};

/// Everything closed in some trees, opened up as long as this lives. Costs a walk, but nothing for who may
/// read all.
class OpenedTrees {
 public:
  OpenedTrees();
  /// The tree and all below it; what is not ours stays as it is. `stop` is asked now and then: true ends the
  /// walk. Throws Error.
  void open(const std::filesystem::path& tree, const std::function<bool()>& stop = {});
  /// The mode as it was, in what was looked up since.
  void correct(struct stat& info) const;

 private:
  void open_entry(int parent, const std::string& name, const struct stat& info);

  const bool needed_;
  std::vector<OpenedUp> opened_;
  std::map<std::pair<dev_t, ino_t>, mode_t> modes_;
};

}  // namespace runner
