#include "runner/cli/job_lines.h"

#include <algorithm>
#include <cstring>

namespace runner::cli {
namespace {

// A line longer than this is shown in pieces: a job may write gigabytes without a line end.
constexpr std::size_t kMaxLine = 64U << 10U;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Length of the escape sequence at the start of `text` (which begins with ESC), by ECMA-48.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return text.size();
  if (text[1] == '[') {
    std::size_t at = 2;
    while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x20 &&
           static_cast<unsigned char>(text[at]) < 0x40) {
      ++at;
    }
    return at < text.size() ? at + 1 : at;
  }
  if (text[1] == ']' || text[1] == 'P' || text[1] == '^' || text[1] == '_') {
    for (std::size_t at = 2; at < text.size(); ++at) {
      if (text[at] == '\a') return at + 1;
      if (text[at] == '\x1b' && at + 1 < text.size() && text[at + 1] == '\\') return at + 2;
    }
    return text.size();
  }
  std::size_t at = 1;
  while (at < text.size() && text[at] >= 0x20 && text[at] < 0x30) ++at;
  return at < text.size() ? at + 1 : at;
}

// "section_start:1700000000:name[collapsed=true]" up to and with its CR. 0 when there is no marker here.
std::size_t marker_length(std::string_view text) {
  std::size_t at = 0;
  if (text.starts_with("section_start:")) {
    at = 14;
  } else if (text.starts_with("section_end:")) {
    at = 12;
  } else {
    return 0;
  }
  const std::size_t digits = at;
  while (at < text.size() && is_digit(text[at])) ++at;
  if (at == digits || at == text.size() || text[at] != ':') return 0;
  const std::size_t end = text.find('\r', at);
  const std::string_view name = text.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
  if (name.empty() || name.find_first_of(" \t") != std::string_view::npos) return 0;
  return end == std::string_view::npos ? text.size() : end + 1;
}

// A copy without section markers. `held` says whether there was one.
std::string without_markers(std::string_view raw, bool& held) {
  std::string out;
  held = false;
  while (!raw.empty()) {
    const std::size_t at = raw.find("section_");
    if (at == std::string_view::npos) break;
    const std::size_t length = marker_length(raw.substr(at));
    if (length == 0) {
      out += raw.substr(0, at + 8);
      raw.remove_prefix(at + 8);
      continue;
    }
    held = true;
    out += raw.substr(0, at);
    raw.remove_prefix(at + length);
  }
  return out += raw;
}

void tell_sections(std::string_view raw, const JobLines::OnSection& tell) {
  for (std::size_t at = raw.find("section_"); at != std::string_view::npos; at = raw.find("section_")) {
    raw.remove_prefix(at);
    const std::size_t length = marker_length(raw);
    if (length > 0) {
      // "section_start:1700000000:name[collapsed=true]\r"
      std::string_view name = raw.substr(0, length);
      name.remove_prefix(name.find(':', name.find(':') + 1) + 1);
      tell(name.substr(0, name.find_first_of("[\r")), raw.starts_with("section_start"));
    }
    raw.remove_prefix(std::max<std::size_t>(length, 8));
  }
}

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) return false;
  }
  return true;
}

// What a terminal shows after the carriage returns: the text after the last one that is followed by text.
std::string_view last_state(std::string_view text) {
  while (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  const std::size_t at = text.rfind('\r');
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

void copy_shown(std::string_view text, bool color, std::string& out) {
  bool colored = false;
  while (!text.empty()) {
    const char c = text.front();
    if (c == '\x1b') {
      const std::size_t length = escape_length(text);
      const std::string_view sequence = text.substr(0, length);
      if (color && length > 2 && sequence[1] == '[' && sequence.back() == 'm') {
        out += sequence;
        colored = true;
      }
      text.remove_prefix(length);
      continue;
    }
    if ((static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) || c == '\t') out += c;
    text.remove_prefix(1);
  }
  // A colour left on would spill over the next job's line.
  if (colored && !out.ends_with("\x1b[0m") && !out.ends_with("\x1b[0;m")) out += "\x1b[0m";
}

}  // namespace

bool clean_line(std::string_view raw, bool color, std::string& out) {
  out.clear();
  if (is_plain(raw) && raw.find("section_") == std::string_view::npos) {
    out = raw;
    return true;
  }
  bool held_marker = false;
  const std::string unmarked = without_markers(raw, held_marker);
  copy_shown(last_state(unmarked), color, out);
  return !(held_marker && out.find_first_not_of(" \t") == std::string::npos);
}

JobLines::JobLines(bool color, OnLine on_line, OnSection on_section)
    : color_(color), on_line_(std::move(on_line)), on_section_(std::move(on_section)) {}

void JobLines::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = kMaxLine - line_.size();
    if (end != std::string_view::npos && end <= room) {
      const std::string_view rest = bytes.substr(0, end);
      if (line_.empty()) {
        emit(rest);
      } else {
        emit(line_ += rest);
      }
      bytes.remove_prefix(end + 1);
    } else if (bytes.size() >= room) {
      line_ += bytes.substr(0, room);
      bytes.remove_prefix(room);
      emit(line_);
    } else {
      line_ += bytes;
      return;
    }
  }
}

void JobLines::feed_end(std::string_view bytes, std::size_t lines) {
  // Lines that hold only section markers are not handed out, so more than asked for are looked at.
  constexpr std::size_t kSpare = 8;
  std::size_t end = bytes.size();
  for (std::size_t left = kSpare * lines; left > 0; --left) {
    end = end == 0 ? std::string_view::npos : bytes.rfind('\n', end - 1);
    if (end == std::string_view::npos) return feed(bytes);
  }
  const std::size_t first = bytes.find('\n') + 1;
  const std::size_t rest = end + 1;
  if (bytes.substr(first, rest - first).find("section_") != std::string_view::npos) return feed(bytes);
  feed(bytes.substr(0, first));
  feed(bytes.substr(rest));
}

void JobLines::emit(std::string_view raw) {
  if (on_section_) tell_sections(raw, on_section_);
  if (clean_line(raw, color_, shown_)) on_line_(shown_);
  line_.clear();
}

void JobLines::flush() {
  if (!line_.empty()) emit(line_);
}

std::string JobLines::partial() const {
  std::string shown;
  clean_line(line_, color_, shown);
  return shown;
}

}  // namespace runner::cli
