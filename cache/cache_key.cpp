#include "cache/cache_key.h"

#include <algorithm>

#include "runner/base/digest.h"

namespace runner::cache {
namespace {

constexpr std::size_t kLongestPlain = 100;
constexpr std::size_t kReadable = 40;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

}  // namespace

std::string directory_name(std::string_view key) {
  const bool plain = !key.empty() && key.front() != '.' && key.size() <= kLongestPlain &&
                     std::all_of(key.begin(), key.end(), is_plain);
  if (plain) return std::string(key);
  std::string name(key.substr(0, kReadable));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!is_plain(c)) c = '_';
  }
  if (name.starts_with('.')) name.front() = '_';
  return name + "~" + sha256_hex(key);
}

}  // namespace runner::cache
