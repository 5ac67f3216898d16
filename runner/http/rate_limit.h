#pragma once
// How often somebody may do something: a bucket of tokens for each key. A value: no clock, no thread, no lock
// inside.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "runner/base/clock.h"

namespace runner::http {

struct RateLimit {
  double per_second = 1;  // above 0
  double burst = 10;      // at least 1: what a bucket holds, and a new one has
};

/// Remembers at most `max_keys`; the one that was asked for longest ago is forgotten first, and has a full
/// bucket when it comes again. So with many more keys than that the limit gets soft, and memory stays
/// bounded.
class RateLimiter {
 public:
  /// Throws Error{invalid_input} for a limit or a size that makes no sense.
  RateLimiter(RateLimit limit, std::size_t max_keys);

  struct Verdict {
    bool allowed = false;
    std::chrono::milliseconds retry_after{0};  // rounded up; 0 when allowed
    std::uint64_t remaining = 0;               // whole tokens
  };
  /// Takes `cost` tokens or none. A cost above the burst is never allowed. Time that goes backwards stands
  /// still.
  Verdict take(std::string_view key, SteadyPoint now, double cost = 1);
  std::size_t size() const noexcept { return buckets_.size(); }

 private:
  struct Bucket {
    std::string key;
    double tokens;
    SteadyPoint at;
  };
  Bucket& bucket_of(std::string_view key, SteadyPoint now);

  RateLimit limit_;
  std::size_t max_keys_;
  std::list<Bucket> recent_;  // the newest first; the index below views the keys in it
  std::unordered_map<std::string_view, std::list<Bucket>::iterator> buckets_;
};

}  // namespace runner::http
