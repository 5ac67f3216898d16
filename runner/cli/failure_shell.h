#pragma once
// `--shell-on-failure`: a person looks around where a script failed. The terminal is this process's own; the
// shell has one of its own in the sandbox, and what is typed and shown is passed between the two.

#include <mutex>
#include <string>

#include "runner/cli/presenter.h"
#include "runner/engine/job_runner.h"

namespace runner::cli {

/// Why there can be none: standard input and output are no terminal. "" = there can.
std::string no_terminal_for_shell();

class FailureShell {
 public:
  /// `presenter` outlives it.
  explicit FailureShell(Presenter& presenter) : presenter_(presenter) {}

  /// Blocks until the person has left the shell, or the job is to end. One at a time: jobs that fail
  /// meanwhile wait. What goes wrong is said; the run goes on.
  void open(const engine::FailedJob& job) noexcept;

 private:
  Presenter& presenter_;
  std::mutex mutex_;
};

}  // namespace runner::cli
