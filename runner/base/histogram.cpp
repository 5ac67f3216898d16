#include "runner/base/histogram.h"

#include <algorithm>

namespace runner {

void Histogram::add(std::chrono::duration<double> time) noexcept {
  const double seconds = std::max(time.count(), 0.0);
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), seconds);
  const auto at = std::min<std::size_t>(static_cast<std::size_t>(bound - bounds_.begin()), kMostBounds);
  counts_[at].fetch_add(1, std::memory_order_relaxed);
  nanoseconds_.fetch_add(static_cast<std::uint64_t>(seconds * 1e9), std::memory_order_relaxed);
}

HistogramCounts Histogram::counts() const {
  HistogramCounts counts;
  counts.bounds.assign(bounds_.begin(), bounds_.end());
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    counts.count += counts_.at(i).load(std::memory_order_relaxed);
    counts.up_to.push_back(counts.count);
  }
  counts.count += counts_.at(std::min(bounds_.size(), kMostBounds)).load(std::memory_order_relaxed);
  counts.sum =
      std::chrono::duration<double>(static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9);
  return counts;
}

}  // namespace runner
