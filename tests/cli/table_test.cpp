#include "runner/cli/table.h"

#include <gtest/gtest.h>

namespace runner::cli {
namespace {

const std::vector<Column> kColumns{{"KEY", Column::Align::left}, {"FILES", Column::Align::right}, {"BY", {}}};

TEST(Table, TextIsLeftAndNumbersAreRight) {
  EXPECT_EQ(table_text(Screen{}, kColumns, {{"a", "12345678", "x"}, {"größer", "1", ""}, {"b"}}),
            "KEY        FILES  BY\n"
            "a       12345678  x\n"
            "größer         1\n"
            "b\n");
}

TEST(Table, NothingIsCutOnANarrowScreen) {
  Screen screen;
  screen.width = 10;
  const std::string key(200, 'k');
  EXPECT_NE(table_text(screen, kColumns, {{key, "1", "x"}}).find(key + "      1  x\n"), std::string::npos);
}

TEST(Table, TitlesAreDimWhereThereIsColour) {
  Screen screen;
  screen.color = true;
  const std::string text = table_text(screen, kColumns, {{"a", "1", "x"}});
  EXPECT_EQ(text.substr(0, text.find('\n')), paint(screen, Tone::dim, "KEY  FILES  BY"));
}

TEST(Table, NoRowsAreNoTable) {
  EXPECT_EQ(table_text(Screen{}, kColumns, {}), "");
}

TEST(Table, ATerminalObeysNothingOfIt) {
  EXPECT_EQ(table_text(Screen{}, {{"K", {}}}, {{"a\x1b[2J\nb\xff\xc2\x9b"}}), "K\na?[2J?b\xef\xbf\xbd?\n");
}

TEST(Table, FactsHaveTheirValuesInOneColumn) {
  EXPECT_EQ(facts_text(Screen{}, {{"key", "a"}, {"contents", "x\ny"}, {"by", ""}}),
            "key:       a\n"
            "contents:  x\n"
            "           y\n"
            "by:\n");
}

}  // namespace
}  // namespace runner::cli
