#include "runner/http/rate_limit.h"

#include <algorithm>
#include <cmath>

#include "runner/base/error.h"

namespace runner::http {

RateLimiter::RateLimiter(RateLimit limit, std::size_t max_keys) : limit_(limit), max_keys_(max_keys) {
  if (!(limit.per_second > 0) || !(limit.burst >= 1) || !std::isfinite(limit.per_second) ||
      !std::isfinite(limit.burst) || max_keys == 0)
    throw Error(ErrorCode::invalid_input,
                "a rate limit needs a rate above 0, a burst of at least 1, and room for at least one key");
}

RateLimiter::Bucket& RateLimiter::bucket_of(std::string_view key, SteadyPoint now) {
  if (const auto found = buckets_.find(key); found != buckets_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return recent_.front();
  }
  if (buckets_.size() == max_keys_) {
    buckets_.erase(recent_.back().key);
    recent_.pop_back();
  }
  recent_.push_front({std::string(key), limit_.burst, now});
  buckets_.emplace(recent_.front().key, recent_.begin());
  return recent_.front();
}

RateLimiter::Verdict RateLimiter::take(std::string_view key, SteadyPoint now, double cost) {
  Bucket& bucket = bucket_of(key, now);
  if (now > bucket.at) {
    const std::chrono::duration<double> passed = now - bucket.at;
    bucket.tokens = std::min(limit_.burst, bucket.tokens + passed.count() * limit_.per_second);
    bucket.at = now;
  }
  Verdict verdict;
  // A hair less than enough is what rounding leaves of enough.
  verdict.allowed = bucket.tokens + 1e-9 >= cost;
  if (verdict.allowed) {
    bucket.tokens = std::max(0.0, bucket.tokens - cost);
  } else {
    const double seconds = (cost - bucket.tokens) / limit_.per_second;
    constexpr double kLongest = 1e9;  // a rate near nothing must not overflow the count
    verdict.retry_after =
        std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(std::min(seconds * 1000, kLongest))));
  }
  verdict.remaining = static_cast<std::uint64_t>(bucket.tokens + 1e-9);
  return verdict;
}

}  // namespace runner::http
