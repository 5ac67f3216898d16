#include "runner/cli/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "exec-";
constexpr const char* kLockName = "lock";
// Between making its directory and locking it a run looks dead.
constexpr std::time_t kYoungSeconds = 10;

// True when no process holds the lock of this run, and none is about to.
bool is_dead(const fs::path& directory, UniqueFd& lock) {
  lock.reset(::open((directory / kLockName).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!lock) {
    struct stat status {};
    return errno == ENOENT && ::lstat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
           ::time(nullptr) - status.st_mtime > kYoungSeconds;
  }
  return ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

RunDirectory::RunDirectory(const fs::path& parent) {
  make_directories(parent, 0700);
  std::string name = (parent / (std::string(kPrefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr)
    throw_errno("cannot make a directory for the run in '" + parent.string() + "'");
  path_ = name;
  lock_.reset(::open((path_ / kLockName).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    throw_errno("cannot lock the run in '" + name + "'");
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
  try {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(parent, error)) {
      if (!entry.path().filename().string().starts_with(kPrefix)) continue;
      UniqueFd lock;
      if (!is_dead(entry.path(), lock)) continue;
      end_processes(entry.path());
      remove_tree(entry.path());
    }
  } catch (const std::exception& failure) {
    log_warn("exec", std::string("cannot remove what a dead run left: ") + failure.what());
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
