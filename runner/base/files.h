#pragma once
// Small file-system helpers that say what failed. Any thread. All of them block on the disk.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace runner {

/// The whole file. nullopt when it does not exist (or a parent does not, or is no directory).
/// Throws Error{invalid_input} when it is larger than `max_bytes` or not a regular file, Error otherwise.
std::optional<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes = 64U << 20U);

/// Writes to a temporary name beside `path`, syncs when `durable`, renames. After a crash the old or the new
/// content is there, never a part. Throws Error; the old content is untouched then.
void write_file_atomic(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644,
                       bool durable = true);

/// Makes `path` and its parents; fine when it exists. New directories get `mode`. Throws Error.
void make_directories(const std::filesystem::path& path, unsigned mode = 0755);

/// Removes a tree. Never follows a symbolic link, never crosses a mount point, opens up directories that
/// a job made unreadable or unwritable. Missing is fine. Throws Error on the first thing that stays.
void remove_tree(const std::filesystem::path& path);
/// The same until `stop`, asked at each entry, says so: then the rest stays. False when it did.
bool remove_tree(const std::filesystem::path& path, const std::function<bool()>& stop);

/// A new private directory (0700), removed with all its content on destruction. Move-only.
class TempDir {
 public:
  /// Below `parent`, default $TMPDIR or /tmp; the name starts with `prefix`.
  explicit TempDir(std::string_view prefix = "runner-", std::optional<std::filesystem::path> parent = {});
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&& other) noexcept;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// Writes all bytes, repeating on EINTR and short writes. Throws Error.
void write_all(int fd, std::string_view bytes);

}  // namespace runner
