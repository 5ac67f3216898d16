#include "runner/base/opened_up.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// A handle of what cannot be read takes no fchmod().
int set_mode(int handle, mode_t mode) {
  const std::string path = "/proc/self/fd/" + std::to_string(handle);
  return ::chmod(path.c_str(), mode & 07777U);
}

mode_t wanted_bits(mode_t mode) {
  return S_ISDIR(mode) ? 0500U : 0400U;
}

/// Root, unless the right was taken away.
bool may_read_all() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  constexpr unsigned kEither = (1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH);
  return (data[0].effective & kEither) != 0;
}

}  // namespace

std::optional<OpenedUp> OpenedUp::make(int parent, const std::string& name) {
  UniqueFd handle(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!handle) return std::nullopt;
  struct stat info {};
  if (::fstat(handle.get(), &info) != 0) return std::nullopt;
  if (info.st_uid != ::geteuid() || !(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))) {
    errno = EACCES;
    return std::nullopt;
  }
  if (set_mode(handle.get(), info.st_mode | wanted_bits(info.st_mode)) != 0) return std::nullopt;
  return OpenedUp(std::move(handle), info.st_mode);
}

OpenedUp::~OpenedUp() {
  if (handle_ && set_mode(handle_.get(), mode_) != 0) {
    const std::error_code error(errno, std::generic_category());
    log_warn("files", Error(error, "cannot take back the permission to read what a job left").what());
  }
}

OpenedTrees::OpenedTrees() : needed_(!may_read_all()) {}

void OpenedTrees::open_entry(int parent, const std::string& name, const struct stat& info) {
  const mode_t wanted = wanted_bits(info.st_mode);
  if ((info.st_mode & wanted) == wanted || info.st_uid != ::geteuid()) return;
  auto opened = OpenedUp::make(parent, name);
  if (!opened) return;  // who reads it says so
  // Further names of one file were opened with the first.
  modes_.try_emplace({info.st_dev, info.st_ino}, opened->mode());
  opened_.push_back(std::move(*opened));
}

void OpenedTrees::open(const std::filesystem::path& tree, const std::function<bool()>& stop) {
  if (!needed_) return;
  struct stat top {};
  if (::lstat(tree.c_str(), &top) != 0) throw_errno("cannot look at " + in_quotes(tree.native()));
  open_entry(AT_FDCWD, tree.native(), top);
  struct Level {
    DirectoryStream stream;
    std::string path;
  };
  std::vector<Level> levels;
  const auto enter = [&](int parent, const std::string& name, std::string path) {
    UniqueFd fd(::openat(parent, name.c_str(), kDirectoryFlags));
    if (!fd) return;
    DirectoryStream stream(::fdopendir(fd.get()));
    if (!stream) throw_errno("cannot read directory " + in_quotes(path));
    fd.release();
    levels.push_back({std::move(stream), std::move(path)});
  };
  enter(AT_FDCWD, tree.native(), tree.native());
  while (!levels.empty()) {
    if (stop && stop()) return;
    DIR* stream = levels.back().stream.get();
    errno = 0;
    const dirent* entry = ::readdir(stream);
    if (entry == nullptr) {
      if (errno != 0) throw_errno("cannot read directory " + in_quotes(levels.back().path));
      levels.pop_back();
      continue;
    }
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat info {};
    if (::fstatat(::dirfd(stream), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) open_entry(::dirfd(stream), name, info);
    if (S_ISDIR(info.st_mode)) enter(::dirfd(stream), name, levels.back().path + "/" + name);
  }
}

void OpenedTrees::correct(struct stat& info) const {
  if (modes_.empty()) return;
  const auto found = modes_.find({info.st_dev, info.st_ino});
  if (found != modes_.end()) info.st_mode = found->second;
}

}  // namespace runner
