#pragma once
// The log of one attempt: masks, limits, stores and passes on what a job prints, and the runner's own lines.
//
// File: <job id>.log, append only, masked, with escape sequences and section markers as the dialect has them.
// Logs of more than 1,000 lines get an index beside it, <job id>.log.idx: the offsets at which lines 1000,
// 2000 ... (from 0) begin, 8 bytes each, little endian.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executors/executor.h"
#include "runner/base/clock.h"
#include "runner/base/fd.h"
#include "runner/engine/masker.h"

namespace runner::engine {

struct JobLogSpec {
  std::filesystem::path path;
  std::uint64_t limit = 0;                         // bytes, 0 = none
  std::function<void(std::string_view)> on_bytes;  // masked bytes, as stored; quick, does not throw
  /// Whether to wait, and try again, while the disk is full or cannot be written. Empty: it does not. What
  /// writes into the log waits meanwhile.
  std::function<bool()> may_wait = {};
};

/// Any thread. A failure to write that is not waited for is remembered and told by finish(); the job's output
/// is drained meanwhile.
class JobLog final : public executors::LogSink {
 public:
  /// Opens the file; its directory exists. Throws Error.
  JobLog(JobLogSpec spec, const Clock& clock);

  /// From now on these are masked. Call before anything that may hold them is written.
  void mask(const std::vector<std::string>& secrets);

  void write(executors::Stream stream, std::span<const std::byte> bytes) noexcept override;
  /// A line of the runner's own; begins on a new line.
  void line(std::string_view text) noexcept;
  /// The same in yellow, with "WARNING: " before it.
  void warning(std::string_view text) noexcept;
  void begin_section(std::string_view name, std::string_view header) noexcept;
  void end_section(std::string_view name) noexcept;
  /// "" or what went wrong with the file so far.
  std::string failure();
  /// Writes what is held back, closes the file. "" or what went wrong with it. Idempotent.
  std::string finish() noexcept;

 private:
  void append(std::string_view bytes, bool own_line);
  void flush();
  void store(std::string_view bytes);
  void put(int file, std::string_view bytes);
  void index(std::string_view bytes);
  std::string section_mark(std::string_view kind, std::string_view name) const;

  std::mutex mutex_;
  JobLogSpec spec_;
  const Clock& clock_;
  UniqueFd file_, index_;
  Masker masker_;
  std::string buffer_;  // masked, not yet stored
  std::uint64_t stored_ = 0, lines_ = 0;
  bool at_line_start_ = true, full_ = false;
  std::string failure_;
};

/// A section of the job log as a scope.
class LogSection {
 public:
  LogSection(JobLog& log, std::string_view name, std::string_view header) : log_(log), name_(name) {
    log_.begin_section(name, header);
  }
  ~LogSection() { log_.end_section(name_); }
  LogSection(const LogSection&) = delete;
  LogSection& operator=(const LogSection&) = delete;

 private:
  JobLog& log_;
  std::string name_;
};

}  // namespace runner::engine
