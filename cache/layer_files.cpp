#include "cache/layer_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

bool is_still_at(int fd, const fs::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

int lock(int fd, int operation) {
  int result = 0;
  do {
    result = ::flock(fd, operation);
  } while (result != 0 && errno == EINTR);
  return result;
}

/// Locks what was just made. False when somebody took it for a leftover in between, or asks just now whether
/// it is one: nobody waits for a lock here, as whoever has it may be waiting for us in the index.
bool lock_own(int fd, const fs::path& path) {
  if (lock(fd, LOCK_EX | LOCK_NB) == 0) return is_still_at(fd, path);
  if (errno != EWOULDBLOCK) throw_errno("cannot lock " + in_quotes(path.native()));
  return false;
}

}  // namespace

std::string random_name() {
  std::array<unsigned char, 10> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw_errno("cannot get random bytes");
  }
  std::string name;
  for (const unsigned char byte : bytes) {
    name += "0123456789abcdef"[byte >> 4U];
    name += "0123456789abcdef"[byte & 15U];
  }
  return name;
}

std::string read_boot_id() {
  const auto text = read_file("/proc/sys/kernel/random/boot_id", 4096);
  if (!text || trim(*text).empty()) {
    throw Error(ErrorCode::unavailable, "cannot read '/proc/sys/kernel/random/boot_id': mount /proc");
  }
  return std::string(trim(*text));
}

LockedPath make_locked_directory(const fs::path& parent, std::string_view prefix) {
  for (;;) {
    LockedPath made;
    made.path = parent / (std::string(prefix) + random_name());
    if (::mkdir(made.path.c_str(), 0755) != 0) {
      if (errno == EEXIST) continue;
      if (errno != ENOENT) throw_errno("cannot make directory " + in_quotes(made.path.native()));
      make_directories(parent);
      continue;
    }
    if (prefix.empty()) failpoint("layers.draft_made");
    made.lock.reset(::open(made.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made.lock && errno == ENOENT) continue;
    if (!made.lock) throw_errno("cannot open directory " + in_quotes(made.path.native()));
    if (lock_own(made.lock.get(), made.path)) return made;
  }
}

LockedPath make_locked_file(const fs::path& parent, std::string_view prefix) {
  for (;;) {
    LockedPath made;
    made.path = parent / (std::string(prefix) + random_name());
    made.lock.reset(::open(made.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!made.lock) {
      if (errno == EEXIST) continue;
      if (errno != ENOENT) throw_errno("cannot make " + in_quotes(made.path.native()));
      make_directories(parent);
      continue;
    }
    if (lock_own(made.lock.get(), made.path)) return made;
  }
}

UniqueFd lock_leftover(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT || errno == ELOOP) return {};
    throw_errno("cannot open " + in_quotes(path.native()));
  }
  if (lock(fd.get(), LOCK_EX | LOCK_NB) != 0 || !is_still_at(fd.get(), path)) return {};
  return fd;
}

bool is_locked(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT || errno == ELOOP) return false;
    throw_errno("cannot open " + in_quotes(path.native()));
  }
  // Shared, so that two that ask do not see each other.
  return lock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

void move_to_trash(const fs::path& root, const fs::path& what) {
  const fs::path to = root / kTrash / random_name();
  if (::rename(what.c_str(), to.c_str()) == 0) return;
  if (errno == ENOENT && is_directory_itself(root / kTrash)) return;
  if (errno == ENOENT) {
    make_directories(root / kTrash);
    if (::rename(what.c_str(), to.c_str()) == 0 || errno == ENOENT) return;
  }
  throw_errno("cannot move " + in_quotes(what.native()) + " to " + in_quotes((root / kTrash).native()));
}

void remove_trash(const fs::path& root, const Background& background) {
  for (const std::string& name : names_in(root / kTrash)) {
    const fs::path path = root / kTrash / name;
    failpoint("layers.trash_removing");
    for (int attempt = 1;; ++attempt) {
      if (background.is_stopped()) return;
      try {
        background.do_slowly([&] { remove_tree(path, background.stop); });
        break;
      } catch (const Error& error) {
        // Somebody else removes the same; what is left after a few tries is a reason to complain.
        if (error.system().value() != ENOENT || attempt == 100) throw;
      }
    }
  }
}

bool is_directory_itself(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_link(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
}

bool is_shard(std::string_view name) noexcept {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return name.size() == 2 && is_digit(name[0]) && is_digit(name[1]);
}

std::vector<std::string> names_in(const fs::path& directory) {
  const DirectoryStream dir(::opendir(directory.c_str()));
  if (!dir) {
    if (errno == ENOENT) return {};
    throw_errno("cannot read directory " + in_quotes(directory.native()));
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr && errno != 0) throw_errno("cannot read directory " + in_quotes(directory.native()));
    if (entry == nullptr) return names;
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
      names.emplace_back(entry->d_name);
    }
  }
}

}  // namespace runner::cache
