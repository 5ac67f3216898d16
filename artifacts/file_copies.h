#pragma once
// Copying single entries between open directories, times and modes included. Used inside this folder only.

#include <sys/stat.h>

#include <array>
#include <ctime>
#include <string>

#include "runner/base/fd.h"

namespace runner::artifacts {

inline constexpr unsigned kModeBits = 07777;

/// For utimensat() and futimens(): both times are the time of change.
inline std::array<timespec, 2> times_of(const struct stat& info) noexcept {
  return {info.st_mtim, info.st_mtim};
}

/// Never follows a link. Throws Error.
struct stat look_at(int directory, const std::string& name);

/// The target of a symbolic link. Throws Error.
std::string read_link(int directory, const std::string& name);

/// Opens a regular file for reading, and nothing else. Throws Error; `shown` stands for it in messages.
UniqueFd open_regular(int directory, const std::string& name, const std::string& shown, struct stat& info);

/// Makes `name` a copy of the open file: reflink where the file system can. Throws Error.
void copy_regular(int in, const struct stat& info, int to, const std::string& name, const std::string& shown);

/// The same for a symbolic link. Throws Error.
void copy_symlink(int from, const std::string& source, int to, const std::string& name);

}  // namespace runner::artifacts
