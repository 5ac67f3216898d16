#include "runner/storage/access_token.h"

#include <set>

#include "runner/base/digest.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

TEST(AccessToken, HasItsFormAndOnlyItsHashIsToBeStored) {
  const NewToken token = make_token();
  const std::string text(token.text.text());
  EXPECT_THAT(text, testing::MatchesRegex("rnr_[0-9A-Za-z]+"));
  EXPECT_EQ(text.size(), 53U);
  EXPECT_TRUE(is_token(text));
  EXPECT_EQ(token.hash, sha256_hex(text));
  EXPECT_EQ(token_hash(text), token.hash);
}

TEST(AccessToken, NoTwoAreTheSameAndAllPlacesAreUsed) {
  std::set<std::string> texts;
  std::vector<std::set<char>> places(53);
  for (int i = 0; i < 1000; ++i) {
    const std::string text(make_token().text.text());
    texts.insert(text);
    for (std::size_t at = 0; at < text.size(); ++at) places[at].insert(text[at]);
  }
  EXPECT_EQ(texts.size(), 1000U);
  // 2^256 / 62^42 is 60: the first digit has nearly all values, the others have all.
  for (std::size_t at = 4; at < places.size(); ++at) EXPECT_GE(places[at].size(), 4U) << at;
  for (std::size_t at = 5; at < 47; ++at) EXPECT_GT(places[at].size(), 55U) << at;
}

TEST(AccessToken, EveryMistypedCharacterIsNoticed) {
  const std::string text(make_token().text.text());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] = wrong[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(is_token(wrong)) << i;
    wrong[i] = '\0';
    EXPECT_FALSE(is_token(wrong)) << i;
    EXPECT_FALSE(is_token(text.substr(0, i))) << i;
    EXPECT_FALSE(is_token(text.substr(i + 1))) << i;
  }
  EXPECT_FALSE(is_token(text + "x"));
  EXPECT_FALSE(is_token("Bearer " + text));
  EXPECT_FALSE(is_token(std::string(5'000'000, 'x')));
}

TEST(AccessToken, FormStaysAsItIs) {
  // Made by another implementation of the largest number there is; people keep tokens for years.
  EXPECT_TRUE(is_token("rnr_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp12krYyF"));
}

}  // namespace
}  // namespace runner::storage
