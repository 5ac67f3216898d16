#include "runner/http/rate_limit.h"

#include <gtest/gtest.h>

#include <limits>

#include "runner/base/error.h"

namespace runner::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const SteadyPoint kStart{seconds(1000)};

TEST(RateLimit, GivesTheBurstAndThenTheRate) {
  RateLimiter limiter({.per_second = 2, .burst = 3}, 10);
  for (int left = 2; left >= 0; --left) {
    const auto verdict = limiter.take("a", kStart);
    EXPECT_TRUE(verdict.allowed);
    EXPECT_EQ(verdict.remaining, static_cast<std::uint64_t>(left));
  }
  const auto refused = limiter.take("a", kStart);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, milliseconds(500));
  EXPECT_FALSE(limiter.take("a", kStart + milliseconds(499)).allowed);
  EXPECT_TRUE(limiter.take("a", kStart + milliseconds(500)).allowed);
  EXPECT_FALSE(limiter.take("a", kStart + milliseconds(500)).allowed);
}

TEST(RateLimit, NeverSavesMoreThanTheBurst) {
  RateLimiter limiter({.per_second = 100, .burst = 2}, 10);
  limiter.take("a", kStart);
  EXPECT_EQ(limiter.take("a", kStart + std::chrono::hours(1000)).remaining, 1U);
}

TEST(RateLimit, KeepsKeysApart) {
  RateLimiter limiter({.per_second = 1, .burst = 1}, 10);
  EXPECT_TRUE(limiter.take("a", kStart).allowed);
  EXPECT_TRUE(limiter.take("b", kStart).allowed);
  EXPECT_FALSE(limiter.take("a", kStart).allowed);
}

TEST(RateLimit, StandsStillWhenTimeGoesBack) {
  RateLimiter limiter({.per_second = 1, .burst = 1}, 10);
  EXPECT_TRUE(limiter.take("a", kStart).allowed);
  EXPECT_FALSE(limiter.take("a", kStart - seconds(50)).allowed);
  EXPECT_FALSE(limiter.take("a", kStart + milliseconds(999)).allowed);
  EXPECT_TRUE(limiter.take("a", kStart + seconds(1)).allowed);
}

TEST(RateLimit, ForgetsTheKeyThatWasQuietLongest) {
  RateLimiter limiter({.per_second = 0.001, .burst = 1}, 2);
  limiter.take("a", kStart);
  limiter.take("b", kStart);
  EXPECT_FALSE(limiter.take("a", kStart).allowed);  // now b is the quiet one
  limiter.take("c", kStart);
  EXPECT_EQ(limiter.size(), 2U);
  EXPECT_FALSE(limiter.take("a", kStart).allowed);
  EXPECT_TRUE(limiter.take("b", kStart).allowed);
  for (int i = 0; i < 10'000; ++i) limiter.take("key" + std::to_string(i), kStart);
  EXPECT_EQ(limiter.size(), 2U);
}

TEST(RateLimit, TakesCosts) {
  RateLimiter limiter({.per_second = 1, .burst = 5}, 2);
  EXPECT_TRUE(limiter.take("a", kStart, 4).allowed);
  const auto refused = limiter.take("a", kStart, 4);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, seconds(3));
  EXPECT_EQ(refused.remaining, 1U);
  EXPECT_FALSE(limiter.take("a", kStart + seconds(500), 6).allowed);
}

TEST(RateLimit, RefusesLimitsThatMakeNoSense) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const RateLimit limit :
       {RateLimit{0, 1}, RateLimit{-1, 1}, RateLimit{1, 0.5}, RateLimit{nan, 1}, RateLimit{1, nan}})
    EXPECT_THROW(RateLimiter(limit, 1), Error);
  EXPECT_THROW(RateLimiter(RateLimit{}, 0), Error);
}

}  // namespace
}  // namespace runner::http
