#include <algorithm>

#include "deployments/drive.h"

namespace runner::deployments {
namespace {

/// In the journal, of what is done to no place.
const std::vector<Place> kNowhere{{"*", Slot::single}};

}  // namespace

void Drive::pause(const std::string& why, State after) {
  if (journal_.state() != State::paused) {
    watch_.progressed(true);
    journal_.go(State::paused, why);
  } else {
    watch_.progressed(true);
  }
  if (!journal_.record().reason.empty()) tell("paused: " + journal_.record().reason);
  for (;;) {
    const std::string request = journal_.request();
    if (request == "resume" || request == "promote") {
      journal_.forget_request();
      break;
    }
    wait_for(parts_.poll, watch_.stop());
    watch_.check();
  }
  watch_.progressed(false);
  journal_.go(after);
}

State Drive::after_pause() {
  if (order_.spec.migrate &&
      !journal_.is_done(Part::migrate, 1, {{parts_.target.units().front(), Slot::single}}))
    return State::migrating;
  const std::vector<Phase> phases = plan_forward(input(), before());
  for (std::size_t n = 0; n < phases.size(); ++n) {
    const bool nowhere = phases[n].action == Action::hold || phases[n].action == Action::promote;
    if (!journal_.is_done(Part::forward, n, nowhere ? kNowhere : phases[n].places)) return State::progressing;
  }
  return State::verifying;
}

void Drive::pause_if_asked() {
  watch_.check();
  const std::string request = journal_.request();
  if (request == "pause") {
    journal_.forget_request();
    pause("a person asked for it", State::progressing);
  }
}

void Drive::promote(std::size_t n) {
  if (journal_.is_done(Part::forward, n, kNowhere)) return;
  journal_.begin(Part::forward, n, to_string(Action::promote), kNowhere);
  pause("it waits to be promoted", State::progressing);
  journal_.complete(Part::forward, n, kNowhere, true);
}

void Drive::hold(std::size_t n, const Phase& phase) {
  if (journal_.is_done(Part::forward, n, kNowhere)) return;
  journal_.begin(Part::forward, n, to_string(Action::hold), kNowhere);
  const pipelines::StrategySpec& strategy = order_.spec.strategy;
  const bool checked = phase.checked && !strategy.checks.empty() && parts_.balancer != nullptr &&
                       parts_.balancer->has_counters();
  std::vector<Place> candidates, stable;
  if (input().slots) {
    for (const std::string& unit : parts_.target.units()) {
      candidates.push_back({unit, free_slot(before(), unit, true)});
      stable.push_back({unit, slot_in_use(before(), unit, true)});
    }
  }
  const SteadyPoint begun = parts_.clock.steady_now();
  auto window = begun;  // of the samples
  const bool judged = checked && !candidates.empty();
  std::map<Place, ServerCounters> candidate_then, stable_then;
  if (judged) {
    candidate_then = parts_.balancer->counters(candidates, watch_.stop());
    stable_then = parts_.balancer->counters(stable, watch_.stop());
  }
  int failures = 0, unknown = 0;
  for (;;) {
    const auto passed = parts_.clock.steady_now() - begun;
    const bool last = passed >= phase.hold;
    if (last && !judged) break;
    if (!last) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(phase.hold - passed);
      const auto step = judged ? std::min(strategy.interval, left + std::chrono::milliseconds(1)) : left;
      wait_for(std::min(step, std::max(parts_.poll, std::chrono::milliseconds(1))), watch_.stop());
      pause_if_asked();
      watch_.progressed();  // waiting is what was asked for
      const bool due = parts_.clock.steady_now() - window >= strategy.interval ||
                       parts_.clock.steady_now() - begun >= phase.hold;
      if (!judged || !due) continue;
    } else {
      wait_for(std::min(strategy.interval, std::max(parts_.poll, std::chrono::milliseconds(1))),
               watch_.stop());
      watch_.check();
      if (parts_.clock.steady_now() - window < strategy.interval) continue;
    }
    window = parts_.clock.steady_now();
    const auto candidate_now = parts_.balancer->counters(candidates, watch_.stop());
    const auto stable_now = parts_.balancer->counters(stable, watch_.stop());
    watch_.check();
    const Look look = judge(strategy.checks, traffic_between(candidate_then, candidate_now),
                            traffic_between(stable_then, stable_now));
    if (!look.why.empty()) tell(look.why);
    failures = look.verdict == Verdict::fail ? failures + 1 : 0;
    unknown = look.verdict == Verdict::unknown ? unknown + 1 : 0;
    if (failures >= strategy.failures) throw PhaseFailed(Trouble::checks, look.why);
    if (unknown >= strategy.unknown) {
      pause(look.why + ": nobody can say how it does", State::progressing);
      break;
    }
    if (look.verdict == Verdict::pass && window - begun >= phase.hold) break;
  }
  journal_.complete(Part::forward, n, kNowhere, true);
}

}  // namespace runner::deployments
