#pragma once
// Finds `$NAME`, `${NAME}` and `%NAME%` in a text by the dialect's rules. Pure.

#include <cstdint>
#include <functional>
#include <string_view>

namespace runner::pipelines {

enum class ScanMode : std::uint8_t {
  job,       // `$$` is one dollar; `${A:-x}`, `$1`, `$?` ... are nothing
  creation,  // all of those stay as they are
};

enum class ScanKind : std::uint8_t {
  text,     // goes to the result as it is
  dollar,   // a reference: `name`
  percent,  // the same, written %NAME%
};

struct ScanPart {
  ScanKind kind = ScanKind::text;
  std::string_view text;  // as written
  std::string_view name;  // for references
};

constexpr bool is_name_start(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
constexpr bool is_name_character(char c) noexcept {
  return is_name_start(c) || (c >= '0' && c <= '9');
}

/// Length of the variable name at the start of `text`, 0 when there is none.
std::size_t name_length(std::string_view text) noexcept;

/// Calls `emit` for each part in order. Views into `text`.
void scan_references(std::string_view text, ScanMode mode, const std::function<void(const ScanPart&)>& emit);

}  // namespace runner::pipelines
