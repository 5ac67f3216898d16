#include "tests/support/sync_process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <unistd.h>

#include <csignal>

#include "runner/base/fd.h"
#include "runner/base/text.h"

namespace runner::test {
namespace fs = std::filesystem;

std::optional<pid_t> sync_process(const fs::path& root) {
  const fs::path lock = fs::canonical(root) / "sync/lock";
  for (const auto& process : fs::directory_iterator("/proc")) {
    const auto pid = parse_integer(process.path().filename().native());
    std::error_code gone;
    if (pid && *pid != ::getpid() && fs::read_symlink(process.path() / "fd/4", gone) == lock)
      return static_cast<pid_t>(*pid);
  }
  return std::nullopt;
}

void hurry_sync(const fs::path& root) {
  const UniqueFd lock(::open((root / "sync/lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock) return;
  // It has nothing but that descriptor in that place after its first steps.
  while (::flock(lock.get(), LOCK_SH | LOCK_NB) != 0) {
    if (const auto pid = sync_process(root)) ::kill(*pid, SIGTERM);
    ::sched_yield();
  }
}

}  // namespace runner::test
