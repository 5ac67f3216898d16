#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "pipelines/diagnostic.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxWidth = 120;  // characters of a source line that are shown
constexpr std::size_t kBeforeCaret = 50;

struct Style {
  std::string_view bold, red, yellow, cyan, reset;
};

Style style_for(bool color) {
  if (!color) return {};
  return {"\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m", "\x1b[0m"};
}

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// Bytes of the character that starts at `at`; 1 for what is no UTF-8.
std::size_t character_length(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && end - at < 4 && continues_character(text[end])) ++end;
  return end - at;
}

bool is_shown_as_escape(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() > 1) {
    // C1 controls, and the marks that reorder text on a terminal.
    const auto second = static_cast<unsigned char>(character[1]);
    if (first == 0xC2 && second < 0xA0) return true;
    if (first == 0xE2 && second == 0x80 && character.size() == 3) {
      const auto third = static_cast<unsigned char>(character[2]);
      return third >= 0xA8 && third <= 0xAE;
    }
    return first == 0xE2 && second == 0x81 && character.size() == 3 &&
           static_cast<unsigned char>(character[2]) >= 0xA6;
  }
  return (first < 0x20 && first != '\t') || first >= 0x7F;
}

std::string escaped(std::string_view character) {
  std::string out;
  for (const char byte : character) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text, at);
    const std::string_view character = text.substr(at, length);
    if (character == "\n" || character == "\t") {
      out += ' ';
    } else if (is_shown_as_escape(character)) {
      out += escaped(character);
    } else {
      out += character;
    }
    at += length;
  }
  return out;
}

/// A source line and the line with the caret below it.
struct Snippet {
  std::string text;
  std::string marks;
};

Snippet snippet_of(std::string_view line, const SourceRange& where) {
  const std::size_t caret = where.column - 1U;
  const std::size_t first = caret > kMaxWidth - kBeforeCaret ? caret - kBeforeCaret : 0;
  // A range over several lines ends with the visible text of its first one.
  const bool one_line = where.end_line == where.line && where.end_column > where.column;
  const bool several_lines = where.end_line > where.line;
  const std::size_t text_end = line.find_last_not_of(" \t") + 1;
  Snippet out;
  if (first > 0) {
    out.text = "...";
    out.marks = "   ";
  }
  std::size_t column = 0;
  std::size_t at = 0;
  for (; at < line.size() && column < first + kMaxWidth; ++column) {
    const std::size_t length = character_length(line, at);
    const std::string_view character = line.substr(at, length);
    const bool in_range = one_line ? column + 1 < where.end_column : several_lines && at < text_end;
    at += length;
    if (column < first) continue;
    const std::string shown = is_shown_as_escape(character) ? escaped(character) : std::string(character);
    const std::size_t width = shown.size() == length ? 1 : shown.size();
    out.text += shown;
    if (column < caret) {
      out.marks += character == "\t" ? std::string("\t") : std::string(width, ' ');
    } else if (column == caret) {
      out.marks += '^' + std::string(in_range ? width - 1 : 0, '~');
    } else if (in_range) {
      out.marks += std::string(width, '~');
    }
  }
  if (column <= caret)
    out.marks += std::string(caret - std::max(column, first), ' ') + '^';  // behind the line's end
  if (at < line.size()) out.text += "...";
  return out;
}

void append_place(std::string& out, const SourceRange& where, const Sources& sources, const Style& style) {
  if (where.known()) {
    out += fmt::format("{}{}:{}:{}:{} ", style.bold, printable(sources.name(where.file)), where.line,
                       where.column, style.reset);
  } else {
    out += fmt::format("{}runner:{} ", style.bold, style.reset);
  }
}

void append_snippet(std::string& out, const SourceRange& where, const Sources& sources,
                    std::string_view mark_color, const Style& style) {
  if (!where.known() || where.line == 0 || where.column == 0) return;
  const Snippet snippet = snippet_of(sources.line(where.file, where.line), where);
  out += fmt::format("{:5} | {}\n      | {}{}{}\n", where.line, snippet.text, mark_color, snippet.marks,
                     style.reset);
}

void append_one(std::string& out, const Diagnostic& one, const Sources& sources, const Style& style) {
  static constexpr std::array<std::string_view, 3> kNames = {"error", "warning", "notice"};
  const std::array<std::string_view, 3> colors = {style.red, style.yellow, style.cyan};
  const auto severity = static_cast<std::size_t>(one.severity);
  append_place(out, one.where, sources, style);
  out += fmt::format("{}{}:{} {} [{}]\n", colors[severity], kNames[severity], style.reset,
                     printable(one.message), one.id);
  append_snippet(out, one.where, sources, colors[severity], style);
  if (!one.help.empty()) out += fmt::format("  {}help:{} {}\n", style.cyan, style.reset, printable(one.help));
  for (const DiagnosticNote& note : one.notes) {
    append_place(out, note.where, sources, style);
    out += fmt::format("{}note:{} {}\n", style.cyan, style.reset, printable(note.message));
    append_snippet(out, note.where, sources, style.cyan, style);
  }
}

std::string counted(std::size_t number, std::string_view what) {
  return fmt::format("... and {} more {}{}\n", number, what, number == 1 ? "" : "s");
}

}  // namespace

std::string render(const std::vector<Diagnostic>& diagnostics, const Sources& sources,
                   const RenderOptions& options) {
  const Style style = style_for(options.color);
  std::string out;
  std::array<std::size_t, 2> seen = {0, 0};  // errors; warnings and notices
  for (const Diagnostic& one : diagnostics) {
    std::size_t& count = seen[one.severity == Severity::error ? 0 : 1];
    if (++count <= options.limit) append_one(out, one, sources, style);
  }
  if (seen[0] > options.limit) out += counted(seen[0] - options.limit, "error");
  if (seen[1] > options.limit) out += counted(seen[1] - options.limit, "warning");
  return out;
}

}  // namespace runner::pipelines
