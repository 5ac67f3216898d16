#include "cache/generations.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "g-";

UniqueFd open_directory(const fs::path& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

bool lock_file(int fd, int operation) {
  while (::flock(fd, operation) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw_errno("cannot lock a cache entry");
  }
  return true;
}

bool is_same(int fd, const fs::path& path) {
  struct stat one {};
  struct stat other {};
  return ::fstat(fd, &one) == 0 && ::lstat(path.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

/// The name `current` points at; empty when there is none or it is not one of ours.
std::string current_name(const fs::path& key_directory) {
  std::error_code error;
  std::string name = fs::read_symlink(key_directory / "current", error).string();
  if (error || !name.starts_with(kPrefix) || name.find('/') != std::string::npos) return {};
  return name;
}

UniqueFd lock_key(const fs::path& key_directory) {
  const fs::path path = key_directory / "lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) throw_errno("cannot open " + in_quotes(path.native()));
  lock_file(lock.get(), LOCK_EX);
  return lock;
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

/// Everything but the current generation, unless somebody holds it. Called with the key locked.
void sweep(const fs::path& key_directory, const fs::path& trash) {
  const std::string current = current_name(key_directory);
  for (const std::string& name : names_in(key_directory)) {
    if (name == current || !name.starts_with(kPrefix)) continue;
    const fs::path path = key_directory / name;
    const UniqueFd held = open_directory(path);
    if (held && !lock_file(held.get(), LOCK_EX | LOCK_NB)) continue;
    std::string place = (trash / "XXXXXX").string();
    if (::mkdtemp(place.data()) == nullptr || ::rename(path.c_str(), place.c_str()) != 0) {
      log_warn("cache", "cannot take away the old cache entry " + in_quotes(path.native()));
    }
  }
}

}  // namespace

std::optional<PinnedGeneration> pin_current(const fs::path& key_directory) {
  for (;;) {
    const std::string name = current_name(key_directory);
    if (name.empty()) return std::nullopt;
    const fs::path path = key_directory / name;
    UniqueFd directory = open_directory(path);
    if (!directory) {
      if (errno != ENOENT) throw_errno("cannot open cache entry " + in_quotes(path.native()));
      // Taken away between the two calls, unless the link leads nowhere: then the entry is damaged.
      if (current_name(key_directory) == name) return PinnedGeneration{path, UniqueFd()};
      continue;
    }
    // Whoever removes holds it exclusively, and removes only what is not current: so look again.
    if (lock_file(directory.get(), LOCK_SH | LOCK_NB) && is_same(directory.get(), path)) {
      return PinnedGeneration{path, std::move(directory)};
    }
  }
}

PinnedGeneration begin_generation(const fs::path& key_directory) {
  make_directories(key_directory, 0700);
  const UniqueFd key_lock = lock_key(key_directory);
  std::string path = (key_directory / (std::string(kPrefix) + "XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr)
    throw_errno("cannot make a cache entry in " + in_quotes(key_directory.native()));
  UniqueFd directory = open_directory(path);
  if (!directory) throw_errno("cannot open " + in_quotes(path));
  lock_file(directory.get(), LOCK_SH);
  return {path, std::move(directory)};
}

void make_current(const fs::path& key_directory, const PinnedGeneration& generation, const fs::path& trash) {
  make_directories(trash, 0700);
  const UniqueFd key_lock = lock_key(key_directory);
  const fs::path next = key_directory / "next";
  ::unlink(next.c_str());  // left by a process that was killed; the key is locked, so nobody else's
  if (::symlink(generation.path.filename().c_str(), next.c_str()) != 0)
    throw_errno("cannot make " + in_quotes(next.native()));
  if (::rename(next.c_str(), (key_directory / "current").c_str()) != 0)
    throw_errno("cannot rename " + in_quotes(next.native()));
  sweep(key_directory, trash);
}

void empty_trash(const fs::path& trash) noexcept {
  for (const std::string& name : names_in(trash)) {
    try {
      remove_tree(trash / name);
    } catch (const Error& error) {
      // Another process may be at the same tree; the next save tries again.
      log_debug("cache", error.what());
    }
  }
}

}  // namespace runner::cache
