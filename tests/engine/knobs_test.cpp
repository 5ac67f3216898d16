#include "runner/engine/knobs.h"

#include <gtest/gtest.h>

#include "artifacts/artifacts.h"

namespace runner::engine {
namespace {

TEST(Knobs, ThoseThatAskForSomethingElseAreNamed) {
  EXPECT_EQ(knobs_without_effect({}), "");
  EXPECT_EQ(knobs_without_effect({{"GIT_STRATEGY", "clone"}, {"PATH", "/bin"}}), "");
  EXPECT_EQ(
      knobs_without_effect({{"GIT_CHECKOUT", "true"}, {"GIT_DEPTH", ""}, {"GET_SOURCES_ATTEMPTS", "1"}}), "");
  EXPECT_EQ(
      knobs_without_effect({{"GIT_CHECKOUT", "false"}, {"GET_SOURCES_ATTEMPTS", "3"}, {"GIT_DEPTH", "0"}}),
      "GET_SOURCES_ATTEMPTS, GIT_CHECKOUT, GIT_DEPTH");
}

TEST(Knobs, CompressionLevelsHaveNames) {
  EXPECT_EQ(compression_level(""), artifacts::kDefaultCompression);
  EXPECT_EQ(compression_level("default"), artifacts::kDefaultCompression);
  EXPECT_EQ(compression_level("fastest"), 0);
  EXPECT_EQ(compression_level("slowest"), 9);
  EXPECT_EQ(compression_level("9"), std::nullopt);
  EXPECT_EQ(compression_level("Fast"), std::nullopt);
}

}  // namespace
}  // namespace runner::engine
