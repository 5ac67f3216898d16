#pragma once
// The file system that a path lies on, for messages about full disks and for those who ask what is wrong.

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

namespace runner::cache {

struct Disk {
  std::filesystem::path mount_point;       // "/" when the kernel does not tell
  std::string type, device;                // "ext4", "/dev/sda1"; may be empty
  std::uint64_t total = 0, available = 0;  // bytes; available to this user
  std::uint64_t files_available = 0;       // how many more files fit; 0 also where that has no limit
  bool counts_files = false;               // there is such a limit
  bool read_only = false;
};

/// Of an existing path. Throws Error.
Disk disk_of(const std::filesystem::path& path);

/// "'/data' (ext4, 3.1 GB free of 40 GB)".
std::string describe(const Disk& disk);

/// What a message about a failed write at `path` is to begin with when the disk is full, else empty: "the
/// disk at '/data' (tmpfs, 0 B free of 4 MB) is full".
std::string full_disk_context(const std::error_code& error, const std::filesystem::path& path);

/// The same with the mend, for failures that do not say why, when next to nothing is free. Else empty.
std::string full_disk_warning(const std::filesystem::path& path);

/// What helps against a full disk, for users.
constexpr const char* kFullDiskMend =
    "make room on it, with 'runner cache gc --budget 0' for one, or choose another place with --data";

}  // namespace runner::cache
