#pragma once
// What a deployment does, step after step: a strategy, the units and what ran before give a list of phases.
// Pure, and the same input always gives the same list, so that whoever goes on after a crash finds the
// numbers of the journal again. Any thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "deployments/balancer.h"
#include "deployments/target.h"
#include "pipelines/deploy_spec.h"

namespace runner::deployments {

enum class Action : std::uint8_t {
  halt,     // end what runs in the places
  place,    // the places hold `release` from now on
  start,    // what they hold
  probe,    // until it is healthy
  smoke,    // the checks before traffic is switched
  admit,    // `servers`, at the balancer
  drain,    // until nobody is served there any more
  hold,     // wait, and look at the checks
  promote,  // until a person says so
};
std::string_view to_string(Action action) noexcept;

/// One thing done to some places at once. The next phase begins once it is done to all of them.
struct Phase {
  Action action = Action::halt;
  std::vector<Place> places;
  std::string release;                   // of `place`
  std::map<Place, ServerState> servers;  // of `admit`
  std::chrono::milliseconds hold{0};     // of `hold`
  bool checked = false;                  // of `hold`: by the strategy's checks
  unsigned weight = 0;                   // share of the candidate from here on, percent
};

/// What was there before the first effect.
struct Snapshot {
  std::map<std::string, UnitState> units;
  std::map<Place, ServerState> servers;  // empty without a balancer
  /// Where something of ours runs that no unit is for any more: it ends when the candidate has all traffic.
  std::set<Place> left_over;
  bool operator==(const Snapshot&) const = default;
};

struct StrategyInput {
  pipelines::StrategySpec strategy;
  std::vector<std::string> units;
  bool slots = false;     // units have two places; else one
  bool balanced = false;  // there is a balancer
  std::string candidate;  // release
  bool smoke = false;     // there are checks before the switch
};

/// Two places a unit: blue_green, canary, and rolling that starts first where the target can.
bool uses_slots(const pipelines::StrategySpec& strategy, bool target_has_slots) noexcept;
/// The place where a unit's release runs, and the one that is free: by what runs and who gets traffic; where
/// nothing runs green is in use and blue free. Without slots both are the only one.
Slot slot_in_use(const Snapshot& snapshot, const std::string& unit, bool slots);
Slot free_slot(const Snapshot& snapshot, const std::string& unit, bool slots);

/// So many units at once.
std::size_t batch_size(const StrategyInput& input);

/// From the snapshot until all traffic is the candidate's. Where nothing runs yet a canary gets all at once.
std::vector<Phase> plan_forward(const StrategyInput& input, const Snapshot& before);
/// The old places end; with slots only.
std::vector<Phase> plan_retirement(const StrategyInput& input, const Snapshot& before);
/// What is left over gets no traffic any more, as far as the balancer knows it, and ends.
std::vector<Phase> plan_left_over(const StrategyInput& input, const Snapshot& before);
/// Back to the snapshot, for the units in `touched`: those that a phase of plan_forward() may have changed.
/// Needs nothing of the candidate. Units that held nothing hold nothing again.
std::vector<Phase> plan_rollback(const StrategyInput& input, const Snapshot& before,
                                 const std::set<std::string>& touched);

}  // namespace runner::deployments
