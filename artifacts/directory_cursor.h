#pragma once
// Directories below a root by relative path, never through a symbolic link. Used inside this folder only.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "runner/base/fd.h"

namespace runner::artifacts {

/// Keeps the directory asked for last open, since entries come sorted. One thread.
class DirectoryCursor {
 public:
  enum class Missing : std::uint8_t {
    fail,
    make,  // with mode 0755
  };

  /// Throws Error when `root` cannot be opened.
  DirectoryCursor(const std::filesystem::path& root, Missing missing);

  /// The directory at `path` ("" is the root); valid until the next call. Throws Error.
  int at(std::string_view path);

 private:
  UniqueFd open_part(int parent, const std::string& name, std::string_view path) const;

  std::string shown_;
  Missing missing_;
  UniqueFd root_;
  UniqueFd current_;
  std::string current_path_;
};

/// The directory of a path, and its last part.
std::pair<std::string_view, std::string> split_name(std::string_view path);

}  // namespace runner::artifacts
