#pragma once
// What an engine says while it pulls, builds or pushes: JSON objects, one a line (Docker's Engine API). One
// thread.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace runner::executors {

/// Puts lines together again wherever they were cut.
class ProgressLines {
 public:
  using Take = std::function<void(std::string_view line)>;

  /// Keeps no more than `longest` bytes of a line.
  explicit ProgressLines(std::size_t longest = 1U << 20U) : longest_(longest) {}
  /// Throws Error{unavailable} at a line that is longer, and what `take` throws.
  void feed(std::string_view bytes, const Take& take);
  /// At the end: the last line need not be ended.
  void finish(const Take& take);

 private:
  std::size_t longest_;
  std::string line_;
};

}  // namespace runner::executors
