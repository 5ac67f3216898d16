#include "runner/engine/decide.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace runner::engine {
namespace {

using pipelines::FailureReason;
using pipelines::JobStatus;

constexpr std::chrono::milliseconds kAtOnce{0};
constexpr int kBackOffFactor = 4;

/// What a job or its pipeline file did is there again at once; what the machine did takes time to pass: a
/// full disk, a process that could not be made.
bool backs_off(FailureReason failure) {
  switch (failure) {
    case FailureReason::stuck_or_timeout_failure:
    case FailureReason::runner_system_failure:
    case FailureReason::scheduler_failure:
    case FailureReason::data_integrity_failure:
    case FailureReason::unknown_failure:
      return true;
    default:
      return false;
  }
}

/// The state, the time and the policy of one decision; one overload per event.
class Decider {
 public:
  Decider(const JobState& state, TimePoint now, const JobPolicy& policy)
      : state_(state), now_(now), policy_(policy) {}

  Decision operator()(const event::Enqueued&) const {
    if (state_.status != JobStatus::created) return out_of_turn("enqueued");
    return enqueue();
  }
  Decision operator()(const event::ResourceBusy& event) const {
    switch (state_.status) {
      case JobStatus::created:
      case JobStatus::manual:
      case JobStatus::scheduled: {
        JobState next = to(JobStatus::waiting_for_resource);
        next.reason = event.why;
        return applied(std::move(next));
      }
      case JobStatus::waiting_for_resource:
        return Ignored{"it waits for its resource group already"};
      default:
        return out_of_turn("made to wait for its resource group");
    }
  }
  Decision operator()(const event::Held&) const {
    if (state_.status == JobStatus::manual) return Ignored{"it waits for a person already"};
    if (state_.status != JobStatus::created) return out_of_turn("held");
    return applied(to(JobStatus::manual));
  }
  Decision operator()(const event::Delayed& event) const {
    if (state_.status != JobStatus::created) return out_of_turn("delayed");
    JobState next = to(JobStatus::scheduled);
    next.scheduled_at = event.until;
    return applied(std::move(next));
  }
  Decision operator()(const event::Skipped& event) const {
    if (state_.status == JobStatus::skipped) return Ignored{"it is skipped already"};
    if (state_.status != JobStatus::created) return out_of_turn("skipped");
    return applied(ended(JobStatus::skipped, event.why));
  }
  Decision operator()(const event::Refused& event) const {
    if (is_completed(state_.status)) return Ignored{"it has ended"};
    if (state_.status == JobStatus::running || state_.status == JobStatus::canceling)
      return out_of_turn("refused");
    return fail({RunResult::Kind::failed, FailureReason::unsupported_feature, {}, event.why});
  }
  Decision operator()(const event::TurnedAway& event) const {
    if (state_.status != JobStatus::waiting_for_resource)
      return Ignored{"it does not wait for leave to begin"};
    // Never tried again by itself: it would ask the same people once more.
    const RunResult result{RunResult::Kind::failed, FailureReason::unmet_prerequisites, {}, event.why};
    JobState next = ended(JobStatus::failed, event.why);
    next.failure = result.failure;
    next.allow_failure = next.allow_failure || allowed(result);
    return applied(std::move(next));
  }
  Decision operator()(const event::Played&) const {
    switch (state_.status) {
      case JobStatus::manual:
      case JobStatus::scheduled:
        return enqueue();
      case JobStatus::waiting_for_resource:
      case JobStatus::preparing:
      case JobStatus::pending:
      case JobStatus::running:
        return Ignored{"it is on its way already"};
      default:
        return Ignored{"only a job that waits for a person or a time can be played"};
    }
  }
  Decision operator()(const event::Unscheduled&) const {
    if (state_.status != JobStatus::scheduled) return Ignored{"it does not wait for a time"};
    JobState next = to(JobStatus::manual);
    next.scheduled_at.reset();
    return applied(std::move(next));
  }
  Decision operator()(const event::TimeCame&) const {
    if (state_.status != JobStatus::scheduled) return Ignored{"it does not wait for a time any more"};
    if (state_.scheduled_at && now_ < *state_.scheduled_at) return Ignored{"its time has not come"};
    return enqueue();
  }
  Decision operator()(const event::ResourceFree&) const {
    if (state_.status != JobStatus::waiting_for_resource) return Ignored{"it does not wait for a resource"};
    return enqueue();
  }
  Decision operator()(const event::Claimed&) const {
    if (state_.status != JobStatus::pending) return Ignored{"it is not on offer"};
    JobState next = to(JobStatus::running);
    next.started_at = not_before(state_.queued_at);
    return applied(std::move(next));
  }
  Decision operator()(const event::Finished& event) const {
    if (is_completed(state_.status)) return Ignored{"it has ended"};
    if (state_.status != JobStatus::running && state_.status != JobStatus::canceling)
      return out_of_turn("finished");
    // Who asked for the cancel is told "canceled", not the error the cancel caused.
    if (state_.status == JobStatus::canceling) return cancel(event.result);
    switch (event.result.kind) {
      case RunResult::Kind::success:
        return succeed(event.result);
      case RunResult::Kind::canceled:
        return cancel(event.result);
      case RunResult::Kind::failed:
        break;
    }
    return fail(event.result);
  }
  Decision operator()(const event::CancelRequested&) const { return stop(false); }
  Decision operator()(const event::KillRequested&) const { return stop(true); }
  Decision operator()(const event::MachineryFailed& event) const {
    if (is_completed(state_.status)) return Ignored{"it has ended"};
    if (state_.status == JobStatus::canceling) return cancel({RunResult::Kind::canceled, {}, {}, event.why});
    return fail({RunResult::Kind::failed, FailureReason::runner_system_failure, {}, event.why});
  }
  Decision operator()(const event::Revived&) const {
    if (state_.status == JobStatus::created) return Ignored{"it has not been skipped"};
    if (state_.status != JobStatus::skipped) return Ignored{"only skipped jobs come back"};
    JobState next = to(JobStatus::created);
    next.reason.clear();
    next.finished_at.reset();
    return applied(std::move(next));
  }

