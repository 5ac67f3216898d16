#pragma once
// Files and directories of a layer that a job left without the permission to read them, while we read them.
// They are ours; only root reads them without asking. Internal to this folder.

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "runner/base/fd.h"

namespace runner::cache {

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

}  // namespace runner::cache
