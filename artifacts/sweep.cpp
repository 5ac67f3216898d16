#include "artifacts/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "artifacts/file_copies.h"
#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/layered_reader.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

[[noreturn]] void fail(std::string_view what, const std::string& path) {
  throw_errno("cannot " + std::string(what) + " " + in_quotes(path));
}

/// An open directory that gets its mode and time back when it is left.
class OpenDirectory {
 public:
  OpenDirectory(int parent, const std::string& name, std::string path) : path_(std::move(path)) {
    fd_.reset(::openat(parent, name.c_str(), kDirectoryFlags));
    if (!fd_ && errno == EACCES) {
      // What a job has closed for itself is open to its owner.
      info_ = look_at(parent, name);
      if (::fchmodat(parent, name.c_str(), (info_.st_mode & kModeBits) | S_IRWXU, 0) != 0)
        fail("open up", path_);
      changed_ = true;
      fd_.reset(::openat(parent, name.c_str(), kDirectoryFlags));
    }
    if (!fd_) fail("open directory", path_);
    if (!changed_ && ::fstat(fd_.get(), &info_) != 0) fail("look at", path_);
    if (::geteuid() != 0) before_change_if_closed();
  }

  int fd() const noexcept { return fd_.get(); }
  const std::string& path() const noexcept { return path_; }
  void close() noexcept { fd_.reset(); }
  /// Opened again, from a directory in it.
  void open_from(int child) {
    if (fd_) return;
    fd_.reset(::openat(child, "..", kDirectoryFlags));
    struct stat info {};
    if (!fd_ || ::fstat(fd_.get(), &info) != 0) fail("open directory", path_);
    if (info.st_ino == info_.st_ino && info.st_dev == info_.st_dev) return;
    throw Error(ErrorCode::conflict, in_quotes(path_) + " changed meanwhile");
  }

  void remove(const char* name) {
    before_change();
    if (::unlinkat(fd_.get(), name, 0) != 0) fail("remove", layered_detail::child_path(path_, name));
  }

  void clear_mark() {
    // Asked first: taking away what is not there would cost a transaction on some file systems.
    if (::fgetxattr(fd_.get(), kOpaqueAttribute, nullptr, 0) < 0) return;
    before_change();
    if (::fremovexattr(fd_.get(), kOpaqueAttribute) != 0) fail("take the opaque mark of", path_);
  }

  void restore() const {
    if (!changed_) return;
    if (::fchmod(fd_.get(), info_.st_mode & kModeBits) != 0 ||
        ::futimens(fd_.get(), times_of(info_).data()) != 0) {
      fail("set mode and time of", path_);
    }
  }

 private:
  void before_change_if_closed() {
    if ((info_.st_mode & S_IRWXU) != S_IRWXU) before_change();
  }

  void before_change() {
    if (changed_) return;
    changed_ = true;
    if (::fchmod(fd_.get(), (info_.st_mode & kModeBits) | S_IRWXU) != 0) fail("open up", path_);
  }

  UniqueFd fd_;
  std::string path_;
  struct stat info_ {};
  bool changed_ = false;
};

class Sweeper {
 public:
  explicit Sweeper(Tally& tally) : tally_(tally) {}

  void run(int parent, const std::string& name, const std::string& path) {
    enter(parent, name, path);
    // A list of open levels instead of recursion: how deep a tree is, is up to the job.
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.subdirectories.empty()) {
        leave();
        continue;
      }
      const std::string next = std::move(level.subdirectories.back());
      level.subdirectories.pop_back();
      tally_.directory();
      enter(level.directory->fd(), next, layered_detail::child_path(level.directory->path(), next));
    }
  }

 private:
  struct Level {
    std::unique_ptr<OpenDirectory> directory;
    std::vector<std::string> subdirectories;
  };
  // So many directories are open at a time; those above are opened again on the way back.
  static constexpr std::size_t kMostOpen = 100;

  void enter(int parent, const std::string& name, std::string path) {
    auto directory = std::make_unique<OpenDirectory>(parent, name, std::move(path));
    directory->clear_mark();
    Level level{std::move(directory), {}};
    read(*level.directory, level.subdirectories);
    levels_.push_back(std::move(level));
    if (levels_.size() > kMostOpen) levels_[levels_.size() - 1 - kMostOpen].directory->close();
  }

  void leave() {
    const OpenDirectory& directory = *levels_.back().directory;
    if (levels_.size() > 1) levels_[levels_.size() - 2].directory->open_from(directory.fd());
    directory.restore();
    levels_.pop_back();
  }

  void read(OpenDirectory& directory, std::vector<std::string>& subdirectories) {
    const DirectoryStream stream(::fdopendir(::fcntl(directory.fd(), F_DUPFD_CLOEXEC, 0)));
    if (!stream) fail("read directory", directory.path());
    std::vector<std::string> unwanted;  // taken away after reading, which must not be disturbed
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr && errno != 0) fail("read directory", directory.path());
      if (entry == nullptr) break;
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      see(directory, *entry, subdirectories, unwanted);
    }
    for (const std::string& name : unwanted) directory.remove(name.c_str());
  }

  void see(const OpenDirectory& directory, const dirent& entry, std::vector<std::string>& subdirectories,
           std::vector<std::string>& unwanted) {
    if (entry.d_type == DT_DIR) return subdirectories.emplace_back(entry.d_name), void();
    if (entry.d_type == DT_LNK) return tally_.symlink();
    struct stat info {};
    if (::fstatat(directory.fd(), entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      fail("look at", layered_detail::child_path(directory.path(), entry.d_name));
    }
    if (S_ISREG(info.st_mode)) {
      return tally_.file(info, directory.path(), entry.d_name);
    }
    if (S_ISDIR(info.st_mode)) return subdirectories.emplace_back(entry.d_name), void();
    if (S_ISLNK(info.st_mode)) return tally_.symlink();
    unwanted.emplace_back(entry.d_name);
    const bool whiteout = is_whiteout(info);
    if (!whiteout) tally_.skipped(layered_detail::child_path(directory.path(), entry.d_name));
  }

  Tally& tally_;
  std::vector<Level> levels_;
};

}  // namespace

void Tally::file(const struct stat& info, const std::string& directory, const char* name) {
  ++stats_.files;
  stats_.bytes += static_cast<std::uint64_t>(info.st_size);
  if (info.st_nlink > 1) {
    Names& names = linked_[{info.st_dev, info.st_ino}];
    names.total = std::max(names.total, info.st_nlink);
    names.taken.push_back(layered_detail::child_path(directory, name));
    if (names.taken.size() > 1) return;
  }
  stats_.disk += static_cast<std::uint64_t>(info.st_blocks) * 512U;
}

std::vector<std::vector<std::string>> Tally::shared_outside() const {
  std::vector<std::vector<std::string>> groups;
  if (!copies_) return groups;
  for (const auto& [inode, names] : linked_) {
    if (names.taken.size() < names.total) groups.push_back(names.taken);
  }
  return groups;
}

void sweep(int parent, const std::string& name, const std::string& path, Tally& tally) {
  Sweeper(tally).run(parent, name, path);
}

}  // namespace runner::artifacts
