#include "runner/base/log_line.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>

#include "runner/base/text.h"

namespace runner {
namespace {

/// What a line holds beside its message and fields: quotes, names, time, "truncated".
constexpr std::size_t kFrameBytes = 512;

template <class Duration>
std::string time_text(std::chrono::system_clock::time_point time, std::string_view pattern) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto part = std::chrono::duration_cast<Duration>(time - whole).count();
  return fmt::format(fmt::runtime(pattern), fmt::gmtime(std::chrono::system_clock::to_time_t(whole)), part);
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (is_control(c)) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
}

/// A JSON string of at most about `room` bytes. False when it was cut.
bool append_string(std::string& out, std::string_view text, std::size_t room) {
  const std::string valid = is_utf8(text) ? std::string(text) : to_utf8(text);
  std::string escaped;
  append_escaped(escaped, valid);
  const bool whole = escaped.size() <= room;
  if (!whole) {
    // Each byte of the text is at most six of the escaped; then back to the begin of a character.
    std::size_t keep = std::min(valid.size(), room / 6);
    while (keep > 0 && (static_cast<unsigned char>(valid[keep]) & 0xC0U) == 0x80) --keep;
    escaped.clear();
    append_escaped(escaped, std::string_view(valid).substr(0, keep));
  }
  out += '"';
  out += escaped;
  out += '"';
  return whole;
}

void append_plain(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (is_control(c)) {
      append_escaped(out, std::string_view(&c, 1));
    } else {
      out += c;
    }
  }
}

std::string number_text(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : std::string("null");
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

std::string text_line(const LogLine& line) {
  std::string out = time_text<std::chrono::milliseconds>(line.time, "{:%Y-%m-%dT%H:%M:%S}.{:03}Z ");
  out += to_string(line.level);
  out += ' ';
  out += line.component;
  out += ": ";
  append_plain(out, line.message);
  for (const LogField& field : line.fields) {
    out += ' ';
    out += field.name;
    out += '=';
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      append_plain(out, *text);
    } else if (const auto* count = std::get_if<std::int64_t>(&field.value)) {
      out += std::to_string(*count);
    } else {
      out += number_text(std::get<double>(field.value));
    }
  }
  if (out.size() >= kLogLineBytes) out.resize(kLogLineBytes - 1);
  out += '\n';
  return out;
}

std::string json_line(const LogLine& line) {
  std::string out =
      time_text<std::chrono::microseconds>(line.time, "{{\"ts\":\"{:%Y-%m-%dT%H:%M:%S}.{:06}Z\"");
  out += ",\"level\":\"";
  out += to_string(line.level);
  out += "\",\"component\":";
  bool whole = append_string(out, line.component, kFrameBytes);
  // The message first: of what is too long, the fields have what it leaves.
  std::size_t room = kLogLineBytes - (2 * kFrameBytes);
  const auto add = [&](std::string_view name, std::string_view text) {
    out += ",\"";
    out += name;
    out += "\":";
    const std::size_t before = out.size();
    whole = append_string(out, text, room) && whole;
    room -= std::min(room, out.size() - before + name.size());
  };
  add("msg", line.message);
  for (const LogField& field : line.fields) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      add(field.name, *text);
      continue;
    }
    const auto* count = std::get_if<std::int64_t>(&field.value);
    out += ",\"";
    out += field.name;
    out += "\":";
    out += count != nullptr ? std::to_string(*count) : number_text(std::get<double>(field.value));
  }
  if (!whole) out += ",\"truncated\":true";
  out += "}\n";
  return out;
}

}  // namespace runner
