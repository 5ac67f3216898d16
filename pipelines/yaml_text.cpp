#include "pipelines/yaml_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace runner::pipelines {
namespace {

/// Length of the line break at `at`, 0 when there is none: LF, CR, CRLF, NEL, LS, PS.
std::size_t break_length(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest[0] == '\n') return 1;
  if (rest[0] == '\r') return rest.size() > 1 && rest[1] == '\n' ? 2 : 1;
  if (rest[0] == '\xC2') return rest.substr(0, 2) == "\xC2\x85" ? 2 : 0;
  if (rest[0] == '\xE2') {
    const std::string_view three = rest.substr(0, 3);
    return three == "\xE2\x80\xA8" || three == "\xE2\x80\xA9" ? 3 : 0;
  }
  return 0;
}

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

std::uint32_t count_characters(std::string_view text) {
  return static_cast<std::uint32_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return !continues_character(byte); }));
}

SourceRange place_of(FileId file, std::string_view text, std::size_t offset) {
  std::uint32_t line = 1;
  std::size_t line_start = 0;
  for (std::size_t at = 0; at < offset;) {
    const std::size_t length = break_length(text, at);
    at += length == 0 ? 1 : length;
    if (length == 0) continue;
    ++line;
    line_start = at;
  }
  return at_character(file, line, count_characters(text.substr(line_start, offset - line_start)) + 1);
}

struct Character {
  std::uint32_t code = 0;
  std::size_t length = 0;  // 0: no UTF-8
};

Character decode(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || at + length > text.size()) return {};
  if (length == 1) return {first, 1};
  std::uint32_t code = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (!continues_character(text[at + i])) return {};
    code = (code << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  static constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kSmallest[length] || surrogate || code > 0x10FFFF) return {};
  return {code, length};
}

bool is_allowed(std::uint32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
  if (code < 0xA0) return code != 0x7F && (code < 0x80 || code == 0x85);
  return code != 0xFFFE && code != 0xFFFF;
}

}  // namespace

SourceRange at_character(FileId file, std::uint32_t line, std::uint32_t column) {
  return {file, line, column, line, column + 1};
}

std::string_view yaml_text_from(std::string_view text, std::uint32_t line) {
  std::size_t at = 0;
  for (std::uint32_t number = 1; number < line && at < text.size();) {
    const std::size_t length = break_length(text, at);
    at += length == 0 ? 1 : length;
    if (length != 0) ++number;
  }
  return text.substr(at);
}

std::string_view yaml_line(std::string_view text, std::uint32_t number) {
  const std::string_view rest = yaml_text_from(text, number);
  std::size_t end = 0;
  while (end < rest.size() && break_length(rest, end) == 0) ++end;
  return rest.substr(0, end);
}

bool check_yaml_text(FileId file, std::string_view text, Diagnostics& diagnostics) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte < 0x7F) {
      ++at;
      continue;
    }
    const Character character = decode(text, at);
    if (character.length == 0) {
      diagnostics.error("invalid-utf8", place_of(file, text, at),
                        fmt::format("byte 0x{:02x} is not valid UTF-8", byte), "save the file as UTF-8");
      return false;
    }
    if (!is_allowed(character.code)) {
      diagnostics.error("control-character", place_of(file, text, at),
                        fmt::format("control character U+{:04X} is not allowed in YAML", character.code),
                        "write it as an escape in double quotes, such as \"\\x1b\"");
      return false;
    }
    at += character.length;
  }
  return true;
}

void report_no_break_space(FileId file, std::string_view text, std::uint32_t line, Diagnostics& diagnostics) {
  const std::string_view rest = yaml_text_from(text, line);
  const std::size_t found = rest.find(kNoBreakSpace);
  const std::size_t offset = static_cast<std::size_t>(rest.data() - text.data());
  diagnostics.error("no-break-space",
                    place_of(file, text, found == std::string_view::npos ? offset : offset + found),
                    "no-break space (U+00A0) where a blank belongs", "replace it by an ordinary blank");
}

}  // namespace runner::pipelines
