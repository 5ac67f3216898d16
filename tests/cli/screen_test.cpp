#include "runner/cli/screen.h"

#include <gtest/gtest.h>

namespace runner::cli {
namespace {

TEST(Screen, WidthsAreColumns) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("größe"), 5U);
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("e\xCC\x81"), 1U);
  EXPECT_EQ(display_width("\x1b[31mred\x1b[0m"), 3U);
  EXPECT_EQ(display_width("\xff\xfe"), 2U);
  EXPECT_EQ(display_width("\xe2\x82"), 2U);
}

TEST(Screen, TextIsCutBetweenCharacters) {
  const Screen screen;
  EXPECT_EQ(truncate(screen, "abcdef", 6), "abcdef");
  EXPECT_EQ(truncate(screen, "abcdef", 4), "abc…");
  EXPECT_EQ(truncate(screen, "日本語", 4), "日…");
  EXPECT_EQ(truncate(screen, "abc", 0), "");
  EXPECT_EQ(pad(screen, "日本語", 5), "日本…");
  EXPECT_EQ(pad(screen, "ab", 4), "ab  ");
  Screen ascii;
  ascii.utf8 = false;
  EXPECT_EQ(truncate(ascii, "abcdef", 5), "ab...");
  EXPECT_EQ(truncate(ascii, "abcdef", 2), "ab");
}

TEST(Screen, TonesObeyTheSwitch) {
  Screen screen;
  EXPECT_EQ(paint(screen, Tone::red, "x"), "x");
  screen.color = true;
  EXPECT_EQ(paint(screen, Tone::red, "x"), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(paint(screen, Tone::plain, "x"), "x");
}

}  // namespace
}  // namespace runner::cli
