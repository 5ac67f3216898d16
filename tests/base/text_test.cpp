#include "runner/base/text.h"

#include <gtest/gtest.h>

#include <array>

namespace runner {
namespace {

using std::chrono::milliseconds;

TEST(Text, TrimsBlanksAtBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Text, SplitKeepsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
}

TEST(Text, SplitWordsDropsBlanks) {
  EXPECT_EQ(split_words("  a \t bc\n"), (std::vector<std::string_view>{"a", "bc"}));
  EXPECT_TRUE(split_words(" \n").empty());
}

TEST(Text, JoinsAndReplaces) {
  const std::vector<std::string> parts = {"a", "b", "c"};
  EXPECT_EQ(join(parts, ", "), "a, b, c");
  EXPECT_EQ(join({}, ", "), "");
  EXPECT_EQ(replace_all("aXbXX", "X", "--"), "a--b----");
  EXPECT_EQ(replace_all("aaa", "aa", "a"), "aa");
  EXPECT_EQ(to_lower("AbZ_\xC3\x84"), "abz_\xC3\x84");
}

TEST(Text, NearestOffersOnlyWhatIsNear) {
  const std::array<std::string_view, 5> words = {"script", "before_script", "stage", "stages", "tags"};
  EXPECT_EQ(nearest("scritp", words), "script");
  EXPECT_EQ(nearest("before-script", words), "before_script");
  EXPECT_EQ(nearest("stag", words), "stage");
  EXPECT_EQ(nearest("zzz", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
  EXPECT_EQ(nearest(std::string(100000, 's'), words), std::nullopt);
  const std::array<std::string_view, 2> single = {"a", "b"};
  EXPECT_EQ(nearest("c", single), std::nullopt);
}

TEST(Text, FormatsDurationsForPeople) {
  const std::vector<std::pair<std::int64_t, std::string>> cases = {
      {0, "0 ms"},           {850, "850 ms"},       {999, "999 ms"},
      {1000, "1.0 s"},       {3249, "3.2 s"},       {59949, "59.9 s"},
      {59950, "1 m 00 s"},   {247000, "4 m 07 s"},  {3599499, "59 m 59 s"},
      {3599500, "1 h 00 m"}, {7500000, "2 h 05 m"}, {360000000, "100 h 00 m"},
      {-5, "0 ms"}};
  for (const auto& [ms, text] : cases) EXPECT_EQ(format_duration(milliseconds(ms)), text) << ms;
}

TEST(Text, FormatsBytesForPeople) {
  const std::vector<std::pair<std::uint64_t, std::string>> cases = {
      {0, "0 B"},        {312, "312 B"},       {1023, "1023 B"},     {1024, "1.0 KiB"},
      {4096, "4.0 KiB"}, {1258291, "1.2 MiB"}, {1048575, "1.0 MiB"}, {UINT64_MAX, "16.0 EiB"}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(format_bytes(bytes), text) << bytes;
}

TEST(Text, SizesAreReadAsPeopleWriteThem) {
  const std::vector<std::pair<std::string, std::optional<std::uint64_t>>> cases{{"0", 0},
                                                                                {"312", 312},
                                                                                {"312 B", 312},
                                                                                {"4KiB", 4096},
                                                                                {"4k", 4096},
                                                                                {"500MB", 500000000},
                                                                                {"1.5 GiB", 1610612736},
                                                                                {" 2t ", 2199023255552},
                                                                                {"", std::nullopt},
                                                                                {"GB", std::nullopt},
                                                                                {"-1", std::nullopt},
                                                                                {"5 parsecs", std::nullopt},
                                                                                {"5x", std::nullopt},
                                                                                {"1e3", std::nullopt},
                                                                                {"nan", std::nullopt},
                                                                                {"9999999TiB", std::nullopt},
                                                                                {"5GiBs", std::nullopt},
                                                                                {"0x10", std::nullopt},
                                                                                {"inf", std::nullopt}};
  for (const auto& [text, bytes] : cases) EXPECT_EQ(parse_bytes(text), bytes) << text;
}

TEST(Text, FormatsCountsForPeople) {
  EXPECT_EQ(format_count(0, "file"), "0 files");
  EXPECT_EQ(format_count(1, "file"), "1 file");
  EXPECT_EQ(format_count(999, "file"), "999 files");
  EXPECT_EQ(format_count(40'000, "file"), "40,000 files");
  EXPECT_EQ(format_count(1'234'567, ""), "1,234,567");
}

TEST(Text, QuotesForTheShellOnlyWhereNeeded) {
  EXPECT_EQ(shell_quote("a/b-c_1.txt"), "a/b-c_1.txt");
  EXPECT_EQ(shell_quote(""), "''");
  EXPECT_EQ(shell_quote("a b"), "'a b'");
  EXPECT_EQ(shell_quote("it's"), R"('it'\''s')");
  EXPECT_EQ(shell_quote("$x"), "'$x'");
  EXPECT_EQ(shell_quote("~"), "'~'");
  EXPECT_EQ(shell_quote("a\nb"), "'a\nb'");
}

TEST(Text, ParsesWholeIntegersOnly) {
  EXPECT_EQ(parse_integer("42"), 42);
  EXPECT_EQ(parse_integer("-7"), -7);
  EXPECT_EQ(parse_integer("+7"), 7);
  EXPECT_EQ(parse_integer("9223372036854775807"), INT64_MAX);
  for (const auto* bad : {"", "+", "-", "+-1", "1 ", " 1", "1x", "0x1", "1.0", "9223372036854775808"}) {
    EXPECT_EQ(parse_integer(bad), std::nullopt) << bad;
  }
}

TEST(Text, StripsTerminalSequences) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain", "plain"},
      {"\x1b[32;1mgreen\x1b[0m", "green"},
      {"\x1b[0Ksection", "section"},
      {"\x1b]0;title\x07text", "text"},
      {"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
      {"a\x1b(Bb\x1b=c", "abc"},
      {"cut\x1b[12", "cut"},
      {"cut\x1b", "cut"},
      {"\x1b[1\nkept", "\nkept"},
      {"\x1b]open\nkept", "\nkept"},
  };
  for (const auto& [text, plain] : cases) EXPECT_EQ(strip_ansi(text), plain) << text;
}

TEST(Text, KnowsAndMendsUtf8) {
  const std::string bad = "\xEF\xBF\xBD";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\xff", bad},
      {"a\xC3", "a" + bad},
      {"\xC0\x80", bad + bad},
      {"\xE0\x80\x80", bad + bad + bad},
      {"\xED\xA0\x80", bad + bad + bad},
      {"\xF4\x90\x80\x80", bad + bad + bad + bad},
      {"\xF5", bad},
  };
  for (const auto& [text, mended] : cases) {
    EXPECT_FALSE(is_utf8(text));
    EXPECT_EQ(to_utf8(text), mended);
  }
  for (const std::string good : {"", "a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD"}) {
    EXPECT_TRUE(is_utf8(good));
    EXPECT_EQ(to_utf8(good), good);
  }
}

}  // namespace
}  // namespace runner
