#include "runner/cli/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "exec-";
// Where a mount is tried (cache/mount_probe.cpp).
constexpr std::string_view kProbePrefix = "probe-";

UniqueFd open_directory(const fs::path& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

bool is_still_at(int fd, const fs::path& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

// The lock of a run whose process is gone. Whoever has it removes the directory before letting go of it.
UniqueFd lock_dead(const fs::path& path) {
  UniqueFd lock = open_directory(path);
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 || !is_still_at(lock.get(), path)) return {};
  return lock;
}

}  // namespace

RunDirectory::RunDirectory(const fs::path& parent) {
  make_directories(parent, 0700);
  for (;;) {
    std::string name = (parent / (std::string(kPrefix) + "XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr)
      throw_errno("cannot make a directory for the run in " + in_quotes(parent.native()));
    lock_ = open_directory(name);
    if (!lock_ && errno != ENOENT) throw_errno("cannot open the run's directory " + in_quotes(name));
    // Until it is locked it looks like that of a dead run, and somebody may be removing it.
    int result = 0;
    while (lock_ && (result = ::flock(lock_.get(), LOCK_EX)) != 0 && errno == EINTR) {
    }
    if (result != 0) throw_errno("cannot lock the run's directory " + in_quotes(name));
    if (!lock_ || !is_still_at(lock_.get(), name)) continue;
    path_ = name;
    return;
  }
}

RunDirectory::~RunDirectory() {
  // Moved from, or removed before.
  if (path_.empty() || !lock_) return;
  try {
    remove();
  } catch (const std::exception& error) {
    log_warn("exec", std::string("cannot remove the run's directory: ") + error.what());
  }
}

void RunDirectory::remove() {
  if (!lock_) return;
  remove_tree(path_);
  lock_.reset();
}

void remove_dead_runs(const fs::path& parent,
                      const std::function<void(const fs::path& run)>& end_processes) noexcept {
  const auto warn = [](const std::exception& failure) {
    log_warn("exec", std::string("cannot remove what a dead run left: ") + failure.what());
  };
  try {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(parent, error)) {
      const std::string name = entry.path().filename().string();
      const bool is_run = name.starts_with(kPrefix);
      if (!is_run && !name.starts_with(kProbePrefix)) continue;
      const UniqueFd lock = lock_dead(entry.path());
      if (!lock) continue;
      try {
        if (is_run) end_processes(entry.path());
        remove_tree(entry.path());
      } catch (const std::exception& failure) {
        warn(failure);  // and on with the others
      }
    }
  } catch (const std::exception& failure) {
    warn(failure);
  }
}

std::optional<fs::path> private_temporary(const fs::path& temporary) noexcept {
  try {
    const fs::path path = temporary / ("runner-" + std::to_string(::geteuid()));
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return std::nullopt;
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
    // A world-writable parent: the directory may be a trap that somebody else has set up.
    if (status.st_uid != ::geteuid() || (status.st_mode & 0022U) != 0) return std::nullopt;
    return path;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace runner::cli
