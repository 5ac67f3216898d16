#include "runner/daemon/wall_timer.h"

#include <gtest/gtest.h>

#include <thread>

namespace runner::daemon {
namespace {

using Woken = WallTimer::Woken;

TEST(WallTimer, ATimeThatHasPassedDoesNotBlock) {
  WallTimer timer;
  EXPECT_EQ(timer.wait(SystemClock().now() - std::chrono::hours(1)), Woken::time);
  EXPECT_EQ(timer.wait(TimePoint()), Woken::time);
  EXPECT_EQ(timer.wait(TimePoint(std::chrono::milliseconds(-5))), Woken::time);
}

TEST(WallTimer, ComesNoEarlierThanItsTime) {
  WallTimer timer;
  const SystemClock clock;
  const TimePoint until = clock.now() + std::chrono::milliseconds(30);
  EXPECT_EQ(timer.wait(until), Woken::time);
  EXPECT_GE(clock.now(), until);
}

TEST(WallTimer, IsWokenAlsoBeforeItSleeps) {
  WallTimer timer;
  timer.wake();
  EXPECT_EQ(timer.wait(std::nullopt), Woken::called);
  std::thread other([&] { timer.wake(); });
  EXPECT_EQ(timer.wait(SystemClock().now() + std::chrono::hours(1)), Woken::called);
  other.join();
  EXPECT_EQ(timer.wait(SystemClock().now()), Woken::time) << "a call counts once";
}

}  // namespace
}  // namespace runner::daemon