 private:
  JobState to(JobStatus status) const {
    JobState next = state_;
    next.status = status;
    ++next.version;
    return next;
  }
  JobState ended(JobStatus status, std::string reason) const {
    JobState next = to(status);
    next.reason = std::move(reason);
    next.finished_at = not_before(state_.started_at ? state_.started_at : state_.queued_at);
    return next;
  }
  /// Now; where the clock was set back, the time of what came before.
  TimePoint not_before(std::optional<TimePoint> earlier) const {
    return std::max({now_, state_.created_at, earlier.value_or(state_.created_at)});
  }
  static Decision applied(JobState next) { return Applied{std::move(next), {}}; }

  Decision enqueue() const {
    JobState next = to(JobStatus::pending);
    next.reason.clear();
    next.queued_at = not_before({});
    return Applied{std::move(next), {effect::Offer{}}};
  }

  Decision succeed(const RunResult& result) const {
    JobState next = ended(JobStatus::success, {});
    next.exit_code = result.exit_code;
    return applied(std::move(next));
  }
  Decision cancel(const RunResult& result) const {
    JobState next = ended(JobStatus::canceled, result.reason.empty() ? "canceled" : result.reason);
    next.exit_code = result.exit_code;
    return applied(std::move(next));
  }
  Decision fail(const RunResult& result) const {
    JobState next = ended(JobStatus::failed, result.reason);
    next.failure = result.failure;
    next.exit_code = result.exit_code;
    std::vector<Effect> effects;
    if (policy_.retry != nullptr &&
        should_retry(*policy_.retry, result.failure, result.exit_code, state_.attempt)) {
      effects.emplace_back(effect::NewAttempt{backs_off(result.failure) ? back_off() : kAtOnce});
    } else if (allowed(result)) {
      next.allow_failure = true;
    }
    return Applied{std::move(next), std::move(effects)};
  }
  /// 1, 4, 16 times what the policy says.
  std::chrono::milliseconds back_off() const {
    std::chrono::milliseconds after = policy_.retry_after;
    for (std::int64_t attempt = 1; attempt < state_.attempt; ++attempt) after *= kBackOffFactor;
    return after;
  }
  bool allowed(const RunResult& result) const {
    if (policy_.allow_failure == nullptr) return state_.allow_failure;
    if (policy_.allow_failure->always) return true;
    const auto& codes = policy_.allow_failure->exit_codes;
    return result.failure == FailureReason::script_failure && result.exit_code &&
           std::find(codes.begin(), codes.end(), *result.exit_code) != codes.end();
  }

