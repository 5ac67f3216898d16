#pragma once
// A file being written that nobody takes for a finished one. Used inside this folder only.

#include <filesystem>
#include <string>

#include "runner/base/fd.h"

namespace runner::artifacts {

/// Has a temporary name, and is gone unless it was published. Locked while it is written, so that
/// remove_leftovers() of another process leaves it alone. One thread.
class HiddenFile {
 public:
  /// Throws Error.
  explicit HiddenFile(const std::filesystem::path& directory);
  HiddenFile(const HiddenFile&) = delete;
  HiddenFile& operator=(const HiddenFile&) = delete;
  ~HiddenFile();

  int fd() const noexcept { return fd_.get(); }

  /// Syncs it and gives it its name, over what has it. Throws Error.
  void publish(const std::filesystem::path& target);

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace runner::artifacts
