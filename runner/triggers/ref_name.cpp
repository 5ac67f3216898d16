#include "runner/triggers/ref_name.h"

#include <algorithm>

namespace runner::triggers {
namespace {

constexpr std::size_t kLongestName = 1000;

bool is_forbidden(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f || std::string_view(" ~^:?*[\\").find(c) != std::string_view::npos;
}

bool is_component(std::string_view part) noexcept {
  return !part.empty() && !part.starts_with('.') && !part.ends_with(".lock");
}

}  // namespace

bool is_ref_name(std::string_view name) noexcept {
  if (name.size() > kLongestName || !name.starts_with("refs/") || name.ends_with('.')) return false;
  if (std::ranges::any_of(name, is_forbidden)) return false;
  if (name.find("..") != std::string_view::npos || name.find("@{") != std::string_view::npos) return false;
  for (const std::string_view kind : {"refs/heads/-", "refs/tags/-"}) {
    if (name.starts_with(kind)) return false;
  }
  while (true) {
    const auto end = name.find('/');
    if (!is_component(name.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    name.remove_prefix(end + 1);
  }
}

}  // namespace runner::triggers
