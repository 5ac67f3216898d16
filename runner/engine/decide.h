#pragma once
// The one way a job changes: a pure function from a state and an event to the next state and what to do.
// No clock, no I/O, no logging, no globals; same input, same output. Any thread.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipelines/plan.h"
#include "pipelines/status.h"
#include "runner/base/clock.h"
#include "runner/storage/records.h"

namespace runner::engine {

/// One attempt of a job.
using JobState = storage::JobRecord;

/// How a run of a job ended, as its job thread saw it.
struct RunResult {
  enum class Kind : std::uint8_t { success, failed, canceled } kind = Kind::success;
  pipelines::FailureReason failure = pipelines::FailureReason::unknown_failure;  // when failed
  std::optional<int> exit_code;
  std::string reason;  // one sentence for people, empty on success
};

namespace event {
struct Enqueued {};  // its turn: everything before it is as it should be
struct ResourceBusy {
  std::string why = {};  // for people; may be empty
};                       // its turn, but the resource group is taken, or it is not let through yet
struct Held {};          // its turn: waits for a person
struct Delayed {
  TimePoint until;
};  // its turn: waits for a time
struct Skipped {
  std::string why;
};  // its turn will not come
struct Refused {
  std::string why;
};  // its turn, but it cannot run here
struct TurnedAway {
  std::string why;
};                      // it waited for leave to begin, and does not get it
struct Played {};       // a person starts it
struct Unscheduled {};  // a person takes the time away
struct TimeCame {};
struct ResourceFree {};
struct Claimed {};  // a job thread takes it
struct Finished {
  RunResult result;
};
struct CancelRequested {};
struct KillRequested {};  // as cancel, without after_script
struct MachineryFailed {
  std::string why;
};
struct Revived {};  // what it waits for runs again: un-skip
}  // namespace event

using JobEvent =
    std::variant<event::Enqueued, event::ResourceBusy, event::Held, event::Delayed, event::Skipped,
                 event::Refused, event::TurnedAway, event::Played, event::Unscheduled, event::TimeCame,
                 event::ResourceFree, event::Claimed, event::Finished, event::CancelRequested,
                 event::KillRequested, event::MachineryFailed, event::Revived>;
/// The name stored with the event.
std::string_view event_name(const JobEvent& event) noexcept;

namespace effect {
struct Offer {};  // let a job thread take it
struct StopSteps {
  bool kill = false;
};  // end what runs
struct NewAttempt {
  std::chrono::milliseconds after{0};
};  // a retry: another row, offered again when that has passed
}  // namespace effect

using Effect = std::variant<effect::Offer, effect::StopSteps, effect::NewAttempt>;
std::string_view effect_name(const Effect& effect) noexcept;

struct Applied {
  JobState next;
  std::vector<Effect> effects;
};
struct Ignored {
  std::string why;
};  // late or repeated, harmless
struct Illegal {
  std::string why;
};  // a bug of ours: log, do not store
using Decision = std::variant<Applied, Ignored, Illegal>;

/// What of the plan a decision needs.
struct JobPolicy {
  const pipelines::Retry* retry = nullptr;  // null: never again
  const pipelines::AllowFailure* allow_failure = nullptr;
  std::chrono::milliseconds retry_after{0};  // see EngineOptions
};

Decision decide(const JobState& state, const JobEvent& event, TimePoint now, const JobPolicy& policy);

}  // namespace runner::engine
