#include "runner/cli/output.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace runner::cli {
namespace {

// POSIX: a pipe that poll() calls writable takes this much without blocking.
constexpr std::size_t kPiece = 4096;

}  // namespace

Output::Output(int fd) : fd_(fd) {
  struct stat status {};
  may_block_ = ::fstat(fd, &status) == 0 && !S_ISREG(status.st_mode);
}

void Output::write(std::string_view text) noexcept {
  while (!text.empty() && !broken_.load(std::memory_order_relaxed)) {
    if (may_block_) {
      std::array<pollfd, 2> wait{{{fd_, POLLOUT, 0}, {wake_.fd(), POLLIN, 0}}};
      if (::poll(wait.data(), wait.size(), -1) < 0) {
        if (errno == EINTR) continue;
        broken_ = true;
        return;
      }
      // Given up, and there is no room at once.
      if (wait[0].revents == 0) {
        broken_ = true;
        return;
      }
    }
    const ssize_t written =
        ::write(fd_, text.data(), may_block_ ? std::min(text.size(), kPiece) : text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      if (errno != EPIPE) failed_ = true;
      broken_ = true;
    }
  }
}

void Output::give_up() noexcept {
  wake_.signal();
}

}  // namespace runner::cli
