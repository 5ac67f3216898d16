#include "runner/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "runner/base/error.h"
#include "runner/base/fd.h"

namespace runner {
namespace fs = std::filesystem;
namespace {

std::string quoted(const fs::path& path) {
  return "'" + path.string() + "'";
}

void sync_parent(const fs::path& path) {
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const UniqueFd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir || ::fsync(dir.get()) != 0) throw_errno("cannot sync directory " + quoted(parent));
}

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

void remove_entry(int parent, const char* name, dev_t device, const fs::path& shown);

void remove_content(int dir_fd, dev_t device, const fs::path& shown) {
  // fdopendir takes the descriptor, and the caller still needs its own.
  const int copy = ::fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw_errno("cannot read directory " + quoted(shown));
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(copy));
  if (!dir) throw_errno("cannot read directory " + quoted(shown));
  while (const dirent* entry = ::readdir(dir.get())) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    remove_entry(dir_fd, entry->d_name, device, shown / entry->d_name);
  }
}

void remove_entry(int parent, const char* name, dev_t device, const fs::path& shown) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
  const int unlink_error = errno;
  if (unlink_error == EACCES) {
    // The parent lost its write permission to a job; we own it, so give it back and try again.
    if (::fchmod(parent, 0700) == 0 && ::unlinkat(parent, name, 0) == 0) return;
  }
  struct stat info {};
  if (::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return;
    throw_errno("cannot remove " + quoted(shown));
  }
  if (!S_ISDIR(info.st_mode)) throw_errno(unlink_error, "cannot remove " + quoted(shown));
  if (info.st_dev != device) {
    throw Error(ErrorCode::conflict, "cannot remove " + quoted(shown) + ": it is a mount point");
  }
  if ((info.st_mode & 0700U) != 0700U) ::fchmodat(parent, name, 0700, 0);
  const UniqueFd dir(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) throw_errno("cannot open directory " + quoted(shown));
  remove_content(dir.get(), device, shown);
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
    throw_errno("cannot remove " + quoted(shown));
  }
}

}  // namespace

std::optional<std::string> read_file(const fs::path& path, std::uint64_t max_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_errno("cannot open " + quoted(path));
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("cannot read " + quoted(path));
  if (!S_ISREG(info.st_mode)) {
    throw Error(ErrorCode::invalid_input, "cannot read " + quoted(path) + ": it is not a regular file");
  }
  std::string content;
  content.resize(static_cast<std::size_t>(info.st_size) + 1);
  std::size_t used = 0;
  for (;;) {
    if (used > max_bytes) {
      throw Error(ErrorCode::invalid_input,
                  "cannot read " + quoted(path) + ": larger than " + std::to_string(max_bytes) + " bytes");
    }
    if (used == content.size()) content.resize(content.size() * 2);
    const auto got = ::read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read " + quoted(path));
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
  if (!file) throw_errno("cannot write " + quoted(path));
  try {
    write_all(file.get(), content);
    if (::fchmod(file.get(), mode) != 0) throw_errno("cannot set the mode");
    if (durable && ::fsync(file.get()) != 0) throw_errno("cannot sync");
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("cannot rename");
  } catch (Error& error) {
    ::unlink(temporary.c_str());
    error.add_context("cannot write " + quoted(path));
    throw;
  }
  if (durable) sync_parent(path);
}

void make_directories(const fs::path& path, unsigned mode) {
  if (path.empty()) return;
  if (::mkdir(path.c_str(), mode) == 0) return;
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    make_directories(path.parent_path(), mode);
    if (::mkdir(path.c_str(), mode) == 0) return;
  }
  const int saved = errno;
  struct stat info {};
  if (saved == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return;
  throw_errno(saved, "cannot make directory " + quoted(path));
}

void remove_tree(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw_errno("cannot remove " + quoted(path));
  }
  const fs::path parent_path = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const UniqueFd parent(::open(parent_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) throw_errno("cannot open directory " + quoted(parent_path));
  remove_entry(parent.get(), path.filename().c_str(), info.st_dev, path);
}

TempDir::TempDir(std::string_view prefix, std::optional<fs::path> parent) {
  if (!parent) {
    const char* from_environment = std::getenv("TMPDIR");
    parent = from_environment != nullptr && *from_environment != '\0' ? from_environment : "/tmp";
  }
  std::string name = (*parent / (std::string(prefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr)
    throw_errno("cannot make a temporary directory in " + quoted(*parent));
  path_ = name;
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)) {
  other.path_.clear();
}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  std::swap(path_, other.path_);
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
