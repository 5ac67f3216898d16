#include "runner/cli/json_writer.h"

#include <fmt/core.h>

#include <cmath>

namespace runner::cli {
namespace {

constexpr std::size_t kFlushAt = 64U << 10U;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Utf8 {
  std::size_t bytes = 1;
  bool valid = false;
  bool cut = false;  // could become valid with more bytes
};

// Strict UTF-8 (no overlong forms, no surrogates), by the table of the Unicode standard.
Utf8 check(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return {1, true, false};
  std::size_t length = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {1, false, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {i, false, true};
    const unsigned char from = i == 1 ? low : 0x80, to = i == 1 ? high : 0xBF;
    if (at(i) < from || at(i) > to) return {i, false, false};
  }
  return {length, true, false};
}

}  // namespace

void JsonWriter::put(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kFlushAt) flush();
}

void JsonWriter::flush() {
  if (!buffer_.empty()) sink_(buffer_);
  buffer_.clear();
}

void JsonWriter::separate() {
  if (comma_ && !after_key_) put(",");
  comma_ = true;
  after_key_ = false;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  put("{");
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  put("}");
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  put("[");
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  put("]");
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  put(":");
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view content) {
  return begin_text().text(content).end_text();
}

JsonWriter& JsonWriter::value(bool flag) {
  separate();
  put(flag ? "true" : "false");
  return *this;
}

JsonWriter& JsonWriter::value(std::int64_t number) {
  separate();
  put(fmt::format("{}", number));
  return *this;
}

JsonWriter& JsonWriter::value(std::uint64_t number) {
  separate();
  put(fmt::format("{}", number));
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  separate();
  std::string digits = fmt::format("{:.3f}", number);
  while (digits.ends_with('0')) digits.pop_back();
  if (digits.ends_with('.')) digits.pop_back();
  put(digits);
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  put("null");
  return *this;
}

JsonWriter& JsonWriter::value(const std::vector<std::string>& texts) {
  begin_array();
  for (const std::string& entry : texts) value(entry);
  return end_array();
}

JsonWriter& JsonWriter::begin_text() {
  separate();
  put("\"");
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view part) {
  std::string joined;
  if (!open_sequence_.empty()) {
    joined = open_sequence_ + std::string(part);
    open_sequence_.clear();
    part = joined;
  }
  while (!part.empty()) {
    std::size_t plain = 0;
    while (plain < part.size()) {
      const auto c = static_cast<unsigned char>(part[plain]);
      if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7F) break;
      ++plain;
    }
    put(part.substr(0, plain));
    part.remove_prefix(plain);
    if (part.empty()) break;
    const char c = part.front();
    if (static_cast<unsigned char>(c) < 0x80) {
      if (c == '\n') {
        put("\\n");
      } else if (c == '"' || c == '\\') {
        put(c == '"' ? "\\\"" : "\\\\");
      } else {
        put(fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c))));
      }
      part.remove_prefix(1);
      continue;
    }
    const Utf8 character = check(part);
    if (character.cut) {
      open_sequence_ = part;
      break;
    }
    put(character.valid ? part.substr(0, character.bytes) : kReplacement);
    part.remove_prefix(character.bytes);
  }
  return *this;
}

JsonWriter& JsonWriter::end_text() {
  if (!open_sequence_.empty()) put(kReplacement);
  open_sequence_.clear();
  put("\"");
  comma_ = true;
  return *this;
}

}  // namespace runner::cli
