#pragma once
// Between the engine's threads and the screen: serialises events into a view and writes what it produces.

#include <condition_variable>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "runner/base/clock.h"
#include "runner/base/fd.h"
#include "runner/cli/output.h"
#include "runner/cli/view.h"
#include "runner/engine/engine.h"

namespace runner::cli {

class Presenter final : public engine::Observer {
 public:
  /// Without a view nothing is shown. `clock` and `output` must outlive it.
  Presenter(std::unique_ptr<View> view, const Clock& clock, Output& output, Screen screen);

  void job_changed(const engine::JobView& job) override;
  void job_output(std::size_t job, int attempt, std::string_view bytes) override;

  void note(std::string_view text);
  /// Repaints a live screen; `resized` asks the terminal for its size first.
  void tick(bool resized);
  void finish(const Outcome& outcome);
  /// The screen is somebody else's until resume(): nothing is written, and jobs that have output wait.
  void pause();
  void resume();
  bool live() const { return view_ != nullptr && screen_.live; }

 private:
  void write();

  std::mutex mutex_;
  std::condition_variable resumed_;
  bool paused_ = false;
  std::unique_ptr<View> view_;
  const Clock& clock_;
  Output& output_;
  Screen screen_;
};

/// SIGINT, SIGTERM and SIGHUP are blocked while this lives (in threads made later, too); so is SIGWINCH.
class BlockedSignals {
 public:
  BlockedSignals();
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals();

 private:
  sigset_t old_mask_;
};

/// A thread that takes those signals, and keeps a live screen moving. Joined on destruction.
class SignalThread {
 public:
  /// `stop_asked` is called with 1 for the first request to stop, 2 for the second, and so on.
  SignalThread(Presenter& presenter, std::function<void(int)> stop_asked);
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;
  ~SignalThread();

 private:
  void run();

  Presenter& presenter_;
  std::function<void(int)> stop_asked_;
  UniqueFd signals_;
  WakeUp end_;
  std::thread thread_;
};

}  // namespace runner::cli
