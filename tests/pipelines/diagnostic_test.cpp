#include "pipelines/diagnostic.h"

#include <gtest/gtest.h>

namespace runner::pipelines {
namespace {

SourceRange at(FileId file, std::uint32_t line, std::uint32_t column, std::uint32_t end_column) {
  return {file, line, column, line, end_column};
}

TEST(Diagnostic, RendersPlaceLineCaretAndHelp) {
  Sources sources;
  const FileId file = sources.add("ci.yml", "job:\n  needs: [biuld]\n");
  Diagnostics diagnostics;
  diagnostics
      .error("unknown-need", at(file, 2, 11, 16), "job 'deploy' needs unknown job 'biuld'",
             "did you mean 'build'?")
      .notes.push_back({at(file, 1, 1, 4), "the job starts here"});
  EXPECT_EQ(render(diagnostics.sorted(), sources),
            "ci.yml:2:11: error: job 'deploy' needs unknown job 'biuld' [unknown-need]\n"
            "    2 |   needs: [biuld]\n"
            "      |           ^~~~~\n"
            "  help: did you mean 'build'?\n"
            "ci.yml:1:1: note: the job starts here\n"
            "    1 | job:\n"
            "      | ^~~\n");
}

TEST(Diagnostic, WithoutAPlaceItStartsWithTheProgram) {
  Diagnostics diagnostics;
  diagnostics.error("no-file", {}, "no pipeline configuration found");
  EXPECT_EQ(render(diagnostics.sorted(), Sources()),
            "runner: error: no pipeline configuration found [no-file]\n");
}

TEST(Diagnostic, SortsByPlaceAndDropsRepetitions) {
  Sources sources;
  const FileId root = sources.add("a.yml", "x\ny\n");
  const FileId other = sources.add("b.yml", "x\n");
  Diagnostics diagnostics;
  diagnostics.error("one", at(other, 1, 1, 2), "in b");
  diagnostics.error("two", at(root, 2, 1, 2), "second");
  diagnostics.warning("three", at(root, 1, 1, 2), "first");
  diagnostics.error("two", at(root, 2, 1, 2), "second again");
  diagnostics.error("four", {}, "nowhere");
  diagnostics.error("four", {}, "nowhere else");
  std::string order;
  for (const Diagnostic& one : diagnostics.sorted()) order += one.message + ";";
  EXPECT_EQ(order, "nowhere;nowhere else;first;second;in b;");
  EXPECT_EQ(diagnostics.error_count(), 5U);
}

TEST(Diagnostic, ControlCharactersAreShownAsEscapesAndTheCaretStaysInPlace) {
  Sources sources;
  const FileId file = sources.add("c.yml", "\tx\x1b[31m: bad\n\xC3\xA4: bad\n");
  Diagnostics diagnostics;
  diagnostics.error("a", at(file, 1, 10, 13), "has \x1b in it");
  diagnostics.error("b", at(file, 2, 4, 7), "umlaut");
  EXPECT_EQ(render(diagnostics.sorted(), sources),
            "c.yml:1:10: error: has \\x1b in it [a]\n"
            "    1 | \tx\\x1b[31m: bad\n"
            "      | \t           ^~~\n"
            "c.yml:2:4: error: umlaut [b]\n"
            "    2 | \xC3\xA4: bad\n"
            "      |    ^~~\n");
}

TEST(Diagnostic, RangesOverSeveralLinesEndWithTheFirst) {
  Sources sources;
  const FileId file = sources.add("d.yml", "  - a: 1  \n    b: 2\n");
  Diagnostics diagnostics;
  diagnostics.error("a", {file, 1, 5, 2, 9}, "mapping");
  EXPECT_EQ(render(diagnostics.sorted(), sources),
            "d.yml:1:5: error: mapping [a]\n"
            "    1 |   - a: 1  \n"
            "      |     ^~~~\n");
}

TEST(Diagnostic, PlacesBehindTheEndOfALineGetACaret) {
  Sources sources;
  const FileId file = sources.add("e.yml", "ab");
  Diagnostics diagnostics;
  diagnostics.error("a", at(file, 1, 5, 6), "behind");
  diagnostics.error("b", at(file, 2, 1, 1), "no such line");
  EXPECT_EQ(render(diagnostics.sorted(), sources),
            "e.yml:1:5: error: behind [a]\n"
            "    1 | ab\n"
            "      |     ^\n"
            "e.yml:2:1: error: no such line [b]\n"
            "    2 | \n"
            "      | ^\n");
}

TEST(Diagnostic, VeryLongLinesAreCutAroundTheCaret) {
  Sources sources;
  const FileId file = sources.add("f.yml", std::string(1U << 20U, 'x'));
  Diagnostics diagnostics;
  diagnostics.error("a", at(file, 1, 500000, 500003), "long");
  const std::string text = render(diagnostics.sorted(), sources);
  EXPECT_LT(text.size(), 400U);
  EXPECT_NE(
      text.find("    1 | ..." + std::string(120, 'x') + "...\n      | " + std::string(53, ' ') + "^~~\n"),
      std::string::npos)
      << text;
}

TEST(Diagnostic, WhatIsOverTheLimitIsCounted) {
  Sources sources;
  const FileId file = sources.add("g.yml", "x\n");
  Diagnostics diagnostics;
  for (std::uint32_t i = 0; i < 5; ++i) diagnostics.error("e", at(file, i + 1, 1, 2), "wrong");
  diagnostics.warning("w", {}, "odd");
  RenderOptions options;
  options.limit = 3;
  const std::string text = render(diagnostics.sorted(), sources, options);
  EXPECT_NE(text.find("\n... and 2 more errors\n"), std::string::npos) << text;
  EXPECT_NE(text.find("runner: warning: odd [w]\n"), std::string::npos) << text;
}

TEST(Diagnostic, ColorsOnlyWhenAsked) {
  Sources sources;
  Diagnostics diagnostics;
  diagnostics.error("e", {}, "wrong");
  EXPECT_EQ(render(diagnostics.sorted(), sources).find('\x1b'), std::string::npos);
  RenderOptions options;
  options.color = true;
  EXPECT_NE(render(diagnostics.sorted(), sources, options).find("\x1b[1;31merror:\x1b[0m wrong"),
            std::string::npos);
}

}  // namespace
}  // namespace runner::pipelines
