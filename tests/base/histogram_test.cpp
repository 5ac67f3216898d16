#include "runner/base/histogram.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace runner {
namespace {

using std::chrono::duration;
using testing::ElementsAre;

constexpr std::array<double, 3> kBounds{0.5, 1, 5};

TEST(Histogram, CountsByUpperBoundsThatAreIncluded) {
  Histogram histogram(kBounds);
  for (const double seconds : {0.0, 0.5, 0.51, 1.0, 5.0, 5.1, 1e6}) histogram.add(duration<double>(seconds));
  const HistogramCounts counts = histogram.counts();
  EXPECT_THAT(counts.bounds, ElementsAre(0.5, 1, 5));
  EXPECT_THAT(counts.up_to, ElementsAre(2, 4, 5));
  EXPECT_EQ(counts.count, 7U);
  EXPECT_NEAR(counts.sum.count(), 1'000'012.11, 1e-6);
}

TEST(Histogram, OfNothingIsZeros) {
  const HistogramCounts counts = Histogram(kBounds).counts();
  EXPECT_THAT(counts.up_to, ElementsAre(0, 0, 0));
  EXPECT_EQ(counts.count, 0U);
  EXPECT_EQ(counts.sum.count(), 0);
}

TEST(Histogram, LessThanNothingIsNothing) {
  Histogram histogram(kBounds);
  histogram.add(std::chrono::hours(-1));
  EXPECT_THAT(histogram.counts().up_to, ElementsAre(1, 1, 1));
  EXPECT_EQ(histogram.counts().sum.count(), 0);
}

TEST(Histogram, LosesNothingOfManyThreads) {
  constexpr int kThreads = 4, kTimes = 10'000;
  Histogram histogram(kLongTimes);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&histogram] {
      for (int j = 0; j < kTimes; ++j) histogram.add(std::chrono::seconds(1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.counts().count, kThreads * kTimes);
  EXPECT_EQ(histogram.counts().sum.count(), kThreads * kTimes);
}

TEST(Histogram, BoundsAscendAndFit) {
  EXPECT_LE(kShortTimes.size(), Histogram::kMostBounds);
  EXPECT_LE(kLongTimes.size(), Histogram::kMostBounds);
  EXPECT_TRUE(std::is_sorted(kShortTimes.begin(), kShortTimes.end()));
  EXPECT_TRUE(std::is_sorted(kLongTimes.begin(), kLongTimes.end()));
}

}  // namespace
}  // namespace runner
