#include "runner/base/glob.h"

#include <gtest/gtest.h>

#include <chrono>

namespace runner {
namespace {

struct Case {
  std::string pattern;
  std::string path;
  bool matches;
};

void check(GlobDialect dialect, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const Glob glob(c.pattern, dialect);
    EXPECT_EQ(glob.matches(c.path), c.matches) << c.pattern << " against " << c.path;
    if (!c.matches) continue;
    // Whatever matches must be reachable by a walk.
    for (auto slash = c.path.find('/'); slash != std::string::npos; slash = c.path.find('/', slash + 1)) {
      EXPECT_TRUE(glob.could_match_below(c.path.substr(0, slash))) << c.pattern << " below " << c.path;
    }
    EXPECT_TRUE(glob.could_match_below("")) << c.pattern;
  }
}

const std::vector<Case>& common_cases() {
  static const std::vector<Case> cases = {
      {"a", "a", true},
      {"a", "ab", false},
      {"src", "src/a", false},
      {"a.c", "abc", false},
      {"?", "a", true},
      {"?", "\xC3\xA4", true},
      {"?", "\xff", true},
      {"?", "", false},
      {"a?b", "a/b", false},
      {"*", "a", true},
      {"*", ".hidden", true},
      {"*", "a/b", false},
      {"*.md", "README.md", true},
      {"*.md", "docs/README.md", false},
      {"a*c", "abbc", true},
      {"a*c", "ab/c", false},
      {"src/*", "src/a", true},
      {"src/*", "src/a/b", false},
      {"**/*.md", "README.md", true},
      {"**/*.md", "docs/deep/README.md", true},
      {"**/*.md", ".git/README.md", true},
      {"src/**/*", "src/a", true},
      {"src/**/*", "src/a/b/c", true},
      {"src/**/*", "src", false},
      {"src/**/b", "src/b", true},
      {"src/**/b", "src/xb", false},
      {"a/**/b/**/c", "a/b/c", true},
      {"a/**/b/**/c", "a/1/b/2/3/c", true},
      {"a/**/b/**/c", "a/1/2/3/c", false},
      {"**/**/a", "a", true},
      {"a**b", "axxb", true},
      {"a**b", "a/b", false},
      {"a**/b", "ax/b", true},
      {"a**/b", "ax/y/b", false},
      {"***/b", "x/b", true},
      {"***/b", "x/y/b", false},
      {"[a-c]x", "bx", true},
      {"[a-c]x", "dx", false},
      {"[!a-c]x", "dx", true},
      {"[^a-c]x", "dx", true},
      {"[^a-c]x", "ax", false},
      {"a[!b]c", "a/c", false},
      {"a[/]c", "a/c", false},
      {"[a-]", "-", true},
      {"[\\]]", "]", true},
      {"[\xC3\xA0-\xC3\xBC]", "\xC3\xA4", true},
      {"[abc", "[abc", true},
      {"[abc", "a", false},
      {"[]", "[]", true},
      {"{a,b}", "a", true},
      {"{a,b}", "b", true},
      {"{a,b}", "{a,b}", false},
      {"{a,b{c,d}}x", "bdx", true},
      {"{a,b{c,d}}x", "ax", true},
      {"{a,b{c,d}}x", "bx", false},
      {"{src/a,lib}/*.c", "src/a/x.c", true},
      {"{src/a,lib}/*.c", "lib/x.c", true},
      {"a{,b}c", "ac", true},
      {"a{,b}c", "abc", true},
      {"{a}", "a", true},
      {"{*.c,*.h}", "x.h", true},
      {"x{a/,}**/b", "xa/1/2/b", true},
      {"{a,**}/b", "1/2/b", true},
      {"{a,**}/b", "b", true},
      {"**{/b,/c}", "1/2/c", true},
      {"{a,b", "{a,b", true},
      {"{a,b", "a", false},
      {"{a,{b}", "{a,{b}", true},
      {"a}", "a}", true},
      {"a,b", "a,b", true},
      {"\\{a,b\\}", "{a,b}", true},
      {"{a\\,b,c}", "a,b", true},
      {"{[,]x,c}", ",x", true},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"\\a", "a", true},
      {"a\\", "a\\", true},
      {"a\\?", "a?", true},
      {"", "", false},
      {"", "a", false},
  };
  return cases;
}

