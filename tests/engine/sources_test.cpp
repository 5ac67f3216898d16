#include "runner/engine/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runner::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(SourceKnobs, HaveTheDefaultsOfTheDialect) {
  std::vector<std::string> warnings;
  const SourceKnobs knobs = source_knobs({}, warnings);
  EXPECT_EQ(knobs.depth, 20U);
  EXPECT_TRUE(knobs.checkout);
  EXPECT_TRUE(knobs.lfs);
  EXPECT_EQ(knobs.submodules, "none");
  EXPECT_THAT(knobs.submodule_paths, IsEmpty());
  EXPECT_EQ(knobs.submodule_depth, std::nullopt);
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(SourceKnobs, AreReadFromVariables) {
  std::vector<std::string> warnings;
  const SourceKnobs knobs = source_knobs({{"GIT_DEPTH", "0"},
                                          {"GIT_CHECKOUT", "f"},
                                          {"GIT_LFS_SKIP_SMUDGE", "1"},
                                          {"GIT_SUBMODULE_STRATEGY", "recursive"},
                                          {"GIT_SUBMODULE_PATHS", " a  :(exclude)b "},
                                          {"GIT_SUBMODULE_DEPTH", "3"}},
                                         warnings);
  EXPECT_EQ(knobs.depth, 0U);
  EXPECT_FALSE(knobs.checkout);
  EXPECT_FALSE(knobs.lfs);
  EXPECT_EQ(knobs.submodules, "recursive");
  EXPECT_THAT(knobs.submodule_paths, ElementsAre("a", ":(exclude)b"));
  EXPECT_EQ(knobs.submodule_depth, 3U);
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(SourceKnobs, WrongValuesAreWarnedOfAndTheDefaultTaken) {
  std::vector<std::string> warnings;
  const SourceKnobs knobs = source_knobs({{"GIT_DEPTH", "-1"},
                                          {"GIT_CHECKOUT", "yes"},
                                          {"GIT_LFS_SKIP_SMUDGE", "no"},
                                          {"GIT_SUBMODULE_DEPTH", "x"}},
                                         warnings);
  EXPECT_EQ(knobs.depth, 20U);
  EXPECT_TRUE(knobs.checkout);
  EXPECT_TRUE(knobs.lfs);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("GIT_DEPTH should be a number of commits, not '-1'"),
                                    HasSubstr("GIT_CHECKOUT should be true or false, not 'yes'"),
                                    HasSubstr("GIT_SUBMODULE_DEPTH should be"),
                                    HasSubstr("GIT_LFS_SKIP_SMUDGE should be")));
}

}  // namespace
}  // namespace runner::engine
