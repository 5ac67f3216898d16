#pragma once
// A file of log lines that is put aside when it is large or old: NAME becomes NAME-TIME, is pressed to
// NAME-TIME.zst by a thread of its own, and the oldest go.
//
// A line is one write(2) to a file opened for appending; once write() has returned true it is in exactly one
// of these files, whatever is killed when. One process writes to it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace runner {

struct LogFileOptions {
  std::filesystem::path path;                 // its directory is made when it is missing
  std::uint64_t max_bytes = 64UL << 20;       // a line that would make it larger begins a new one
  std::chrono::seconds every{0};              // also when it is so old; 0 = never
  std::size_t keep = 14;                      // that were put aside
  std::uint64_t max_total_bytes = 1UL << 30;  // of those
};

/// Any thread.
class LogFile {
 public:
  /// Opens or makes the file, and finishes what a killed process left half pressed. Throws Error.
  explicit LogFile(LogFileOptions options);
  /// Waits for what is being pressed.
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  /// `line` with its end. False when there is no room for it: nothing of it is in the file then.
  bool write(std::string_view line) noexcept;
  /// Opens the path again: somebody else has moved the file away (logrotate with `create`). False when it
  /// cannot be opened; lines go to the old one then.
  bool reopen() noexcept;
  std::uint64_t rotations() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner
