#include "cache/layer_sync.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <string_view>

#include "cache/background.h"
#include "cache/layer_files.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kWanted = ".wanted", kWorking = ".working", kDone = ".done", kLock = "lock";
constexpr std::uint64_t kLongestMark = 64;

/// What the process needs, made before it is forked.
struct SyncJob {
  int directory, lock, null;
  const char *wanted, *working, *done;
  timespec first, next;
  int most_descriptors;
};

timespec to_timespec(milliseconds time) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((time - seconds).count()) * 1'000'000};
}

// From here to keep_syncing(): in a process forked from one with threads, so nothing that takes a lock or
// memory.

/// Nothing of the parent's stays open: whoever reads its pipes must see their end. Descriptors of ours that
/// are still needed become 3 and 4.
void keep_only(const SyncJob& job) noexcept {
  constexpr int kFirstFree = 10;
  const int directory = ::fcntl(job.directory, F_DUPFD, kFirstFree);
  const int lock = ::fcntl(job.lock, F_DUPFD, kFirstFree);
  const bool made = directory >= 0 && lock >= 0 && ::dup2(job.null, 0) == 0 && ::dup2(job.null, 1) == 1 &&
                    ::dup2(job.null, 2) == 2 && ::dup2(directory, 3) == 3 && ::dup2(lock, 4) == 4;
  if (!made) ::_exit(1);
  if (::syscall(SYS_close_range, 5U, ~0U, 0U) == 0) return;
  for (int fd = 5; fd < job.most_descriptors; ++fd) ::close(fd);
}

/// Until the time is over, or the machine is about to stop. All signals are blocked.
void wait_for_quiet(const timespec& time) noexcept {
  sigset_t ends;
  ::sigemptyset(&ends);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) ::sigaddset(&ends, signal);
  ::sigtimedwait(&ends, nullptr, &time);
}

[[noreturn]] void keep_syncing(const SyncJob& job) noexcept {
  keep_only(job);
  constexpr int kDirectory = 3, kHeldLock = 4;
  if (::chdir("/") != 0) ::_exit(1);
  take_low_priority();
  wait_for_quiet(job.first);
  for (;;) {
    if (::renameat(kDirectory, job.wanted, kDirectory, job.working) == 0) {
      // When it fails, nothing says that the layers are on disk, and nobody believes it.
      if (::syncfs(kDirectory) != 0) ::_exit(1);
      if (::renameat(kDirectory, job.working, kDirectory, job.done) != 0) ::_exit(1);
      ::fsync(kDirectory);
    }
    // Whoever asked while the lock was held has started nobody.
    ::flock(kHeldLock, LOCK_UN);
    if (::faccessat(kDirectory, job.wanted, F_OK, 0) != 0) ::_exit(0);
    if (::flock(kHeldLock, LOCK_EX | LOCK_NB) != 0) ::_exit(0);
    wait_for_quiet(job.next);
  }
}

/// Its parent ends at once, so that it is nobody's child here.
void fork_detached(const SyncJob& job) {
  pid_t between = -1;
  {
    // No handler of ours must run there.
    const AllSignalsBlocked signals;
    between = ::fork();
    if (between == 0) {
      ::setsid();
      const pid_t child = ::fork();
      if (child == 0) keep_syncing(job);
      ::_exit(child < 0 ? 1 : 0);
    }
  }
  if (between < 0) throw_errno("cannot start a process that writes the layers to disk");
  int status = 0;
  while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    throw Error(ErrorCode::unavailable, "cannot start a process that writes the layers to disk");
}

std::optional<std::int64_t> read_mark(const fs::path& path) {
  try {
    const auto text = read_file(path, kLongestMark);
    if (!text || !text->ends_with('\n')) return std::nullopt;  // the end was not written
    return parse_integer(trim(*text));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_input) throw;
    return std::nullopt;  // no file of ours
  }
}

fs::path mark_path(const fs::path& root, const std::string& boot, std::string_view state) {
  return root / kSync / (boot + std::string(state));
}

/// Since the last time, when there was one.
milliseconds first_wait(const fs::path& done, const SyncPace& pace) {
  struct stat info {};
  timespec now{};
  if (::stat(done.c_str(), &info) != 0 || ::clock_gettime(CLOCK_REALTIME, &now) != 0) return pace.quiet;
  const milliseconds passed((now.tv_sec - info.st_ctim.tv_sec) * 1'000 +
                            (now.tv_nsec - info.st_ctim.tv_nsec) / 1'000'000);
  // Clocks are set.
  if (passed < milliseconds(0)) return pace.quiet;
  return std::max(pace.quiet, pace.interval - passed);
}

}  // namespace

std::vector<SyncMark> done_marks(const fs::path& root) {
  std::vector<SyncMark> marks;
  for (const std::string& name : names_in(root / kSync)) {
    if (!name.ends_with(kDone)) continue;
    const auto last = read_mark(root / kSync / name);
    if (last) marks.push_back({name.substr(0, name.size() - kDone.size()), *last});
  }
  return marks;
}

std::optional<std::int64_t> done_mark(const fs::path& root, const std::string& boot) {
  return read_mark(mark_path(root, boot, kDone));
}

void want_sync(const fs::path& root, const SyncMark& mark) {
  make_directories(root / kSync);
  failpoint("layers.sync_directory");
  write_file_atomic(mark_path(root, mark.boot, kWanted), std::to_string(mark.last) + "\n", 0644, false);
  failpoint("layers.sync_wanted");
}

void start_sync_process(const fs::path& root, const std::string& boot, const SyncPace& pace) {
  const fs::path path = root / kSync;
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) throw_errno("cannot open directory " + in_quotes(path.native()));
  const UniqueFd lock(
      ::openat(directory.get(), kLock.data(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!lock) throw_errno("cannot open " + in_quotes((path / kLock).native()));
  // Forked processes share it; it is free when the last of them has ended.
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return;
    throw_errno("cannot lock " + in_quotes((path / kLock).native()));
  }
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) throw_errno("cannot open '/dev/null'");
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t kMostDescriptors = 1U << 16U;
  const std::string wanted = boot + std::string(kWanted), working = boot + std::string(kWorking),
                    done = boot + std::string(kDone);
  const SyncJob job{directory.get(),
                    lock.get(),
                    null.get(),
                    wanted.c_str(),
                    working.c_str(),
                    done.c_str(),
                    to_timespec(first_wait(path / done, pace)),
                    to_timespec(pace.interval),
                    static_cast<int>(std::min(limit.rlim_cur, kMostDescriptors))};
  fork_detached(job);
  failpoint("layers.sync_started");
}

std::vector<fs::path> leftover_marks(const fs::path& root, const std::string& boot) {
  const std::vector<std::string> names = names_in(root / kSync);
  // What was read from marks of earlier starts is on disk itself only then.
  const bool is_synced = std::find(names.begin(), names.end(), boot + std::string(kDone)) != names.end();
  std::vector<fs::path> leftovers;
  for (const std::string& name : names) {
    const auto is_own = [&](std::string_view state) { return name == boot + std::string(state); };
    if (name == kLock || is_own(kWanted) || is_own(kWorking) || is_own(kDone)) continue;
    if (is_synced || !name.ends_with(kDone)) leftovers.push_back(root / kSync / name);
  }
  return leftovers;
}

void forget_marks(const fs::path& root) {
  for (const std::string& name : names_in(root / kSync)) {
    const fs::path path = root / kSync / name;
    if (name != kLock && ::unlink(path.c_str()) != 0 && errno != ENOENT)
      throw_errno("cannot remove " + in_quotes(path.native()));
  }
}

}  // namespace runner::cache
