#include "runner/engine/masker.h"

#include <gtest/gtest.h>

#include <random>

namespace runner::engine {
namespace {

std::string mask(const std::vector<std::string>& secrets, const std::vector<std::string>& writes) {
  Masker masker(secrets);
  std::string out;
  for (const std::string& write : writes) masker.feed(write, out);
  masker.finish(out);
  return out;
}

struct Case {
  const char* name;
  std::vector<std::string> secrets;
  std::string text, masked;
};

class MaskerCases : public testing::TestWithParam<Case> {};

// However the text is cut into writes, the result is the same.
TEST_P(MaskerCases, WholeAndInPieces) {
  const Case& c = GetParam();
  EXPECT_EQ(mask(c.secrets, {c.text}), c.masked);
  for (std::size_t cut = 0; cut <= c.text.size(); ++cut) {
    EXPECT_EQ(mask(c.secrets, {c.text.substr(0, cut), c.text.substr(cut)}), c.masked) << "cut at " << cut;
  }
  std::vector<std::string> bytes;
  for (const char byte : c.text) bytes.emplace_back(1, byte);
  EXPECT_EQ(mask(c.secrets, bytes), c.masked);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, MaskerCases,
    testing::Values(
        Case{"Nothing", {}, "plain text\nno secret\n", "plain text\nno secret\n"},
        Case{"InTheMiddle", {"hunter2hunter2"}, "pw=hunter2hunter2!\n", "pw=[MASKED]!\n"},
        Case{"TwiceInARow", {"abcdefgh"}, "abcdefghabcdefgh", "[MASKED][MASKED]"},
        Case{"LongestWins",
             {"abcdefgh", "abcdefghij"},
             "x abcdefghij y abcdefgh z",
             "x [MASKED] y [MASKED] z"},
        Case{"BeginOfLongerThenNot", {"abcdefgh", "abcdefgh12345"}, "abcdefgh123 x", "[MASKED]123 x"},
        Case{"Overlapping", {"abcdef", "defghijk"}, "-abcdefghijk-", "-[MASKED]-"},
        Case{"RepeatedStart", {"aaab"}, "aaaab", "a[MASKED]"},
        Case{"UnfinishedAtTheEnd", {"abcdefgh"}, "text abcdefg", "text abcdefg"},
        Case{"OneByte", {"#"}, "a#b##", "a[MASKED]b[MASKED][MASKED]"},
        Case{"MultiLineByLine",
             {"first line of key\nshort\nsecond line\n"},
             "see first line of key and short",
             "see [MASKED] and short"},
        Case{"TokenPrefix", {}, "token glpat-abc_DEF.12=x, rest", "token glpat-[MASKED], rest"},
        Case{"TokenAtTheEnd", {}, "glrt-abc", "glrt-[MASKED]"},
        Case{"PrefixAlone", {}, "glpat- x", "glpat- x"},
        Case{"UrlParameter",
             {},
             "GET /x?a=1&private_token=s3/cret&b=2 HTTP",
             "GET /x?a=1&private_token=[MASKED]&b=2 HTTP"},
        Case{"AmzParameter", {}, "u?X-Amz-Signature=abc%2F\n", "u?X-Amz-Signature=[MASKED]\n"},
        Case{"BinaryBytes",
             {std::string("\xff\x00\xfe key", 7)},
             std::string("a\xff\x00\xfe keyb", 9),
             "a[MASKED]b"}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(Masker, HarmlessTextIsNotHeldBack) {
  Masker masker({"secret-value"});
  std::string out;
  masker.feed("Password: ", out);
  EXPECT_EQ(out, "Password: ");
}

// Against the obvious way to do it, on random texts over a small alphabet.
TEST(Masker, NoSecretSurvivesAnyCutting) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    const auto word = [&](std::size_t length) {
      std::string text;
      for (std::size_t i = 0; i < length; ++i) text.push_back(static_cast<char>('a' + random() % 3));
      return text;
    };
    const std::vector<std::string> secrets = {word(4), word(5), word(8)};
    std::vector<std::string> writes;
    for (int i = 0; i < 20; ++i) writes.push_back(word(random() % 7));
    const std::string out = mask(secrets, writes);
    for (const std::string& secret : secrets) {
      ASSERT_EQ(out.find(secret), std::string::npos) << "seed " << seed << ": " << secret << " in " << out;
    }
    std::string whole;
    for (const std::string& write : writes) whole += write;
    ASSERT_EQ(out, mask(secrets, {whole})) << "seed " << seed;
  }
}

TEST(Masker, AStreamThatEndedLeavesNothingToTheNext) {
  Masker masker({"secretvalue"});
  std::string out;
  masker.feed("token glpat-abc", out);
  masker.finish(out);
  masker.feed("def secretva", out);
  masker.finish(out);
  masker.feed("lue", out);
  masker.finish(out);
  EXPECT_EQ(out, "token glpat-[MASKED]def secretvalue");
}

}  // namespace
}  // namespace runner::engine
