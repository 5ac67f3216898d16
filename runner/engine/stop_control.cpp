#include "runner/engine/stop_control.h"

#include <algorithm>
#include <utility>

namespace runner::engine {

StopControl::StopControl(std::chrono::milliseconds grace, std::optional<SteadyPoint> job_deadline,
                         std::function<void()> wake)
    : wake_(std::move(wake)), grace_(grace), job_deadline_(job_deadline) {}

void StopControl::cancel() {
  demand(StopCause::cancel);
}
void StopControl::kill() {
  demand(StopCause::kill);
}

void StopControl::demand(StopCause cause) {
  {
    const std::lock_guard lock(mutex_);
    if (listener_ && cause > job_cause_) listener_(cause);
    job_cause_ = std::max(job_cause_, cause);
    if (step_ != nullptr && !(final_step_ && cause == StopCause::cancel)) stop_step(cause);
  }
  source_.request_stop();
}

// Called with the lock held: Step::stop neither blocks nor calls back.
void StopControl::stop_step(StopCause cause) {
  step_cause_ = std::max(step_cause_, cause);
  step_->stop(cause == StopCause::kill ? std::chrono::milliseconds(0) : grace_);
}

std::optional<SteadyPoint> StopControl::check_deadlines(SteadyPoint now) {
  bool timed_out = false;
  std::optional<SteadyPoint> next;
  {
    const std::lock_guard lock(mutex_);
    if (phase_deadline_ && *phase_deadline_ <= now) {
      phase_deadline_.reset();
      if (step_ != nullptr) stop_step(StopCause::phase_timeout);
    }
    if (job_deadline_ && *job_deadline_ <= now) {
      job_deadline_.reset();
      timed_out = true;
    }
    next = job_deadline_;
    if (phase_deadline_ && (!next || *phase_deadline_ < *next)) next = phase_deadline_;
  }
  if (timed_out) demand(StopCause::job_timeout);
  return next;
}

executors::StepEnd StopControl::run(executors::Sandbox& sandbox, const executors::StepSpec& spec,
                                    executors::LogSink& sink, std::optional<SteadyPoint> phase_deadline,
                                    bool final_step) {
  const std::unique_ptr<executors::Step> step = sandbox.start(spec, sink);
  bool nearer = false;
  {
    const std::lock_guard lock(mutex_);
    step_ = step.get();
    final_step_ = final_step;
    step_cause_ = StopCause::none;
    phase_deadline_ = phase_deadline;
    nearer = phase_deadline && (!job_deadline_ || *phase_deadline < *job_deadline_);
    if (job_cause_ != StopCause::none && !(final_step && job_cause_ == StopCause::cancel))
      stop_step(job_cause_);
  }
  if (nearer) wake_();
  struct Forget {
    StopControl& control;
    ~Forget() {
      const std::lock_guard lock(control.mutex_);
      control.step_ = nullptr;
      control.phase_deadline_.reset();
    }
  } const forget{*this};
  return step->wait();
}

void StopControl::set_grace(std::chrono::milliseconds grace) {
  const std::lock_guard lock(mutex_);
  grace_ = grace;
}

void StopControl::forget_deadline() {
  const std::lock_guard lock(mutex_);
  job_deadline_.reset();
}

void StopControl::pass_on(std::function<void(StopCause)> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
  if (listener_ && job_cause_ != StopCause::none) listener_(job_cause_);
}

StopCause StopControl::step_cause() const {
  const std::lock_guard lock(mutex_);
  return step_cause_;
}

StopCause StopControl::job_cause() const {
  const std::lock_guard lock(mutex_);
  return job_cause_;
}

}  // namespace runner::engine
