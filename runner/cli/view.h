#pragma once
// What a person sees of a running pipeline. Views are fed with events and the time, and produce text; they
// know no descriptor, no clock and no lock. The presenter owns one and writes what it produces. One thread at
// a time.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/cli/report.h"
#include "runner/cli/screen.h"
#include "runner/engine/engine.h"

namespace runner::cli {

struct ViewContext {
  Screen screen;
  std::vector<std::string> names;  // of the jobs that take part
  bool quiet = false;
  /// The command that runs a failed job again, and the one that starts a manual job.
  std::function<std::string(std::size_t job)> reproduce, play;
};

class View {
 public:
  virtual ~View() = default;
  virtual void job_changed(const engine::JobView& job, TimePoint now) = 0;
  virtual void job_output(std::size_t job, int attempt, std::string_view bytes, TimePoint now) = 0;
  /// A message of ours between the jobs' lines.
  virtual void note(std::string_view text) = 0;
  /// Called several times a second while the screen is live.
  virtual void tick(TimePoint now) = 0;
  virtual void resize(const Screen& screen) = 0;
  /// Takes away what is live, as others write now; the next tick puts it below that.
  virtual void clear_live() {}
  /// The last call: partial lines, then the summary.
  virtual void finish(const Outcome& outcome, TimePoint now) = 0;
  /// The text since the last call, to be written as it is.
  virtual std::string take() = 0;
};

/// Every line prefixed by the job's name; for pipes, files and dumb terminals. With `quiet` only the tails of
/// jobs that fail, and a summary when something failed.
std::unique_ptr<View> make_plain_view(ViewContext context);
/// A live line per running job below the lines of those that ended.
std::unique_ptr<View> make_terminal_view(ViewContext context);

}  // namespace runner::cli
