#include "runner/base/opened_up.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/log.h"
#include "runner/base/synchronized.h"
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

/// What is opened up in this process. Modes change, and are looked at by who depends on them, under its lock:
/// so nobody takes the mode that another reader lent for the one that the job left.
struct Kept {
  UniqueFd handle;
  mode_t mode = 0;  // as the job left it
  std::size_t readers = 0;
};
using Register = Synchronized<std::map<std::pair<dev_t, ino_t>, Kept>>;

Register& opened_register() {
  static Register all;
  return all;
}

}  // namespace

bool reads_everything() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  constexpr unsigned kEither = (1U << CAP_DAC_OVERRIDE) | (1U << CAP_DAC_READ_SEARCH);
  return (data[0].effective & kEither) != 0;
}

std::optional<OpenedUp> OpenedUp::look(int parent, const std::string& name, struct stat& info, int& error) {
  error = 0;
  auto opened = opened_register().lock();
  if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    error = errno;
    return std::nullopt;
  }
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return std::nullopt;
  const Key key{info.st_dev, info.st_ino};
  if (const auto found = opened->find(key); found != opened->end()) {
    ++found->second.readers;
    info.st_mode = found->second.mode;
    return OpenedUp(key);
  }
  const mode_t wanted = wanted_bits(info.st_mode);
  if ((info.st_mode & wanted) == wanted || info.st_uid != ::geteuid()) return std::nullopt;
  UniqueFd handle(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat held {};
  // Something else may have this name by now: who reads it says so.
  if (!handle || ::fstat(handle.get(), &held) != 0 || Key{held.st_dev, held.st_ino} != key)
    return std::nullopt;
  if (set_mode(handle.get(), info.st_mode | wanted) != 0) return std::nullopt;
  opened->emplace(key, Kept{std::move(handle), info.st_mode, 1});
  return OpenedUp(key);
}

int OpenedUp::stat(int parent, const char* name, struct stat& info, int flags) {
  if (reads_everything()) return ::fstatat(parent, name, &info, flags);
  auto opened = opened_register().lock();
  const int result = ::fstatat(parent, name, &info, flags);
  if (result != 0 || opened->empty()) return result;
  const auto found = opened->find({info.st_dev, info.st_ino});
  if (found != opened->end()) info.st_mode = found->second.mode;
  return result;
}

OpenedUp::~OpenedUp() {
  if (!key_) return;
  int failed = 0;
  {
    auto opened = opened_register().lock();
    const auto found = opened->find(*key_);
    if (--found->second.readers > 0) return;
    if (set_mode(found->second.handle.get(), found->second.mode) != 0) failed = errno;
    opened->erase(found);
  }
  if (failed != 0) {
    const std::error_code error(failed, std::generic_category());
    log_warn("files", Error(error, "cannot take back the permission to read what a job left").what());
  }
}

bool OpenedTrees::open_entry(int parent, const std::string& name, struct stat& info) {
  int error = 0;
  auto opened = OpenedUp::look(parent, name, info, error);
  if (error != 0) return false;
  if (!opened) return true;  // nothing to do, or who reads it says so
  // Further names of one file were opened with the first.
  if (modes_.try_emplace({info.st_dev, info.st_ino}, info.st_mode).second)
    opened_.push_back(std::move(*opened));
  return true;
}

void OpenedTrees::open(const std::filesystem::path& tree, const std::function<bool()>& stop) {
  if (reads_everything()) return;
  struct stat top {};
  if (!open_entry(AT_FDCWD, tree.native(), top)) throw_errno("cannot look at " + in_quotes(tree.native()));
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
    if (!open_entry(::dirfd(stream), name, info)) continue;
    if (S_ISDIR(info.st_mode)) enter(::dirfd(stream), name, levels.back().path + "/" + name);
  }
}

void OpenedTrees::correct(struct stat& info) const {
  if (modes_.empty()) return;
  const auto found = modes_.find({info.st_dev, info.st_ino});
  if (found != modes_.end()) info.st_mode = found->second;
}

}  // namespace runner