  Decision stop(bool kill) const {
    switch (state_.status) {
      case JobStatus::created:
      case JobStatus::waiting_for_resource:
      case JobStatus::preparing:
      case JobStatus::pending:
      case JobStatus::scheduled:
        return cancel({RunResult::Kind::canceled, {}, {}, {}});
      case JobStatus::running:
        return Applied{to(JobStatus::canceling), {effect::StopSteps{kill}}};
      case JobStatus::canceling:
        if (kill) return Applied{to(JobStatus::canceling), {effect::StopSteps{true}}};
        return Ignored{"it is being canceled already"};
      case JobStatus::manual:
        return Ignored{"a job that waits for a person stays as it is"};
      default:
        return Ignored{"it has ended"};
    }
  }

  /// An event that belongs to another place in life: late when the job has ended, else our bug.
  Decision out_of_turn(std::string_view what) const {
    std::string why = "job " + std::to_string(state_.id) + " cannot be " + std::string(what) + ": it is " +
                      std::string(to_string(state_.status));
    if (is_completed(state_.status)) return Ignored{std::move(why)};
    return Illegal{std::move(why)};
  }

  const JobState& state_;
  TimePoint now_;
  const JobPolicy& policy_;
};

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

Decision decide(const JobState& state, const JobEvent& event, TimePoint now, const JobPolicy& policy) {
  return std::visit(Decider(state, now, policy), event);
}

std::string_view event_name(const JobEvent& event) noexcept {
  return std::visit(Overloaded{
                        [](const event::Enqueued&) { return "enqueued"; },
                        [](const event::ResourceBusy&) { return "resource_busy"; },
                        [](const event::Held&) { return "held"; },
                        [](const event::Delayed&) { return "delayed"; },
                        [](const event::Skipped&) { return "skipped"; },
                        [](const event::Refused&) { return "refused"; },
                        [](const event::TurnedAway&) { return "turned_away"; },
                        [](const event::Played&) { return "played"; },
                        [](const event::Unscheduled&) { return "unscheduled"; },
                        [](const event::TimeCame&) { return "time_came"; },
                        [](const event::ResourceFree&) { return "resource_free"; },
                        [](const event::Claimed&) { return "claimed"; },
                        [](const event::Finished&) { return "finished"; },
                        [](const event::CancelRequested&) { return "cancel_requested"; },
                        [](const event::KillRequested&) { return "kill_requested"; },
                        [](const event::MachineryFailed&) { return "machinery_failed"; },
                        [](const event::Revived&) { return "revived"; },
                    },
                    event);
}

std::string_view effect_name(const Effect& effect) noexcept {
  return std::visit(Overloaded{
                        [](const effect::Offer&) { return "offer"; },
                        [](const effect::StopSteps& stop) { return stop.kill ? "kill_steps" : "stop_steps"; },
                        [](const effect::NewAttempt&) { return "new_attempt"; },
                    },
                    effect);
}

}  // namespace runner::engine
