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
  EXPECT_TRUE(fails_with(ErrorCode::conflict, "sealed with another data key than '" + other.key_id() + "'",
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
  sealed[0] = std::byte{2};
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

TEST(Sealer, FormatStaysReadable) {
  // Sealed by another implementation, as the header has it; must open for ever.
  const std::string hex =
      "01211296c02cec1c760102030405060708090a0b0c0421351f086d27b93373bc29b4fd2776395f5b3ed4cd";
  Sealed sealed;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    sealed.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  EXPECT_EQ(opened(sealer_of('k'), sealed), "s3cret");
}

}  // namespace
}  // namespace runner::storage
