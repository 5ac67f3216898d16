#pragma once
// One thread for all who follow something: a log, the events. Internal to this folder.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "runner/api/growth.h"
#include "runner/base/clock.h"
#include "runner/base/fd.h"
#include "runner/base/synchronized.h"

namespace runner::api {

/// The thread looks this often when nobody wakes it.
inline constexpr std::chrono::milliseconds kFollowInterval{100};
/// What happens all the time (commits, logs that grow) is waited for as long as the last turn took, times
/// this, and no longer than kLongestPause: one follower hears at once, many do not take a core.
inline constexpr int kPauseForTurn = 4;
inline constexpr std::chrono::milliseconds kLongestPause{20};

/// Called in the thread only. May block on the store and the disk, and never on a reader.
class Follower {
 public:
  virtual ~Follower() = default;
  /// Sends what there is and what there is room for. `changes` is another number when something was
  /// committed. False: done. What it throws is logged, and ends it.
  virtual bool step(std::uint64_t changes) = 0;
  /// When to look again, should nobody have a word of what it waits for.
  virtual std::chrono::milliseconds patience() const { return kFollowInterval; }
};

/// Any thread.
class Followers {
 public:
  Followers();
  ~Followers();
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  void add(std::unique_ptr<Follower> follower);
  /// For followers, in their thread: who grows.
  Growth& growth() noexcept { return growth_; }
  /// Something was committed.
  void changed() noexcept;
  /// Has the thread look once more; may be called after this object is gone.
  std::function<void()> waker() const;

 private:
  void work();

  std::shared_ptr<WakeUp> wake_ = std::make_shared<WakeUp>();
  Growth growth_;
  std::atomic<std::uint64_t> changes_ = 1;
  std::atomic<bool> stop_ = false;
  Synchronized<std::vector<std::unique_ptr<Follower>>> added_;
  std::thread thread_;
};

}  // namespace runner::api
