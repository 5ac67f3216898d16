#pragma once
// What the engine thread counts of its own loop: it alone writes, with relaxed additions and stores; any
// thread reads.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "runner/base/clock.h"
#include "runner/base/histogram.h"

namespace runner::engine {

class LoopStats {
 public:
  explicit LoopStats(const Clock& clock) noexcept : clock_(clock) {}

  /// From the messages that came in to all that was done because of them.
  class Turn {
   public:
    explicit Turn(LoopStats& stats) noexcept : stats_(stats), began_(stats.clock_.steady_now()) {
      stats_.step();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

   private:
    LoopStats& stats_;
    const SteadyPoint began_;
  };
  /// The loop waits for the store, whose trouble is told elsewhere: no step is to be expected meanwhile.
  class Wait {
   public:
    explicit Wait(LoopStats& stats) noexcept : stats_(stats), before_(stats.step_.exchange(kNoStep)) {}
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() {
      if (before_ != kNoStep) stats_.step();
    }

   private:
    LoopStats& stats_;
    const SteadyPoint::rep before_;
  };

  /// Within a turn: something of it was done.
  void step() noexcept { step_.store(clock_.steady_now().time_since_epoch().count(), kRelaxed); }
  /// A timer that was due at `when` is served now.
  void timer_served(SteadyPoint when, SteadyPoint now) noexcept { lag_.add(now - when); }
  /// A job starts, so long after its turn came.
  void job_started(std::chrono::milliseconds queued) noexcept { queued_.add(queued); }
  void caches_restored(std::uint64_t hits, std::uint64_t misses) noexcept {
    cache_hits_.fetch_add(hits, kRelaxed);
    cache_misses_.fetch_add(misses, kRelaxed);
  }

  // Any thread.
  HistogramCounts turns() const { return turns_.counts(); }
  HistogramCounts lag() const { return lag_.counts(); }
  HistogramCounts queued() const { return queued_.counts(); }
  std::uint64_t cache_hits() const noexcept { return cache_hits_.load(kRelaxed); }
  std::uint64_t cache_misses() const noexcept { return cache_misses_.load(kRelaxed); }
  /// Since the last step of the turn that is under way; nullopt: there is nothing to do.
  std::optional<std::chrono::duration<double>> since_step() const noexcept;

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  static constexpr SteadyPoint::rep kNoStep = SteadyPoint::min().time_since_epoch().count();

  const Clock& clock_;
  std::atomic<SteadyPoint::rep> step_{kNoStep};
  Histogram turns_{kShortTimes}, lag_{kShortTimes}, queued_{kLongTimes};
  std::atomic<std::uint64_t> cache_hits_{0}, cache_misses_{0};
};

}  // namespace runner::engine
