#pragma once
// How a running job is ended from outside: cancel, kill and deadlines, with the cause on record.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "executors/executor.h"
#include "runner/base/clock.h"

namespace runner::engine {

enum class StopCause : std::uint8_t {
  none,
  phase_timeout,  // of the script or the after_script alone
  cancel,
  job_timeout,
  kill,
};

/// Shared by the engine thread, which stops, and the job's thread, which runs steps. Causes only get
/// stronger.
class StopControl {
 public:
  /// `wake` is called, outside the lock, when a deadline was set that is nearer than the ones before.
  /// Without a `job_deadline` somebody else ends what is over its time.
  StopControl(std::chrono::milliseconds grace, std::optional<SteadyPoint> job_deadline,
              std::function<void()> wake);

  // Engine's side; none of these blocks.
  void cancel();
  void kill();
  /// Stops what is over its time. Returns the next deadline, if any.
  std::optional<SteadyPoint> check_deadlines(SteadyPoint now);

  // Job's side.
  /// Runs a step until it ended. `phase_deadline` ends this step only; a cancel does not end one that is
  /// `final` (after_script). What was demanded before it started stops it at once.
  executors::StepEnd run(executors::Sandbox& sandbox, const executors::StepSpec& spec,
                         executors::LogSink& sink, std::optional<SteadyPoint> phase_deadline,
                         bool final_step);
  /// What a step has between the request to end and its end by force, from now on.
  void set_grace(std::chrono::milliseconds grace);
  /// From now on the job may take as long as it likes.
  void forget_deadline();
  /// For who runs the job elsewhere: called with each cause that was not demanded before, by whoever demands
  /// it, and at once with one that is there already; quick, not called any more once this is called again.
  /// Empty: nobody.
  void pass_on(std::function<void(StopCause)> listener);
  /// The cause that ended the last step, or none.
  StopCause step_cause() const;
  /// What was demanded of the whole job (never phase_timeout).
  StopCause job_cause() const;
  /// For what blocks outside of steps; stops on kill, cancel and job timeout.
  std::stop_token token() const { return source_.get_token(); }

 private:
  void demand(StopCause cause);
  void stop_step(StopCause cause);

  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::chrono::milliseconds grace_;
  std::stop_source source_;
  executors::Step* step_ = nullptr;
  bool final_step_ = false;
  StopCause job_cause_ = StopCause::none, step_cause_ = StopCause::none;
  std::optional<SteadyPoint> job_deadline_, phase_deadline_;
  std::function<void(StopCause)> listener_;
};

}  // namespace runner::engine
