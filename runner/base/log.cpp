#include "runner/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace runner {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::warn};

spdlog::level::level_enum to_spdlog(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// Made by the first line that is written; most runs write none.
spdlog::sinks::sink& output() {
  static const auto sink = [] {
    auto made = std::make_unique<spdlog::sinks::stderr_sink_mt>();
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v",
                                                                    spdlog::pattern_time_type::utc));
    return made;
  }();
  return *sink;
}

}  // namespace

void set_log_level(LogLevel level) noexcept {
  lowest_level.store(level, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) noexcept {
  return level >= lowest_level.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view component, std::string_view message) noexcept {
  if (!log_enabled(level)) return;
  try {
    const spdlog::details::log_msg line(spdlog::string_view_t(component.data(), component.size()),
                                        to_spdlog(level),
                                        spdlog::string_view_t(message.data(), message.size()));
    output().log(line);
    output().flush();
  } catch (...) {
    // A log that cannot be written has nowhere to say so.
  }
}

}  // namespace runner
