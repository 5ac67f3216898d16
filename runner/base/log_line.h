#pragma once
// One line of the log as text. Pure.

#include <chrono>
#include <string>
#include <string_view>

#include "runner/base/log.h"

namespace runner {

/// A line of the log, its end included, is at most so long.
inline constexpr std::size_t kLogLineBytes = 64UL * 1024;

struct LogLine {
  std::chrono::system_clock::time_point time;
  LogLevel level = LogLevel::info;
  std::string_view component, message;
  LogFields fields;
};

/// "warn"; what the options and both formats say.
std::string_view to_string(LogLevel level) noexcept;

/// With the line's end. Control characters of a message, which may be somebody else's words, are escaped: a
/// line stays one.
std::string text_line(const LogLine& line);
/// As RFC 8259 has it, in UTF-8: what is not UTF-8 becomes U+FFFD.
std::string json_line(const LogLine& line);

}  // namespace runner
