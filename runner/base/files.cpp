#include "runner/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/text.h"

namespace runner {
namespace fs = std::filesystem;
namespace {

constexpr int kMakeDirectoryTries = 1'000;

void sync_parent(const fs::path& path) {
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const UniqueFd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir || ::fsync(dir.get()) != 0) throw_errno("cannot sync directory " + in_quotes(parent.native()));
}

/// Removes a tree with a list instead of recursion and one descriptor per level only as long as there are
/// few: how deep and how wide a tree is, is up to the job that left it.
class TreeRemover {
 public:
  TreeRemover(int parent, dev_t device, const fs::path& shown, const std::function<bool()>& stop)
      : parent_(parent), device_(device), shown_(shown), stop_(stop) {}

  /// False when it was stopped.
  bool run(const std::string& name) {
    if (is_stopped()) return false;
    if (remove_one(parent_, name.c_str())) return true;
    enter(parent_, name);
    while (!levels_.empty() && !is_stopped()) step();
    return levels_.empty();
  }

 private:
  struct Level {
    std::string name;  // in the level above
    UniqueFd fd;
    dev_t device = 0;
    ino_t inode = 0;
    std::vector<std::string> directories;  // still to be entered
  };
  // Above this depth descriptors are closed and found again through "..".
  static constexpr std::size_t kOpenLevels = 64;

  bool is_stopped() {
    stopped_ = stopped_ || (stop_ && stop_());
    return stopped_;
  }

  void step() {
    Level& level = levels_.back();
    if (!level.directories.empty()) {
      const std::string name = std::move(level.directories.back());
      level.directories.pop_back();
      enter(level.fd.get(), name);
      return;
    }
    const Level done = std::move(levels_.back());
    levels_.pop_back();
    if (!levels_.empty() && !levels_.back().fd) reopen(levels_.back(), done.fd.get());
    const int above = levels_.empty() ? parent_ : levels_.back().fd.get();
    if (::unlinkat(above, done.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) fail(errno, done.name);
  }

  /// The level above a directory, by "..": checked, since a live job could have moved the directory.
  void reopen(Level& level, int below) {
    level.fd.reset(::openat(below, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!level.fd || ::fstat(level.fd.get(), &info) != 0) fail(errno, level.name);
    if (info.st_dev != level.device || info.st_ino != level.inode) {
      throw Error(ErrorCode::conflict,
                  "cannot remove " + in_quotes(shown_.native()) + ": it changes meanwhile");
    }
  }

  /// Removes what is no directory. False when it is one.
  bool remove_one(int parent, const char* name) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return true;
    int unlink_error = errno;
    // The parent lost its write permission to a job; we own it, so give it back and try again.
    if (unlink_error == EACCES && ::fchmod(parent, 0700) == 0) {
      if (::unlinkat(parent, name, 0) == 0) return true;
      unlink_error = errno;
    }
    struct stat info {};
    if (::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return true;
      fail(errno, name);
    }
    if (!S_ISDIR(info.st_mode)) fail(unlink_error, name);
    if (info.st_dev != device_) {
      throw Error(ErrorCode::conflict, "cannot remove " + in_quotes(shown_.native()) + ": '" +
                                           std::string(name) + "' in it is a mount point");
    }
    return false;
  }

  /// Opens a directory below `parent` and removes all in it but directories.
  void enter(int parent, const std::string& name) {
    Level level;
    level.name = name;
    level.fd = open_private(parent, name);
    struct stat info {};
    if (::fstat(level.fd.get(), &info) != 0) fail(errno, name);
    if (info.st_dev != device_) {
      throw Error(ErrorCode::conflict,
                  "cannot remove " + in_quotes(shown_.native()) + ": '" + name + "' in it is a mount point");
    }
    level.device = info.st_dev;
    level.inode = info.st_ino;
    if ((info.st_mode & 0700U) != 0700U) ::fchmod(level.fd.get(), 0700);
    // fdopendir takes the descriptor, and the level still needs its own.
    const int copy = ::fcntl(level.fd.get(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) fail(errno, name);
    const DirectoryStream dir(::fdopendir(copy));
    if (!dir) {
      const int saved = errno;
      ::close(copy);
      fail(saved, name);
    }
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(dir.get());
      if (entry == nullptr && errno != 0) fail(errno, name);
      if (entry == nullptr || is_stopped()) break;
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      if (entry->d_type == DT_DIR || !remove_one(level.fd.get(), entry->d_name)) {
        level.directories.emplace_back(entry->d_name);
      }
    }
    levels_.push_back(std::move(level));
    if (levels_.size() > kOpenLevels) levels_[levels_.size() - 1 - kOpenLevels].fd.reset();
  }

  UniqueFd open_private(int parent, const std::string& name) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd fd(::openat(parent, name.c_str(), kFlags));
    if (fd) return fd;
    if (errno != EACCES) fail(errno, name);
    // Unreadable: opened without reading it, so that the mode of exactly this directory is changed and no
    // link is followed; chmod works on such a descriptor only through /proc.
    const UniqueFd handle(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!handle) {
      // The parent itself may not be searchable.
      if (::fchmod(parent, 0700) != 0) fail(EACCES, name);
    } else if (::chmod(("/proc/self/fd/" + std::to_string(handle.get())).c_str(), 0700) != 0) {
      fail(errno, name);
    }
    fd.reset(::openat(parent, name.c_str(), kFlags));
    if (!fd) fail(errno, name);
    return fd;
  }

