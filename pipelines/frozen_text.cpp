#include "pipelines/frozen_text.h"

#include <algorithm>

namespace runner::pipelines {

void write_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t plain = at;
    while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x20 && text[at] != '"' &&
           text[at] != '\\')
      ++at;
    out.append(text, plain, at - plain);
    if (at == text.size()) break;
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20) {
      out += '\\';
      out += text[at];
    } else if (byte == '\n') {
      out += "\\n";
    } else {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    }
  }
  out += '"';
}

std::string characters_of(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char one : bytes) {
    const auto byte = static_cast<unsigned char>(one);
    if (byte < 0x80) {
      text += one;
    } else {
      text += static_cast<char>(0xC0U | (byte >> 6U));
      text += static_cast<char>(0x80U | (byte & 0x3FU));
    }
  }
  return text;
}

std::optional<std::string> bytes_of(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
      bytes += text[at];
    } else if (lead == 0xC2 || lead == 0xC3) {  // U+0080 to U+00FF; a second byte follows: JSON is UTF-8
      bytes += static_cast<char>(((lead & 0x3U) << 6U) | (static_cast<unsigned char>(text[++at]) & 0x3FU));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

bool looks_like_key(std::string_view text) {
  return text.size() <= 40 &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

std::string Place::text() const {
  if (above == nullptr) return {};
  const std::string start = above->text();
  if (key.empty()) return start + "[" + std::to_string(index) + "]";
  return start + (start.empty() ? "" : ".") + std::string(key);
}

}  // namespace runner::pipelines
