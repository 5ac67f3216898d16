#include "runner/storage/sealer.h"

#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

constexpr SealPlace kPlace{"credentials", "secret", 7};

std::string opened(const Sealer& sealer, const Sealed& sealed, const SealPlace& place = kPlace) {
  return std::string(sealer.open(sealed, place).text());
}

TEST(Secret, IsMovedAndNeverCopied) {
  Secret one = Secret::copy_of("abc");
  const char* const bytes = one.text().data();
  Secret two = std::move(one);
  EXPECT_EQ(two.text(), "abc");
  EXPECT_EQ(two.text().data(), bytes) << "nothing stays behind";
  EXPECT_EQ(one.size(), 0U);  // NOLINT(bugprone-use-after-move): what is asked here
  two = Secret::copy_of("d");
  EXPECT_EQ(two.text(), "d");
  Secret& same = two;
  two = std::move(same);
  EXPECT_EQ(two.text(), "d");
}

TEST(Secret, RandomBytesDiffer) {
  std::string one(100'000, '\0'), two(one);
  fill_random(one);
  fill_random(two);
  EXPECT_NE(one, two);
  EXPECT_NE(one.substr(99'000), std::string(1000, '\0')) << "to the end";
}

TEST(Sealer, OpensWhatItSealed) {
  const Sealer sealer = sealer_of('k');
  for (const std::string& text :
       {std::string(), std::string("s3cret"), std::string("a\0b\xff", 4), std::string(3'000'000, 'x')}) {
    const Sealed sealed = sealer.seal(text, kPlace);
    EXPECT_EQ(sealed.size(), text.size() + kSealOverhead);
    EXPECT_EQ(opened(sealer, sealed), text);
  }
}

TEST(Sealer, SealedValueShowsNothingAndIsNeverTheSame) {
  const Sealer sealer = sealer_of('k');
  const Sealed one = sealer.seal("s3cret-s3cret", kPlace), two = sealer.seal("s3cret-s3cret", kPlace);
  EXPECT_NE(one, two);
  const std::string text(reinterpret_cast<const char*>(one.data()), one.size());
  EXPECT_EQ(text.find("s3cret"), std::string::npos);
}

TEST(Sealer, ValueOfAnotherPlaceDoesNotOpen) {
  const Sealer sealer = sealer_of('k');
  const Sealed sealed = sealer.seal("s3cret", kPlace);
  for (const SealPlace& place :
       {SealPlace{"credentials", "secret", 8}, SealPlace{"credentials", "secre", 7},
        SealPlace{"schedules", "secret", 7}, SealPlace{"credential", "ssecret", 7},
        SealPlace{"credentials", "secret", 77}, SealPlace{"credentials", "secret", -7}}) {
    EXPECT_TRUE(fails_with(ErrorCode::internal, "does not open: it was changed, or is from another place",
                           [&] { sealer.open(sealed, place); }))
        << place.table << " " << place.column << " " << place.row;
  }
}

TEST(Sealer, EveryCutIsNoticed) {
  const Sealer sealer = sealer_of('k');
  const Sealed sealed = sealer.seal("s3cret", kPlace);
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    const Sealed cut(sealed.begin(), sealed.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_TRUE(fails_with(ErrorCode::internal, "column 'secret' in row 7 of 'credentials'", [&] {
      sealer.open(cut, kPlace);
    })) << size;
  }
  Sealed longer = sealed;
  longer.push_back(std::byte{0});
  EXPECT_THROW(sealer.open(longer, kPlace), Error);
}

TEST(Sealer, EveryFlippedBitIsNoticed) {
  const Sealer sealer = sealer_of('k');
  const Sealed sealed = sealer.seal("s3cret", kPlace);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Sealed flipped = sealed;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_THROW(sealer.open(flipped, kPlace), Error) << bit;
  }
}

TEST(Sealer, WrongKeyIsToldFromDamage) {
  const Sealed sealed = sealer_of('k').seal("s3cret", kPlace);
  const Sealer other = sealer_of('l');
  EXPECT_NE(other.key_id(), sealer_of('k').key_id());
  EXPECT_EQ(other.key_id(), sealer_of('l').key_id());
  EXPECT_TRUE(fails_with(ErrorCode::conflict,
                         "sealed with the data key '" + sealer_of('k').key_id() +
                             "', which is not here (there is '" + other.key_id() + "')",
                         [&] { other.open(sealed, kPlace); }));
  // The id alone does not make it the right one.
  Sealed renamed = sealed;
  const Sealed own = other.seal("", kPlace);
  std::copy_n(own.begin(), 9, renamed.begin());
  EXPECT_TRUE(fails_with(ErrorCode::internal, "does not open", [&] { other.open(renamed, kPlace); }));
}

TEST(Sealer, ValueOfANewerProgramIsNotCalledDamaged) {
  const Sealer sealer = sealer_of('k');
  Sealed sealed = sealer.seal("s3cret", kPlace);
  sealed[0] = std::byte{3};
  EXPECT_TRUE(fails_with(ErrorCode::conflict, "in a way that this program does not know",
                         [&] { sealer.open(sealed, kPlace); }));
}

TEST(Sealer, KeyOfAnotherSizeIsRefused) {
  for (const std::size_t size : {0U, 16U, 31U, 33U}) {
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input,
                           "a data key has 32 bytes, and this one " + std::to_string(size),
                           [&] { Sealer sealer{Secret(size)}; }));
  }
}

