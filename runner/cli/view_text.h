#pragma once
// Sentences that both views use. Pure; any thread.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "runner/cli/job_lines.h"
#include "runner/cli/report.h"
#include "runner/cli/screen.h"
#include "runner/cli/view.h"

namespace runner::cli {

/// "passed in 3.2 s", "failed: exit code 1", "skipped: job 'build' failed" ...
std::string outcome_phrase(const engine::JobView& job);
/// The symbol and the tone of a job that ended.
std::string_view outcome_symbol(const Screen& screen, const engine::JobView& job);
Tone outcome_tone(const engine::JobView& job);
/// It failed, and that counts or would have.
bool has_failed(const engine::JobView& job);

/// Counts, time, archives, tests, coverage, what waits and how to start it. `failures`: failed jobs are
/// listed with the command that runs them again.
std::string summary_text(const ViewContext& context, const Outcome& outcome, bool failures);

/// The last lines that people want of a job that failed: those of its script, when it came so far, without
/// what follows it (caches, artifacts); else the last of its log.
class Tail {
 public:
  explicit Tail(std::size_t limit) : limit_(limit) {}
  void add(std::string_view line);
  void section(std::string_view name, bool begins);
  void clear() {
    lines_.clear();
    dropped_ = 0;
    newest_.clear();
    state_ = State::before;
  }
  /// Of the whole log. Empty when there is none.
  const std::string& newest() const { return newest_; }
  /// How many lines came before those.
  std::size_t dropped() const { return dropped_; }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  std::size_t limit_, dropped_ = 0;
  std::deque<std::string> lines_;
  std::string newest_;
  enum class State : std::uint8_t { before, header, script, after } state_ = State::before;
};

}  // namespace runner::cli
