#include "runner/daemon/wall_timer.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "runner/base/error.h"

namespace runner::daemon {
namespace {

// Without a time it still hears of a clock that is set: armed for a moment that does not come.
constexpr std::int64_t kNever = 253'402'300'799;  // the end of the year 9999, in seconds

itimerspec spec_of(std::optional<TimePoint> until) {
  itimerspec spec{};
  const std::int64_t time = until ? until->time_since_epoch().count() : kNever * 1000;
  // Zero would disarm it; that time has passed as surely as one nanosecond after it.
  const std::int64_t milliseconds = std::clamp<std::int64_t>(time, 0, kNever * 1000);
  spec.it_value.tv_sec = milliseconds / 1000;
  spec.it_value.tv_nsec = milliseconds % 1000 * 1'000'000 + (milliseconds == 0 ? 1 : 0);
  return spec;
}

}  // namespace

WallTimer::WallTimer() : timer_(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!timer_) throw_errno("cannot make a timer");
}

WallTimer::Woken WallTimer::wait(std::optional<TimePoint> until) {
  const itimerspec spec = spec_of(until);
  // ECANCELED tells of a clock that was set while the timer was armed before; it is armed again all the same.
  const bool was_set =
      ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, nullptr) != 0;
  if (was_set && errno != ECANCELED) throw_errno("cannot set a timer");
  if (was_set) return Woken::clock_set;
  pollfd watched[2] = {{timer_.get(), POLLIN, 0}, {called_.fd(), POLLIN, 0}};
  while (::poll(watched, 2, -1) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for a timer");
  }
  if (watched[1].revents != 0) {
    called_.clear();
    return Woken::called;
  }
  std::uint64_t times = 0;
  const ssize_t got = ::read(timer_.get(), &times, sizeof times);
  return got < 0 && errno == ECANCELED ? Woken::clock_set : Woken::time;
}

}  // namespace runner::daemon