// Sealed by another implementation, as the header has it; must open for ever.
constexpr const char* kBare =
    "01211296c02cec1c760102030405060708090a0b0c0421351f086d27b93373bc29b4fd2776395f5b3ed4cd";
constexpr const char* kEnvelope =
    "02211296c02cec1c760102030405060708090a0b0c1377300a0570eea843cbb309d530e227f11c60a141ebd672e24a87f618f482"
    "6b2c4808b7a621bd5050c007319715b2a115161718191a1b1c1d1e1f2093837153761bd636209ada0ed41a9234a5eb7bd80c3f";

Sealed bytes_of(const std::string& hex) {
  Sealed bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST(Sealer, FormatsStayReadable) {
  for (const char* sealed : {kBare, kEnvelope})
    EXPECT_EQ(opened(sealer_of('k'), bytes_of(sealed)), "s3cret") << sealed;
}

TEST(Sealer, NewKeySealsAndOlderOnesOpen) {
  Sealer sealer = sealer_of('k');
  const std::string before = sealer.key_id();
  const Sealed old = sealer.seal("s3cret", kPlace);
  sealer.use_key(Secret::copy_of(std::string(kDataKeySize, 'l')));
  EXPECT_EQ(sealer.key_id(), sealer_of('l').key_id());
  EXPECT_EQ(sealer.older_ids(), std::vector<std::string>{before});
  EXPECT_EQ(opened(sealer, old), "s3cret");
  const Sealed fresh = sealer.seal("s3cret", kPlace);
  EXPECT_EQ(data_key_of(fresh), sealer.key_id());
  EXPECT_EQ(opened(sealer_of('l'), fresh), "s3cret");
  sealer.forget_key(before);
  EXPECT_TRUE(fails_with(ErrorCode::conflict, "sealed with the data key '" + before + "', which is not here",
                         [&] { sealer.open(old, kPlace); }));
  sealer.forget_key(sealer.key_id());
  EXPECT_EQ(opened(sealer, fresh), "s3cret") << "the one that seals stays";
}

TEST(Sealer, RenewedValueHasTheNewKeyAndTheSameCiphertext) {
  Sealer sealer = sealer_of('k');
  const Sealed old = sealer.seal("s3cret-s3cret", kPlace);
  EXPECT_EQ(sealer.renew(old, kPlace), std::nullopt) << "it has that key";
  sealer.use_key(Secret::copy_of(std::string(kDataKeySize, 'l')));
  const auto renewed = sealer.renew(old, kPlace);
  ASSERT_TRUE(renewed);
  EXPECT_EQ(data_key_of(*renewed), sealer_of('l').key_id());
  EXPECT_EQ(opened(sealer_of('l'), *renewed), "s3cret-s3cret");
  constexpr std::ptrdiff_t kCiphertext = 1 + 8 + 12 + kDataKeySize + 16;
  EXPECT_TRUE(
      std::equal(old.begin() + kCiphertext, old.end(), renewed->begin() + kCiphertext, renewed->end()));
  EXPECT_EQ(sealer.renew(*renewed, kPlace), std::nullopt);
  for (const SealPlace& place : {SealPlace{"credentials", "secret", 8}, SealPlace{"credentials", "other", 7}})
    EXPECT_THROW(sealer.renew(old, place), Error) << "what was moved is not made good";
  EXPECT_THROW(sealer_of('m').renew(old, kPlace), Error);
  // Of the form without a key of its own.
  const auto upgraded = sealer_of('k').renew(bytes_of(kBare), kPlace);
  ASSERT_TRUE(upgraded);
  EXPECT_EQ(upgraded->size(), std::string("s3cret").size() + kSealOverhead);
  EXPECT_EQ(opened(sealer_of('k'), *upgraded), "s3cret");
}

}  // namespace
}  // namespace runner::storage
