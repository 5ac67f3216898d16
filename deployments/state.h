#pragma once
// The states of a deployment, and which may follow which. Pure; any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace runner::deployments {

enum class State : std::uint8_t {
  planned,           // what is to be put where is frozen
  waiting_approval,  // for people
  waiting_window,    // until nothing is frozen
  queued,            // for its turn in the environment
  locked,            // it has the environment, and a fence of its own
  preparing,         // releases are brought there; nothing that runs has changed
  snapshotted,       // what ran before is written down
  migrating,
  progressing,  // units, colours or weights, one after the other
  paused,       // until a person, or its deadline
  switched,     // all traffic is the candidate's
  verifying,
  finalizing,  // no way back: what is old goes
  rolling_back,
  // the ends
  succeeded,
  failed,  // nothing that runs was changed
  rolled_back,
  rollback_failed,  // a person must look: the environment stays locked
  resolved,         // and did
  rejected,
  expired,
  superseded,
  canceled,  // before it began
};

std::string_view to_string(State state) noexcept;
std::optional<State> parse_state(std::string_view text) noexcept;

/// Never left again. rollback_failed is left by a person alone.
bool is_end(State state) noexcept;
/// Something that runs may have been changed and the end is not reached: it has the environment, and whoever
/// finds it without a process goes on with it.
bool is_effectful(State state) noexcept;
/// It waits for people, time or its turn: holds no process, no lock.
bool is_waiting(State state) noexcept;
/// The states that may follow, besides itself.
std::span<const State> followers(State state) noexcept;
bool may_follow(State from, State to) noexcept;

}  // namespace runner::deployments
