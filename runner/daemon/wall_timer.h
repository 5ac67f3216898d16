#pragma once
// Sleeps until the wall clock shows a time, also when somebody sets it meanwhile (timerfd_create(2):
// TFD_TIMER_CANCEL_ON_SET).

#include <cstdint>
#include <optional>

#include "runner/base/clock.h"
#include "runner/base/fd.h"

namespace runner::daemon {

/// One thread waits; wake() from any thread.
class WallTimer {
 public:
  enum class Woken : std::uint8_t { time, called, clock_set };

  /// Throws Error.
  WallTimer();
  /// Blocks until `until` (nullopt: no time), wake(), or until the clock is set. A time that has passed does
  /// not block. Throws Error.
  Woken wait(std::optional<TimePoint> until);
  /// wait() returns, also the next one when nobody waits. Does not block.
  void wake() noexcept { called_.signal(); }

 private:
  UniqueFd timer_;
  const WakeUp called_;
};

}  // namespace runner::daemon
