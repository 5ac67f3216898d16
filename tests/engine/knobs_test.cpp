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

TEST(Knobs, WrongValuesAreWarnedOfAndMeanNothing) {
  const std::map<std::string, std::string> wrong = {
      {"GIT_CHECKOUT", "maybe"},         {"GIT_DEPTH", "-3"},
      {"RESTORE_CACHE_ATTEMPTS", "few"}, {"TRANSFER_METER_FREQUENCY", "often"},
      {"CACHE_COMPRESSION_LEVEL", "9"},  {"CACHE_COMPRESSION_FORMAT", "rar"},
  };
  EXPECT_EQ(knobs_without_effect(wrong), "");
  const std::string unset = "; it is taken as unset";
  const std::vector<std::string> expected = {
      "CACHE_COMPRESSION_FORMAT should be zip or tarzstd, not 'rar'; it is taken as unset",
      "CACHE_COMPRESSION_LEVEL should be fastest, fast, default, slow or slowest, not '9'" + unset,
      "GIT_CHECKOUT should be true or false, not 'maybe'; it is taken as unset",
      "GIT_DEPTH should be a number, not '-3'; it is taken as unset",
      "RESTORE_CACHE_ATTEMPTS should be a number, not 'few'; it is taken as unset",
      "TRANSFER_METER_FREQUENCY should be a duration, not 'often'; it is taken as unset",
  };
  EXPECT_EQ(wrong_knobs(wrong), expected);
  EXPECT_TRUE(wrong_knobs({{"GIT_DEPTH", "deep"}}, true).empty());  // source_knobs() does
  const std::map<std::string, std::string> right = {
      {"GIT_CHECKOUT", "1"},           {"GIT_LFS_SKIP_SMUDGE", "F"},      {"GIT_DEPTH", ""},
      {"RESTORE_CACHE_ATTEMPTS", "3"}, {"TRANSFER_METER_FREQUENCY", "0"}, {"FF_ANY", "thing"},
  };
  EXPECT_EQ(knobs_without_effect(right), "");
  EXPECT_TRUE(wrong_knobs(right).empty());
}

TEST(Knobs, BooleansAreWordsOrDigits) {
  for (const char* yes : {"1", "t", "true", "TRUE"}) EXPECT_EQ(parse_flag(yes), true) << yes;
  for (const char* no : {"0", "f", "false", "FALSE"}) EXPECT_EQ(parse_flag(no), false) << no;
  for (const char* neither : {"", "yes", "no", "2", "tRUE", " true"})
    EXPECT_EQ(parse_flag(neither), std::nullopt) << neither;
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
