#include "runner/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <string>
#include <utility>

#include "runner/base/log_file.h"
#include "runner/base/log_line.h"

namespace runner {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::warn};
std::atomic<LogFormat> line_format{LogFormat::text};
std::array<std::atomic<std::uint64_t>, kLogLevels> written_lines{};
std::atomic<std::uint64_t> dropped_lines{0};

struct Output {
  std::mutex mutex;  // of what follows, and of standard error's lines
  std::shared_ptr<LogFile> file;
};

/// Never destroyed: threads may log until the process ends.
Output& output() {
  static Output* const made = new Output;  // NOLINT(cppcoreguidelines-owning-memory)
  return *made;
}

bool write_to_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, line.data(), line.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    line.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

void set_log_level(LogLevel level) noexcept {
  lowest_level.store(level, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) noexcept {
  return level >= lowest_level.load(std::memory_order_relaxed);
}

void set_log_format(LogFormat format) noexcept {
  line_format.store(format, std::memory_order_relaxed);
}

void set_log_file(std::shared_ptr<LogFile> file) noexcept {
  Output& out = output();
  const std::lock_guard lock(out.mutex);
  std::swap(out.file, file);
}

LogCounts log_counts() noexcept {
  LogCounts counts;
  for (std::size_t i = 0; i < kLogLevels; ++i) counts.lines.at(i) = written_lines.at(i);
  counts.dropped = dropped_lines;
  return counts;
}

void log(LogLevel level, std::string_view component, std::string_view message, LogFields fields) noexcept {
  if (!log_enabled(level)) return;
  try {
    const LogLine line{std::chrono::system_clock::now(), level, component, message, fields};
    const std::string text = line_format == LogFormat::json ? json_line(line) : text_line(line);
    Output& out = output();
    const std::lock_guard lock(out.mutex);
    // A line that cannot be written has nowhere to say so; it is counted.
    const bool done = out.file != nullptr
                          ? out.file->write(text) || (level >= LogLevel::warn && write_to_stderr(text))
                          : write_to_stderr(text);
    ++(done ? written_lines.at(static_cast<std::size_t>(level)) : dropped_lines);
  } catch (...) {
    ++dropped_lines;
  }
}

}  // namespace runner
