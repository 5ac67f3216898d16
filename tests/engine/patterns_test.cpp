#include "runner/engine/patterns.h"

#include <gtest/gtest.h>

#include <vector>

namespace runner::engine {
namespace {

using Patterns = std::vector<std::string>;

TEST(Patterns, OverlapWhereTheirBeginningsMeet) {
  const struct {
    Patterns some, others;
    bool overlap;
  } cases[] = {
      {{"out"}, {"dep"}, false},
      {{"out"}, {"output"}, false},
      {{"out/a"}, {"out/b"}, false},
      {{"out"}, {"out/b/c"}, true},
      {{"out/b/c"}, {"./out//b/"}, true},
      {{"out/*.o"}, {"out/x"}, true},
      {{"out/*.o"}, {"dep/*.o"}, false},
      {{"**/*.o"}, {"dep"}, true},
      {{"{out,dep}/x"}, {"dep"}, true},
      {{"out/../dep"}, {"dep"}, true},
      {{"out/*/../../dep"}, {"dep"}, true},
      {{"/ws/out"}, {"out"}, true},
      {{"/ws/out"}, {"dep"}, false},
      {{"/ws"}, {"dep"}, true},
      {{"a", "out"}, {"b", "out/x"}, true},
      {{""}, {"dep"}, true},
      {{}, {"dep"}, false},
      {{"dep"}, {}, false},
  };
  for (const auto& one : cases) {
    const std::string name = one.some.empty() ? "-" : one.some.back();
    EXPECT_EQ(may_overlap(one.some, one.others, "/ws"), one.overlap) << name;
    EXPECT_EQ(may_overlap(one.others, one.some, "/ws"), one.overlap) << name;
  }
}

TEST(Patterns, AreTheSameTextHoweverTheyAreWritten) {
  EXPECT_EQ(canonical_patterns(Patterns{"./b/", "/ws/a", "a"}, "/ws"), "a\nb");
  EXPECT_EQ(canonical_patterns(Patterns{"a", "b"}, "/elsewhere/tree"), "a\nb");
  EXPECT_NE(canonical_patterns(Patterns{"a"}, "/ws"), canonical_patterns(Patterns{"a/*"}, "/ws"));
  EXPECT_EQ(canonical_patterns(Patterns{"/ws"}, "/ws"), ".");
}

}  // namespace
}  // namespace runner::engine
