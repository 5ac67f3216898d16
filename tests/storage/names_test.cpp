#include "runner/storage/names.h"

#include "runner/base/text.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

TEST(Names, ProjectNamesThatCanBe) {
  for (const std::string& name : {std::string("a"), std::string("0"), std::string("shop"),
                                  std::string("web-shop_2.0"), std::string("a.."), std::string(64, 'x')}) {
    EXPECT_EQ(project_name_problem(name), std::nullopt) << name;
  }
}

TEST(Names, ProjectNamesThatCannotBeSayWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "may not be empty"},
      {std::string(65, 'x'), "may have 64 characters, and this one has 65"},
      {std::string(5'000'000, 'x'), "this one has 5000000"},
      {"Shop", "this one has 'S' at position 1"},
      {"my shop", "this one has the byte 0x20 at position 3"},
      {std::string("a\0b", 3), "this one has the byte 0x00 at position 2"},
      {"a\nb", "the byte 0x0a"},
      {"sh\xc3\xb6p", "the byte 0xc3 at position 3"},
      {"a/b", "this one has '/' at position 2"},
      {"x'; DROP TABLE projects; --", "this one has ''' at position 2"},
      {"a@b", "'@' at position 2"},
      {".", "begins with a letter or a digit, and this one with '.'"},
      {"..", "begins with a letter or a digit"},
      {"-rf", "begins with a letter or a digit, and this one with '-'"},
  };
  for (const auto& [name, part] : cases) {
    const auto problem = project_name_problem(name);
    ASSERT_TRUE(problem) << name;
    EXPECT_THAT(*problem, testing::HasSubstr(part));
    EXPECT_LT(problem->size(), 200U) << "a long name is not repeated";
    EXPECT_TRUE(is_utf8(*problem));
  }
}

TEST(Names, UsersMayBeCalledByTheirAddress) {
  EXPECT_EQ(user_name_problem("jane.doe+ci@example.org"), std::nullopt);
  EXPECT_TRUE(user_name_problem("@jane"));
  EXPECT_TRUE(user_name_problem("Jane"));
}

TEST(Names, TextsThatADatabaseWouldNotTakeAreRefusedWithTheirName) {
  EXPECT_NO_THROW(check_text("the text", "it's \"ok\"; \xc3\xb6\n", 100));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the text has a zero byte",
                         [] { check_text("the text", std::string_view("a\0b", 3), 100); }));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the text is not UTF-8",
                         [] { check_text("the text", "\xff", 100); }));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the text has 4 B, and may have 3 B",
                         [] { check_text("the text", "abcd", 3); }));
}

TEST(Names, MessagesOfMachineryAreMadeStorable) {
  EXPECT_EQ(storable_text("all is well"), "all is well");
  EXPECT_EQ(storable_text(std::string_view("a\0\xff", 3)), "a\xef\xbf\xbd\xef\xbf\xbd");
  std::string umlauts = "a";
  for (int i = 0; i < 4096; ++i) umlauts += "\xc3\xb6";
  for (const std::string& longer : {umlauts, std::string(100'000, '\xff'), std::string(100'000, '\0')}) {
    const std::string stored = storable_text(longer);
    EXPECT_LE(stored.size(), 4096U);
    EXPECT_GT(stored.size(), 4090U);
    EXPECT_TRUE(is_utf8(stored));
  }
}

}  // namespace
}  // namespace runner::storage
