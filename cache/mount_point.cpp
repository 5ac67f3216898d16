#include "cache/mount_point.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

/// Names in mountinfo have blanks, line ends and backslashes as three octal digits.
std::string unescape(std::string_view text) {
  std::string plain;
  const auto is_digit = [](char c) { return c >= '0' && c <= '7'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_digit(text[i + 1]) && is_digit(text[i + 2]) &&
        is_digit(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// Fills in what /proc/self/mountinfo says: "36 35 98:0 /root /mount options [more] - type device ...".
void read_mount(const std::string& id, Disk& disk) {
  const auto text = read_file("/proc/self/mountinfo");
  if (!text) return;
  for (const std::string_view line : split(*text, '\n')) {
    const std::vector<std::string_view> fields = split(line, ' ');
    if (fields.size() < 10 || fields[0] != id) continue;
    disk.mount_point = unescape(fields[4]);
    for (std::size_t i = 6; i + 2 < fields.size(); ++i) {
      if (fields[i] != "-") continue;
      disk.type = fields[i + 1];
      disk.device = unescape(fields[i + 2]);
      return;
    }
  }
}

fs::path existing(fs::path path) {
  std::error_code error;
  while (!path.empty() && path != path.parent_path() && !fs::exists(path, error)) path = path.parent_path();
  return path.empty() ? fs::path("/") : path;
}

bool has_no_files(const Disk& disk) {
  return disk.counts_files && disk.files_available == 0 && disk.available > 0;
}

std::string full_text(const Disk& disk) {
  return "the disk at " + describe(disk) + (has_no_files(disk) ? " has no room for more files" : " is full");
}

}  // namespace

Disk disk_of(const fs::path& path) {
  struct statvfs space {};
  if (::statvfs(path.c_str(), &space) != 0)
    throw_errno("cannot look at the disk of " + in_quotes(path.native()));
  Disk disk;
  disk.mount_point = "/";
  disk.total = space.f_blocks * space.f_frsize;
  disk.available = space.f_bavail * space.f_frsize;
  disk.counts_files = space.f_files > 0;
  disk.files_available = space.f_favail;
  disk.read_only = (space.f_flag & ST_RDONLY) != 0;
  struct statx info {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &info) == 0 && (info.stx_mask & STATX_MNT_ID) != 0)
    read_mount(std::to_string(info.stx_mnt_id), disk);
  return disk;
}

std::string describe(const Disk& disk) {
  return in_quotes(disk.mount_point.native()) + " (" + (disk.type.empty() ? "" : disk.type + ", ") +
         format_bytes(disk.available) + " free of " + format_bytes(disk.total) + ")";
}

std::string full_disk_context(const std::error_code& error, const fs::path& path) {
  const bool quota = error == std::error_condition(EDQUOT, std::generic_category());
  if (!quota && error != std::errc::no_space_on_device) return {};
  try {
    const Disk disk = disk_of(existing(path));
    if (quota) return "the user's share of the disk at " + describe(disk) + " is used up";
    return full_text(disk);
  } catch (const Error& second) {
    log_info("cache", second.what());
    return "the disk is full";
  }
}

std::string full_disk_warning(const fs::path& path) {
  constexpr std::uint64_t kNextToNothing = 64U << 10U;
  try {
    const Disk disk = disk_of(existing(path));
    if (disk.available >= kNextToNothing && !has_no_files(disk)) return {};
    return full_text(disk) + "; " + kFullDiskMend;
  } catch (const Error& error) {
    log_info("cache", error.what());
    return {};
  }
}

}  // namespace runner::cache
