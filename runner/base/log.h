#pragma once
// The log for operators: level, component, one sentence, and fields for machines. Any thread; never throws.
// A message names the thing, the act and the cause, and never holds a secret.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <variant>

namespace runner {

class LogFile;

enum class LogLevel : std::uint8_t { debug, info, warn, error };
inline constexpr std::size_t kLogLevels = 4;
enum class LogFormat : std::uint8_t { text, json };

/// Names are lower case with '_', units in the name: "pipeline_id", "duration_seconds".
struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double> value;
};
using LogFields = std::initializer_list<LogField>;

/// Lines below this level are dropped. Default: warn.
void set_log_level(LogLevel level) noexcept;
bool log_enabled(LogLevel level) noexcept;
/// Default: text.
void set_log_format(LogFormat format) noexcept;
/// Lines go there instead of to standard error, until another is set; nullptr: standard error again. What the
/// file cannot take of warnings and errors goes to standard error.
void set_log_file(std::shared_ptr<LogFile> file) noexcept;

/// Writes one line. text: "<time> <level> <component>: <message> <name>=<value> ...". json: one object with
/// "ts", "level", "component", "msg" and the fields; at most 64 KiB, what is longer is cut and has
/// "truncated".
void log(LogLevel level, std::string_view component, std::string_view message,
         LogFields fields = {}) noexcept;

struct LogCounts {
  std::array<std::uint64_t, kLogLevels> lines{};  // written, by level
  std::uint64_t dropped = 0;                      // for want of room
};
LogCounts log_counts() noexcept;

inline void log_debug(std::string_view component, std::string_view message, LogFields fields = {}) noexcept {
  log(LogLevel::debug, component, message, fields);
}
inline void log_info(std::string_view component, std::string_view message, LogFields fields = {}) noexcept {
  log(LogLevel::info, component, message, fields);
}
inline void log_warn(std::string_view component, std::string_view message, LogFields fields = {}) noexcept {
  log(LogLevel::warn, component, message, fields);
}
inline void log_error(std::string_view component, std::string_view message, LogFields fields = {}) noexcept {
  log(LogLevel::error, component, message, fields);
}

}  // namespace runner
