#include "deployments/pause.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/fd.h"

namespace runner::deployments {
namespace {

using Steady = std::chrono::steady_clock;

/// At least until `until`, but at most a minute: who calls asks again.
int milliseconds_until(Steady::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

bool wait_for_fd(int fd, short events, Steady::time_point until, const std::stop_token& stop) {
  WakeUp stopped;
  const std::stop_callback on_stop(stop, [&] { stopped.signal(); });
  for (;;) {
    if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
    std::array<pollfd, 2> watched = {{{fd, events, 0}, {stopped.fd(), POLLIN, 0}}};
    const int ready = ::poll(watched.data(), watched.size(), milliseconds_until(until));
    if (ready < 0 && errno != EINTR) throw_errno("cannot wait");
    if (ready > 0 && watched[0].revents != 0) return true;
    if (ready == 0 && Steady::now() >= until) return false;
  }
}

void pause_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  wait_for_fd(-1, 0, Steady::now() + time, stop);
}

}  // namespace runner::deployments
