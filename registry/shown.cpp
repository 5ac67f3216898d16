#include "registry/shown.h"

#include "runner/base/text.h"

namespace runner::registry {

std::string harmless(std::string_view text, std::size_t most) {
  std::string safe = to_utf8(text.substr(0, most));
  for (char& c : safe) c = static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
  // The upper control characters, which some terminals obey: U+0080 to U+009F.
  for (std::size_t at = 0; (at = safe.find('\xC2', at)) != std::string::npos; ++at) {
    if (static_cast<unsigned char>(safe[at + 1]) < 0xA0U) safe.replace(at, 2, "?");
  }
  return safe;
}

std::string shown(std::string_view text, std::size_t most) {
  return in_quotes(harmless(text, most));
}

}  // namespace runner::registry
