#include "runner/storage/access_token.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "runner/base/digest.h"

namespace runner::storage {
namespace {

constexpr std::string_view kPrefix = "rnr_";
constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kRandom = 32;
constexpr std::size_t kBody = 43;  // 62^43 > 2^256
constexpr std::size_t kCheck = 6;  // 62^6 > 2^32

/// A big number, the most significant byte first, as digits; is zero afterwards.
void to_base62(std::span<char> number, std::span<char> digits) {
  for (std::size_t i = digits.size(); i-- > 0;) {
    unsigned rest = 0;
    for (char& byte : number) {
      rest = rest * 256 + static_cast<unsigned char>(byte);
      byte = static_cast<char>(rest / 62);
      rest %= 62;
    }
    digits[i] = kDigits[rest];
  }
}

std::array<char, kCheck> checksum(std::string_view text) {
  const std::string digest = sha256_hex(text);
  std::uint64_t number = std::stoul(digest.substr(0, 8), nullptr, 16);
  std::array<char, kCheck> digits{};
  for (std::size_t i = kCheck; i-- > 0;) {
    digits[i] = kDigits[number % 62];
    number /= 62;
  }
  return digits;
}

}  // namespace

NewToken make_token() {
  NewToken token;
  token.text = Secret(kPrefix.size() + kBody + kCheck);
  const std::span<char> text = token.text.bytes();
  std::copy(kPrefix.begin(), kPrefix.end(), text.begin());
  Secret random(kRandom);
  fill_random(random.bytes());
  to_base62(random.bytes(), text.subspan(kPrefix.size(), kBody));
  const auto check = checksum(token.text.text().substr(0, kPrefix.size() + kBody));
  std::copy(check.begin(), check.end(), text.end() - kCheck);
  token.hash = token_hash(token.text.text());
  return token;
}

bool is_token(std::string_view text) {
  if (text.size() != kPrefix.size() + kBody + kCheck || text.substr(0, kPrefix.size()) != kPrefix)
    return false;
  const auto is_digit = [](char c) { return kDigits.find(c) != std::string_view::npos; };
  if (!std::all_of(text.begin() + kPrefix.size(), text.end(), is_digit)) return false;
  const auto check = checksum(text.substr(0, text.size() - kCheck));
  return std::equal(check.begin(), check.end(), text.end() - kCheck);
}

std::string token_hash(std::string_view token) {
  return sha256_hex(token);
}

}  // namespace runner::storage