TEST(Glob, BothDialectsShareTheirBasics) {
  check(GlobDialect::rules, common_cases());
  check(GlobDialect::paths, common_cases());
}

TEST(Glob, InRulesTrailingDoubleStarIsOneLevel) {
  check(GlobDialect::rules, {
                                {"src/**", "src/a", true},
                                {"src/**", "src/a/b", false},
                                {"src/**", "src", false},
                                {"**", "a", true},
                                {"**", "a/b", false},
                            });
}

TEST(Glob, InPathsTrailingDoubleStarIsEveryDepth) {
  check(GlobDialect::paths, {
                                {"src/**", "src/a", true},
                                {"src/**", "src/a/b/.c", true},
                                {"src/**", "src", true},
                                {"src/**", "srcx", false},
                                {"**", "a", true},
                                {"**", "a/b", true},
                                {"{a,b}/**", "b/c/d", true},
                                {"{a/**,b}", "a/c/d", true},
                                {"{a/**,b}", "a", true},
                                {"a**", "ab/c", false},
                                {"a/**b", "a/x/b", false},
                            });
}

TEST(Glob, TellsWhereMatchesCanBe) {
  struct Below {
    std::string pattern, dir;
    bool could;
  };
  for (const Below& c : std::vector<Below>{{"a/b/*.c", "a", true},
                                           {"a/b/*.c", "a/b", true},
                                           {"a/b/*.c", "a/c", false},
                                           {"a/b/*.c", "a/b/c", false},
                                           {"a/b/*.c", "ab", false},
                                           {"*.c", "x", false},
                                           {"**/x", "any/where", true},
                                           {"a/**", "a/b/c", true},
                                           {"a/**", "b", false},
                                           {"{a,b}/c/*", "b/c", true},
                                           {"{a,b}/c/*", "c", false},
                                           {"a", "a", false},
                                           {"a/b", "a", true},
                                           {"", "", false}}) {
    EXPECT_EQ(Glob(c.pattern, GlobDialect::paths).could_match_below(c.dir), c.could)
        << c.pattern << " " << c.dir;
  }
}

TEST(Glob, KnowsPlainPaths) {
  for (const auto* plain : {"a", "a/b.c", "a\\*b", "{a", "[a", "a}", "a,b", ""}) {
    EXPECT_TRUE(Glob(plain, GlobDialect::paths).is_literal()) << plain;
  }
  for (const auto* magic : {"*", "a?", "[a]", "{a}", "**"}) {
    EXPECT_FALSE(Glob(magic, GlobDialect::paths).is_literal()) << magic;
  }
  EXPECT_EQ(Glob("a\\*b", GlobDialect::paths).pattern(), "a\\*b");
}

std::string repeat(std::string_view part, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += part;
  return all;
}

TEST(Glob, HostilePatternsStayPolynomial) {
  const std::string a100 = std::string(100, 'a');
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(Glob(repeat("*a", 50) + "b", GlobDialect::rules).matches(a100));
  EXPECT_FALSE(Glob(repeat("**/", 50) + "b", GlobDialect::paths).matches(repeat("a/", 100) + "a"));
  EXPECT_FALSE(Glob(repeat("{a,aa}", 60) + "b", GlobDialect::paths).matches(a100));
  EXPECT_TRUE(Glob(repeat("{a,b,c,d}", 100), GlobDialect::paths).matches(a100));
  EXPECT_TRUE(Glob(repeat("{", 2000) + "a" + repeat("}", 2000), GlobDialect::rules).matches("a"));
  EXPECT_TRUE(Glob(repeat("{", 5000), GlobDialect::rules).is_literal());
  EXPECT_TRUE(Glob(repeat("[", 5000), GlobDialect::rules).is_literal());
  EXPECT_FALSE(Glob(repeat("{**/,*}", 50) + "b", GlobDialect::paths).matches(repeat("a/", 100) + "a"));
  // Generous: exponential growth would take longer than the universe.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace runner
