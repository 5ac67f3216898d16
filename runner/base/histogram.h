#pragma once
// How long things take, counted by size: a few relaxed additions where it is measured, no lock. Any thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace runner {

/// What a histogram had at a moment.
struct HistogramCounts {
  std::vector<double> bounds;        // in seconds, ascending
  std::vector<std::uint64_t> up_to;  // by bound: how many were no longer than that
  std::uint64_t count = 0;           // all, the longest too
  std::chrono::duration<double> sum{0};
};

// Bounds in seconds: of what machines do at once, and of what jobs and people take.
inline constexpr std::array<double, 13> kShortTimes{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                    0.25,  0.5,    1,     2.5,  5,     10};
inline constexpr std::array<double, 11> kLongTimes{0.1, 1, 5, 15, 60, 300, 900, 3600, 14'400, 43'200, 86'400};

class Histogram {
 public:
  static constexpr std::size_t kMostBounds = 16;
  /// `bounds` ascends, has kMostBounds at most, and outlives this.
  explicit Histogram(std::span<const double> bounds) noexcept : bounds_(bounds) {}
  /// Less than nothing counts as nothing: clocks are set back.
  void add(std::chrono::duration<double> time) noexcept;
  /// What is added meanwhile is in it or not; `count` is what the bounds tell of.
  HistogramCounts counts() const;

 private:
  const std::span<const double> bounds_;
  std::array<std::atomic<std::uint64_t>, kMostBounds + 1> counts_{};  // of each bound alone; what is above
  std::atomic<std::uint64_t> nanoseconds_{0};
};

}  // namespace runner
