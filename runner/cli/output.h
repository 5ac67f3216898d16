#pragma once
// A descriptor that text goes to while jobs run. Any thread, one at a time; give_up() from any.

#include <atomic>
#include <string_view>

#include "runner/base/fd.h"

namespace runner::cli {

/// Writing blocks as long as the reader does not read: that slows the jobs down instead of filling memory.
/// Once the reader is gone, or give_up() was called, text is dropped.
class Output {
 public:
  /// Does not own `fd`.
  explicit Output(int fd);
  void write(std::string_view text) noexcept;
  /// Ends a write that blocks: a reader that hangs must not keep a cancel from coming through.
  void give_up() noexcept;
  /// Text was lost, and not because its reader had enough.
  bool failed() const noexcept { return failed_.load(); }

 private:
  int fd_;
  bool may_block_ = false;
  std::atomic<bool> broken_{false}, failed_{false};
  WakeUp wake_;
};

}  // namespace runner::cli
