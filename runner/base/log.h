#pragma once
// The log for operators: level, component, one sentence. spdlog is behind it. Any thread; never throws.
// A message names the thing, the act and the cause, and never holds a secret.

#include <cstdint>
#include <string_view>

namespace runner {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

/// Lines below this level are dropped. Default: warn.
void set_log_level(LogLevel level) noexcept;
bool log_enabled(LogLevel level) noexcept;
/// Writes one line to standard error: "<time> <level> <component>: <message>".
void log(LogLevel level, std::string_view component, std::string_view message) noexcept;

inline void log_debug(std::string_view component, std::string_view message) noexcept {
  log(LogLevel::debug, component, message);
}
inline void log_info(std::string_view component, std::string_view message) noexcept {
  log(LogLevel::info, component, message);
}
inline void log_warn(std::string_view component, std::string_view message) noexcept {
  log(LogLevel::warn, component, message);
}
inline void log_error(std::string_view component, std::string_view message) noexcept {
  log(LogLevel::error, component, message);
}

}  // namespace runner
