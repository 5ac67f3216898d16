#include "cache/opened_up.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/log.h"

namespace runner::cache {
namespace {

/// A handle of what cannot be read takes no fchmod().
int set_mode(int handle, mode_t mode) {
  const std::string path = "/proc/self/fd/" + std::to_string(handle);
  return ::chmod(path.c_str(), mode & 07777U);
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
  const mode_t more = S_ISDIR(info.st_mode) ? 0500U : 0400U;
  if (set_mode(handle.get(), info.st_mode | more) != 0) return std::nullopt;
  return OpenedUp(std::move(handle), info.st_mode);
}

OpenedUp::~OpenedUp() {
  if (handle_ && set_mode(handle_.get(), mode_) != 0) {
    const std::error_code error(errno, std::generic_category());
    log_warn("cache", Error(error, "cannot take back the permission to read a file of a layer").what());
  }
}

}  // namespace runner::cache
