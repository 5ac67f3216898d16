#include "runner/api/utf8_cut.h"

namespace runner::api {

std::size_t whole_characters(std::string_view text) noexcept {
  // The longest character has four bytes, so one that is not whole has three at most.
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0U) == 0x80U) continue;  // in the middle of one
    const std::size_t length = byte >= 0xf0 && byte <= 0xf4 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return byte <= 0xf4 && length > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace runner::api
