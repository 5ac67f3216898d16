#include "runner/engine/knobs.h"

#include <gtest/gtest.h>

#include "artifacts/artifacts.h"

namespace runner::engine {
namespace {

TEST(Knobs, ThoseThatAskForSomethingElseAreNamed) {
  EXPECT_EQ(knobs_without_effect({{"GIT_DEPTH", "1"}, {"GIT_CLEAN_FLAGS", "none"}}, true), "GIT_CLEAN_FLAGS");
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

TEST(Knobs, ArchivesAreZipUnlessAskedOtherwise) {
  EXPECT_EQ(archive_format(""), artifacts::ArchiveFormat::zip);
  EXPECT_EQ(archive_format("zip"), artifacts::ArchiveFormat::zip);
  EXPECT_EQ(archive_format("tarzstd"), artifacts::ArchiveFormat::tar_zst);
  EXPECT_EQ(archive_format("rar"), std::nullopt);
}

TEST(Knobs, AttemptsAreOneToTen) {
  const std::pair<const char*, int> cases[] = {{"", 1}, {"3", 3}, {"0", 1}, {"-2", 1}, {"99", 10}, {"x", 1}};
  for (const auto& [text, attempts] : cases) EXPECT_EQ(attempts_of(text), attempts) << text;
}

}  // namespace
}  // namespace runner::engine
