#include "runner/cli/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "runner/base/text.h"

namespace runner::cli {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// The first of these that is not empty decides, as setlocale() has it.
bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    const std::string lower = to_lower(value);
    return lower.find("utf-8") != std::string::npos || lower.find("utf8") != std::string::npos;
  }
  return false;
}

struct Decoded {
  std::uint32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t length = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1;
  if (first >= 0xF5 || length == 1 || text.size() < length) return {first, 1, false};
  std::uint32_t code = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {first, 1, false};
    code = code << 6U | (byte(i) & 0x3FU);
  }
  return {code, length, true};
}

struct CodeRange {
  std::uint32_t first, last;
};

// Combining marks and format characters; the ones that occur in real output.
constexpr std::array<CodeRange, 9> kNoWidth{{{0x300, 0x36F},
                                             {0x483, 0x489},
                                             {0x591, 0x5BD},
                                             {0x610, 0x61A},
                                             {0x64B, 0x65F},
                                             {0x1AB0, 0x1AFF},
                                             {0x200B, 0x200F},
                                             {0x20D0, 0x20FF},
                                             {0xFE00, 0xFE0F}}};
// East Asian wide and full width, and emoji.
constexpr std::array<CodeRange, 11> kWide{{{0x1100, 0x115F},
                                           {0x231A, 0x231B},
                                           {0x2E80, 0x303E},
                                           {0x3041, 0xA4CF},
                                           {0xAC00, 0xD7A3},
                                           {0xF900, 0xFAFF},
                                           {0xFE30, 0xFE6F},
                                           {0xFF00, 0xFF60},
                                           {0xFFE0, 0xFFE6},
                                           {0x1F300, 0x1FAFF},
                                           {0x20000, 0x3FFFD}}};

template <std::size_t N>
bool in_ranges(const std::array<CodeRange, N>& ranges, std::uint32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const CodeRange& range) { return code >= range.first && code <= range.last; });
}

std::size_t width_of(const Decoded& character) {
  if (!character.valid) return 1;
  if (character.code < 0x20 || character.code == 0x7F) return 0;
  if (character.code < 0x300) return 1;
  if (in_ranges(kNoWidth, character.code)) return 0;
  return in_ranges(kWide, character.code) ? 2 : 1;
}

constexpr Symbols kUnicode{"✓", "✗", "!", "○", "‖", "■", "▶", "│", "…"};
constexpr Symbols kAscii{"+", "x", "!", "o", "=", "#", ">", "|", "..."};

}  // namespace

void update_size(int fd, Screen& screen) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return;
  screen.width = size.ws_col;
  screen.height = std::max<std::size_t>(size.ws_row, 4);
}

Screen detect_screen(int fd, bool no_color) {
  Screen screen;
  const std::string_view term = environment("TERM");
  screen.live = ::isatty(fd) == 1 && !term.empty() && term != "dumb";
  const std::string_view force = environment("CLICOLOR_FORCE");
  const bool forced = !force.empty() && force != "0";
  screen.color = !no_color && environment("NO_COLOR").empty() &&
                 (forced || (screen.live && environment("CLICOLOR") != "0"));
  screen.utf8 = locale_is_utf8();
  if (screen.live) update_size(fd, screen);
  return screen;
}

std::string paint(const Screen& screen, Tone tone, std::string_view text) {
  static constexpr std::array<std::string_view, 9> kCodes{"0", "2", "1", "31", "32", "33", "34", "35", "36"};
  if (!screen.color || tone == Tone::plain) return std::string(text);
  std::string out = "\x1b[";
  out += kCodes[static_cast<std::size_t>(tone)];
  out += 'm';
  out += text;
  out += "\x1b[0m";
  return out;
}

std::size_t display_width(std::string_view text) {
  std::string plain;
  if (text.find('\x1b') != std::string_view::npos) {
    plain = strip_ansi(text);
    text = plain;
  }
  std::size_t width = 0;
  while (!text.empty()) {
    const Decoded character = decode(text);
    width += width_of(character);
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string truncate(const Screen& screen, std::string_view text, std::size_t columns) {
  const std::string_view ellipsis = symbols(screen).ellipsis;
  const std::size_t ellipsis_width = display_width(ellipsis);
  std::size_t width = 0, at = 0;
  std::size_t fitting = 0;  // bytes that leave room for the ellipsis
  while (at < text.size()) {
    const Decoded character = decode(text.substr(at));
    const std::size_t more = width_of(character);
    if (width + more > columns) {
      if (columns < ellipsis_width) return std::string(text.substr(0, at));
      return std::string(text.substr(0, fitting)) + std::string(ellipsis);
    }
    width += more;
    at += character.bytes;
    if (width + ellipsis_width <= columns) fitting = at;
  }
  return std::string(text);
}

std::string pad(const Screen& screen, std::string_view text, std::size_t columns) {
  std::string out = truncate(screen, text, columns);
  const std::size_t width = display_width(out);
  if (width < columns) out.append(columns - width, ' ');
  return out;
}

const Symbols& symbols(const Screen& screen) {
  return screen.utf8 ? kUnicode : kAscii;
}

}  // namespace runner::cli
