#include "pipelines/variables.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace runner::pipelines {
namespace {

Variable variable(std::string name, std::string value, VariableSource source = VariableSource::job) {
  Variable made;
  made.name = std::move(name);
  made.value = std::move(value);
  made.source = source;
  return made;
}

Variable raw(std::string name, std::string value) {
  Variable made = variable(std::move(name), std::move(value));
  made.raw = true;
  return made;
}

struct ExpandCase {
  std::string text;
  std::string job;       // Undefined::empty
  std::string creation;  // Undefined::keep
};

TEST(Expand, FollowsTheTable) {
  VariableSet set({variable("A", "a"), variable("B", "<$A>"), raw("R", "$A"), variable("E", "")});
  const std::vector<ExpandCase> cases = {
      {"plain", "plain", "plain"},
      {"$A", "a", "a"},
      {"${A}x", "ax", "ax"},
      {"%A%", "a", "a"},
      {"$B", "<a>", "<a>"},
      {"$R", "$A", "$A"},
      {"[$E]", "[]", "[]"},
      {"$$A", "$A", "$a"},
      {"$$$A", "$a", "$$a"},
      {"%%A%%", "%%A%%", "%%A%%"},
      {"$U", "", "$U"},
      {"${U}", "", "${U}"},
      {"%U%", "%U%", "%U%"},
      {"50%", "50%", "50%"},
      {"100%A", "100%A", "100%A"},
      {"$1$@$*$#$?$!$0$-", "", "$1$@$*$#$?$!$0$-"},
      {"${U:-d}", "", "${U:-d}"},
      {"${A:-d}", "", "${A:-d}"},
      {"${A", "${A", "${A"},
      {"$", "$", "$"},
      {"$.", "$.", "$."},
      {"a$ b", "a$ b", "a$ b"},
      {"$A_B", "", "$A_B"},
      {"$A-B", "a-B", "a-B"},
      {"", "", ""},
  };
  for (const ExpandCase& test : cases) {
    EXPECT_EQ(set.expand(test.text, Undefined::empty), test.job) << test.text;
    EXPECT_EQ(set.expand(test.text, Undefined::keep), test.creation) << test.text;
  }
  EXPECT_EQ(set.expand("[$U$$A]", Undefined::drop), "[$a]");
}

TEST(Precedence, HighestRankWinsAndLaterWithinARank) {
  using enum VariableSource;
  VariableSet set(
      {variable("X", "job", job), variable("X", "pre", predefined), variable("X", "project", project),
       variable("X", "root", root), variable("Y", "first", pipeline), variable("Y", "second", pipeline),
       variable("Z", "matrix", matrix), variable("Z", "rules", rules), variable("Z", "job", job)});
  EXPECT_EQ(set.find("X")->value, "project");
  EXPECT_EQ(set.find("Y")->value, "second");
  EXPECT_EQ(set.find("Z")->value, "rules");
  EXPECT_EQ(set.find("W"), nullptr);
  EXPECT_EQ(set.all().size(), 3U);
}

TEST(Precedence, ABaseTakesPartByRank) {
  using enum VariableSource;
  VariableSet base(
      {variable("X", "project", project), variable("Y", "root", root), variable("Q", "q", user)});
  VariableSet set = VariableSet::over(base);
  set.add(variable("X", "job", job));
  set.add(variable("Y", "job", job));
  set.add(variable("N", "$X $Y", job));
  EXPECT_EQ(set.find("X")->value, "project");
  EXPECT_EQ(set.find("Y")->value, "job");
  EXPECT_EQ(set.expand("$N", Undefined::empty), "project job");
  std::vector<std::string> names;
  for (const Variable* one : set.all()) names.push_back(one->name + "=" + one->value);
  EXPECT_EQ(names, (std::vector<std::string>{"N=$X $Y", "Q=q", "X=project", "Y=job"}));
}

TEST(Expand, NestedReferencesExpandInAnyOrder) {
  VariableSet set({variable("A", "$B/a"), variable("B", "$C/b"), variable("C", "c")});
  EXPECT_EQ(set.expand_all().at("A"), "c/b/a");
}

TEST(Expand, ASelfReferenceReadsTheNextLowerDefinition) {
  using enum VariableSource;
  VariableSet set({variable("P", "$P:job", job), variable("P", "$P:root", root),
                   variable("P", "base", predefined), variable("Q", "$Q:x", job)});
  std::string cycle;
  const auto values = set.expand_all(&cycle);
  EXPECT_EQ(values.at("P"), "base:root:job");
  EXPECT_EQ(values.at("Q"), ":x");
  EXPECT_EQ(cycle, "");
}

TEST(Expand, ACycleIsNamedAndItsMembersAreEmpty) {
  VariableSet set({variable("A", "x$B"), variable("B", "y$A"), variable("C", "c$A"), variable("D", "d")});
  std::string cycle;
  const auto values = set.expand_all(&cycle);
  EXPECT_EQ(cycle, "A, B");
  EXPECT_EQ(values.at("A"), "");
  EXPECT_EQ(values.at("B"), "");
  EXPECT_EQ(values.at("C"), "c");
  EXPECT_EQ(values.at("D"), "d");
  EXPECT_EQ(set.find_cycle(), "A, B");
  const std::vector<std::string_view> from{"D"};
  EXPECT_EQ(set.find_cycle(from), std::nullopt);
}

TEST(Expand, FileVariablesGiveTheirPath) {
  Variable file = variable("F", "secret content");
  file.file = true;
  VariableSet set({file, variable("G", "at $F")});
  EXPECT_EQ(set.expand("$F", Undefined::keep), "$F");
  set.set_file_directory("/b/p.tmp");
  EXPECT_EQ(set.expand("$G", Undefined::empty), "at /b/p.tmp/F");
  EXPECT_EQ(set.expand_all().at("F"), "/b/p.tmp/F");
}

TEST(Expand, DoublingValuesStayBounded) {
  std::vector<Variable> definitions{variable("V0", "0123456789")};
  for (int i = 1; i < 64; ++i) {
    const std::string below = "$V" + std::to_string(i - 1);
    definitions.push_back(variable("V" + std::to_string(i), below + below));
  }
  VariableSet set(std::move(definitions));
  EXPECT_LE(set.expand("$V63", Undefined::empty).size(), std::size_t{1} << 20);
}

TEST(Expand, ALongChainDoesNotOverflowTheStack) {
  std::vector<Variable> definitions{variable("V0", "end")};
  for (int i = 1; i < 5000; ++i)
    definitions.push_back(variable("V" + std::to_string(i), "$V" + std::to_string(i - 1)));
  VariableSet set(std::move(definitions));
  EXPECT_EQ(set.expand("$V400", Undefined::empty), "end");
  EXPECT_EQ(set.expand("$V4999", Undefined::empty), "");
}

struct WordCase {
  std::string text;
  std::string result;
};

TEST(ShellWord, ExpandsLikeADoubleQuotedWord) {
  const std::map<std::string, std::string> values = {
      {"A", "dir/file.tar.gz"}, {"E", ""}, {"B", "b"}, {"P", "*.gz"}};
  const std::vector<WordCase> cases = {
      {"out/$B/x", "out/b/x"},
      {"${B}c", "bc"},
      {"$U.", "."},
      {"${U:-d}", "d"},
      {"${U:-$B-${U:-x}}", "b-x"},
      {"${E:-d}", "d"},
      {"${E-d}", ""},
      {"${B:-d}", "b"},
      {"${B:+yes}", "yes"},
      {"${U:+yes}", ""},
      {"${U:=z}", "z"},
      {"${A%.*}", "dir/file.tar"},
      {"${A%%.*}", "dir/file"},
      {"${A#*/}", "file.tar.gz"},
      {"${A##*.}", "gz"},
      {"${A%$P}", "dir/file.tar"},
      {"${A%.[gh]z}", "dir/file.tar"},
      {"${#B}", "1"},
      {"\\$B", "$B"},
      {"\\\\", "\\"},
      {"a\\*b", "a\\*b"},
      {"$(id)", "$(id)"},
      {"`id`", "`id`"},
      {"${U", "${U"},
      {"$", "$"},
      {"end\\", "end\\"},
      {"**/*.o", "**/*.o"},
      {"a $B \"q\"", "a b \"q\""},
  };
  for (const WordCase& test : cases)
    EXPECT_EQ(expand_shell_word(test.text, values), test.result) << test.text;
}

TEST(Slug63, ReplacesEachCharacterAndStripsTheEnds) {
  EXPECT_EQ(slug63("Feature/ABC__x"), "feature-abc--x");
  EXPECT_EQ(slug63("--a--"), "a");
  EXPECT_EQ(slug63("///"), "");
  EXPECT_EQ(slug63("\xc3\xa4"
                   "b"),
            "b");
  EXPECT_EQ(slug63("a\xc3\xa4"
                   "b"),
            "a-b");
  EXPECT_EQ(slug63(std::string(62, 'a') + "--b"), std::string(62, 'a'));
  EXPECT_EQ(slug63(std::string(100, 'a')).size(), 63U);
}

TEST(EnvironmentSlug, MatchesTheVectors) {
  EXPECT_EQ(environment_slug("staging"), "staging");
  EXPECT_EQ(environment_slug("Production"), "production-iis43c");
  EXPECT_EQ(environment_slug("review/Foo_1"), "review-foo-1-r189v1");
  EXPECT_EQ(environment_slug("1st"), "env-1st-sru2wu");
  EXPECT_EQ(environment_slug("a-very-long-environment-name").size(), 24U);
  EXPECT_EQ(environment_slug("").substr(0, 4), "env-");
}

}  // namespace
}  // namespace runner::pipelines
