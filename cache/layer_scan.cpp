#include "cache/layer_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

class Scanner {
 public:
  explicit Scanner(const fs::path& tree)
      : tree_(tree), root_(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) {
    if (!root_) throw_errno("cannot open directory " + in_quotes(tree.native()));
  }
  ~Scanner() {
    // The last first: a closed directory may lie in another one.
    for (auto it = closed_.rbegin(); it != closed_.rend(); ++it) ::chmod(it->first.c_str(), it->second);
  }
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  Draft::Content run() {
    left_.emplace_back();
    while (!left_.empty()) {
      const std::string path = std::move(left_.back());
      left_.pop_back();
      read(path);
    }
    std::sort(content_.hides.begin(), content_.hides.end());
    return std::move(content_);
  }

 private:
  void read(const std::string& path) {
    UniqueFd fd = open_directory(path);
    if (is_opaque(fd.get())) content_.hides.push_back(path + "/");
    count_blocks(fd.get(), path);
    const DirectoryStream dir(::fdopendir(fd.get()));
    if (!dir) fail(path);
    fd.release();
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(dir.get());
      if (entry == nullptr && errno != 0) fail(path);
      if (entry == nullptr) return;
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      std::string child = path.empty() ? entry->d_name : path + "/" + entry->d_name;
      struct stat info {};
      if (::fstatat(::dirfd(dir.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) fail(child);
      add(std::move(child), info);
    }
  }

  void add(std::string path, const struct stat& info) {
    if (S_ISDIR(info.st_mode)) {
      left_.push_back(std::move(path));
      return;
    }
    if (is_whiteout(info)) {
      content_.hides.push_back(std::move(path));
      return;
    }
    ++content_.files;
    if (S_ISREG(info.st_mode)) content_.bytes += static_cast<std::uint64_t>(info.st_size);
    if (info.st_nlink == 1 || seen_.insert({info.st_dev, info.st_ino}).second) {
      content_.disk += static_cast<std::uint64_t>(info.st_blocks) * 512U;
    }
  }

  void count_blocks(int directory, const std::string& path) {
    struct stat info {};
    if (::fstat(directory, &info) != 0) fail(path);
    content_.disk += static_cast<std::uint64_t>(info.st_blocks) * 512U;
  }

  /// A job may leave directories it cannot read itself; we own them.
  UniqueFd open_directory(const std::string& path) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (path.empty()) return UniqueFd(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
    UniqueFd fd(::openat(root_.get(), path.c_str(), kFlags));
    if (fd) return fd;
    if (errno != EACCES) fail(path);
    const fs::path full = tree_ / path;
    struct stat info {};
    if (::lstat(full.c_str(), &info) != 0 || ::chmod(full.c_str(), 0700) != 0) fail(path);
    fd.reset(::openat(root_.get(), path.c_str(), kFlags));
    const int saved = errno;
    // What lies below is reached by its path, so it stays open until the end.
    closed_.emplace_back(full, info.st_mode & 07777U);
    if (!fd) throw_errno(saved, "cannot read " + in_quotes(full.native()));
    return fd;
  }

  [[noreturn]] void fail(const std::string& path) const {
    throw_errno("cannot read " + in_quotes((tree_ / path).native()));
  }

  fs::path tree_;
  UniqueFd root_;
  Draft::Content content_;
  std::vector<std::string> left_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  std::vector<std::pair<fs::path, mode_t>> closed_;  // to get their modes back
};

}  // namespace

Draft::Content scan_layer(const fs::path& tree) {
  return Scanner(tree).run();
}

}  // namespace runner::cache
