#include "runner/cli/job_lines.h"

#include <gtest/gtest.h>

namespace runner::cli {
namespace {

std::vector<std::string> lines(std::string_view bytes, bool color = false, std::size_t chunk = 1U << 20U) {
  std::vector<std::string> out;
  JobLines assembler(color, [&](std::string_view line) { out.emplace_back(line); });
  while (!bytes.empty()) {
    assembler.feed(bytes.substr(0, chunk));
    bytes.remove_prefix(std::min(chunk, bytes.size()));
  }
  assembler.flush();
  return out;
}

using Lines = std::vector<std::string>;

TEST(JobLines, ChunksDoNotMatter) {
  const std::string text = "one\ntwo\r\n\n\x1b[32;1m$ three\x1b[0;m\nsection_start:17:a\r\x1b[0Khead\nlast";
  for (std::size_t chunk = 1; chunk < 12; ++chunk) {
    EXPECT_EQ(lines(text, false, chunk), (Lines{"one", "two", "", "$ three", "head", "last"})) << chunk;
  }
}

TEST(JobLines, TheEndOfAChunkIsAsIfAllWereRead) {
  std::string text = "begun ";
  for (int i = 0; i < 500; ++i) text += std::to_string(i) + "\n";
  for (const char* marker : {"", "section_start:17:script\r\x1b[0K\n"}) {
    Lines out;
    int sections = 0;
    JobLines assembler(
        false, [&](std::string_view line) { out.emplace_back(line); },
        [&](std::string_view, bool) { ++sections; });
    assembler.feed_end("early ", 3);
    assembler.feed_end(text + marker + text + "un", 3);
    assembler.feed_end("finished\n", 3);
    ASSERT_GE(out.size(), 4U);
    EXPECT_EQ(out.front(), "early begun 0");
    EXPECT_EQ(Lines(out.end() - 3, out.end()), (Lines{"498", "499", "unfinished"}));
    EXPECT_EQ(sections, *marker == '\0' ? 0 : 1);
  }
}

TEST(JobLines, ColoursStayWhenWanted) {
  EXPECT_EQ(lines("\x1b[31mred\x1b[0m\n\x1b[31mopen\n", true),
            (Lines{"\x1b[31mred\x1b[0m", "\x1b[31mopen\x1b[0m"}));
  EXPECT_EQ(lines("\x1b[31mred\x1b[0m\n", false), (Lines{"red"}));
}

TEST(JobLines, NothingMovesTheCursor) {
  EXPECT_EQ(lines("a\x1b[2Jb\x1b[1;1Hc\x1b]0;title\x07"
                  "d\x1b]8;;x\x1b\\e\x1b(B\a\b\x7f\n",
                  true),
            (Lines{"abcde"}));
  EXPECT_EQ(lines("cut \x1b[31", true), (Lines{"cut "}));
  EXPECT_EQ(lines("cut \x1b", false), (Lines{"cut "}));
}

TEST(JobLines, ProgressBarsShowTheirLastState) {
  EXPECT_EQ(lines("10%\r50%\r100%\ndone\r\r\n"), (Lines{"100%", "done"}));
}

TEST(JobLines, SectionMarkersAreNotShown) {
  EXPECT_EQ(lines("\x1b[0Ksection_start:1700000000:my_part[collapsed=true]\r\x1b[0KHeader\n"
                  "body\n"
                  "\x1b[0Ksection_end:1700000000:my_part\r\x1b[0K\n"
                  "section_end:1:a\r\x1b[0Ksection_start:1:b\r\x1b[0K\n"),
            (Lines{"Header", "body"}));
  EXPECT_EQ(lines("section_start is a word\nsection_end:x:y\n"),
            (Lines{"section_start is a word", "section_end:x:y"}));
}

TEST(JobLines, ALineWithoutEndIsBounded) {
  const std::string huge(1'000'000, 'x');
  const Lines out = lines(huge);
  std::size_t total = 0;
  for (const std::string& line : out) {
    EXPECT_LE(line.size(), 64U << 10U);
    total += line.size();
  }
  EXPECT_EQ(total, huge.size());
}

TEST(JobLines, TheLineBeingWrittenIsKnown) {
  JobLines assembler(false, [](std::string_view) {});
  assembler.feed("first\n 10%\r 20%");
  EXPECT_EQ(assembler.partial(), " 20%");
}

}  // namespace
}  // namespace runner::cli