  [[noreturn]] void fail(int error, std::string_view name) const {
    throw_errno(error, "cannot remove " + in_quotes(shown_.native()) + ": '" + std::string(name) + "' in it");
  }

  int parent_;
  dev_t device_;
  fs::path shown_;
  const std::function<bool()>& stop_;
  bool stopped_ = false;
  std::vector<Level> levels_;
};

}  // namespace

std::optional<std::string> read_file(const fs::path& path, std::uint64_t max_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_errno("cannot open " + in_quotes(path.native()));
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("cannot read " + in_quotes(path.native()));
  if (!S_ISREG(info.st_mode)) {
    throw Error(ErrorCode::invalid_input,
                "cannot read " + in_quotes(path.native()) + ": it is not a regular file");
  }
  std::string content;
  content.resize(static_cast<std::size_t>(info.st_size) + 1);
  std::size_t used = 0;
  for (;;) {
    if (used > max_bytes) {
      throw Error(ErrorCode::invalid_input, "cannot read " + in_quotes(path.native()) + ": larger than " +
                                                std::to_string(max_bytes) + " bytes");
    }
    if (used == content.size()) content.resize(content.size() * 2);
    const auto got = ::read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read " + in_quotes(path.native()));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno("cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void write_file_atomic(const fs::path& path, std::string_view content, unsigned mode, bool durable) {
  std::string temporary = path.string() + ".XXXXXX";
  UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) throw_errno("cannot write " + in_quotes(path.native()));
  try {
    write_all(file.get(), content);
    if (::fchmod(file.get(), mode) != 0) throw_errno("cannot set the mode");
    if (durable && ::fsync(file.get()) != 0) throw_errno("cannot sync");
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("cannot rename");
  } catch (Error& error) {
    ::unlink(temporary.c_str());
    error.add_context("cannot write " + in_quotes(path.native()));
    throw;
  }
  if (durable) sync_parent(path);
}

void make_directories(const fs::path& path, unsigned mode) {
  if (path.empty()) return;
  // Again when another process took away what was there. Not without end: "./x" in a directory that was
  // removed has a parent and cannot be made.
  for (int tries = 0; ::mkdir(path.c_str(), mode) != 0; ++tries) {
    const int saved = errno;
    const bool again = tries < kMakeDirectoryTries;
    struct stat info {};
    if (again && saved == ENOENT && path.has_parent_path() && path.parent_path() != path) {
      make_directories(path.parent_path(), mode);
      continue;
    }
    if (saved == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return;
    if (again && saved == EEXIST && ::lstat(path.c_str(), &info) != 0 && errno == ENOENT) continue;
    throw_errno(saved, "cannot make directory " + in_quotes(path.native()));
  }
}

void remove_tree(const fs::path& named) {
  remove_tree(named, {});
}

bool remove_tree(const fs::path& named, const std::function<bool()>& stop) {
  // "dir/" has no file name.
  const fs::path path = named.has_filename() ? named : named.parent_path();
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return true;
    throw_errno("cannot remove " + in_quotes(path.native()));
  }
  const fs::path parent_path = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const UniqueFd parent(::open(parent_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) throw_errno("cannot open directory " + in_quotes(parent_path.native()));
  return TreeRemover(parent.get(), info.st_dev, path, stop).run(path.filename());
}

TempDir::TempDir(std::string_view prefix, std::optional<fs::path> parent) {
  if (!parent) {
    const char* from_environment = std::getenv("TMPDIR");
    parent = from_environment != nullptr && *from_environment != '\0' ? from_environment : "/tmp";
  }
  std::string name = (*parent / (std::string(prefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr)
    throw_errno("cannot make a temporary directory in " + in_quotes(parent->native()));
  path_ = name;
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)) {
  other.path_.clear();
}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  TempDir replaced(std::move(other));
  std::swap(path_, replaced.path_);
  return *this;
}

TempDir::~TempDir() {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const Error&) {
    // A destructor cannot report; what is left is found by the sweep for leftovers.
  }
}

}  // namespace runner
