#include <cstddef>
#include <cstdint>

#include "pipelines/variables.h"
#include "runner/base/digest.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// Lower case, with one '-' for each character (not byte) that is no letter or digit of ASCII.
std::string dashed(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      out += c;
    } else if (!is_continuation(c)) {
      out += '-';
    }
  }
  return out;
}

/// The last `count` digits of a hexadecimal number written in base 36.
std::string base36_tail(std::string_view hex, int count) {
  std::uint64_t modulus = 1;
  for (int i = 0; i < count; ++i) modulus *= 36;
  std::uint64_t rest = 0;
  for (char c : hex) {
    const auto digit = static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    rest = (rest * 16 + digit) % modulus;
  }
  std::string out(static_cast<std::size_t>(count), '0');
  for (auto place = out.rbegin(); place != out.rend(); ++place, rest /= 36)
    *place = "0123456789abcdefghijklmnopqrstuvwxyz"[rest % 36];
  return out;
}

}  // namespace

std::string slug63(std::string_view text) {
  std::string slug = dashed(text).substr(0, 63);
  const std::size_t first = slug.find_first_not_of('-');
  if (first == std::string::npos) return {};
  return slug.substr(first, slug.find_last_not_of('-') - first + 1);
}

std::string environment_slug(std::string_view name) {
  std::string plain = dashed(name);
  if (plain.empty() || plain.front() < 'a' || plain.front() > 'z') plain.insert(0, "env-");
  std::string slug;
  for (char c : plain)
    if (c != '-' || slug.empty() || slug.back() != '-') slug += c;

  if (slug.size() <= 24 && slug == name) {
    if (slug.back() == '-') slug.pop_back();
    return slug;
  }
  slug.resize(std::min<std::size_t>(slug.size(), 17));
  if (slug.back() != '-') slug += '-';
  return slug + base36_tail(sha256_hex(name), 6);
}

}  // namespace runner::pipelines
