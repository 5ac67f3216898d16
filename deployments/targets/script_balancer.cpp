#include "deployments/targets/script.h"
#include "deployments/targets/script_state.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

ServerState state_of(const ScriptState& state, Slot slot) {
  const auto found = state.slots.find(slot);
  if (found == state.slots.end()) return {Admission::out, 100};
  const auto told = parse_admission(found->second.admission);
  if (told) return {*told, found->second.weight};
  // Nobody has said so yet: what runs there has the traffic.
  return {found->second.running.empty() ? Admission::out : Admission::ready, 100};
}

unsigned parts_of(const ServerState& state) {
  return state.admission == Admission::ready ? state.weight : 0U;
}

void check_place(const Place& place) {
  if (place.unit != "script")
    throw Error(ErrorCode::not_found,
                "a script has the one unit 'script', not " + in_quotes(to_utf8(place.unit)));
}

}  // namespace

std::map<Place, ServerState> ScriptBalancer::observe(const std::vector<Place>& places,
                                                     std::stop_token /*stop*/) {
  const ScriptState state = read_script_state(target_.state_file());
  std::map<Place, ServerState> states;
  for (const Place& place : places) {
    check_place(place);
    states[place] = state_of(state, place.slot);
  }
  return states;
}

void ScriptBalancer::set(const std::map<Place, ServerState>& states, std::stop_token stop) {
  const UniqueFd lock = target_.hold("set", stop);
  ScriptState state = read_script_state(target_.state_file());
  for (const auto& [place, wanted] : states) {
    check_place(place);
    if (wanted.weight > 100)
      throw Error(ErrorCode::invalid_input,
                  "a weight is at most 100 %, not " + std::to_string(wanted.weight));
    state.slots[place.slot].admission = to_string(wanted.admission);
    state.slots[place.slot].weight = wanted.weight;
  }
  if (state.candidate) {
    const Slot slot = *state.candidate, other = slot == Slot::blue ? Slot::green : Slot::blue;
    const unsigned mine = parts_of(state_of(state, slot)), theirs = parts_of(state_of(state, other));
    const unsigned share = mine + theirs == 0 ? 0U : mine * 100 / (mine + theirs);
    if (share != state.share || state.moving) {
      const auto base = state.slots.find(other);
      const auto surroundings = target_.surroundings(base == state.slots.end() ? "" : base->second.running,
                                                     state.slots[slot].release, share);
      const ScriptOptions& options = target_.options_;
      const bool back = share == 0 && !options.rollback.empty();
      ScriptState begun = read_script_state(target_.state_file());
      begun.moving = true;
      write_script_state(target_.state_file(), begun);
      target_.step(back ? "rollback" : "activate", back ? options.rollback : options.activate, surroundings,
                   lock, stop);
      target_.step("verify", options.verify, surroundings, lock, stop);
      state.share = share;
      state.moving = false;
    }
  }
  write_script_state(target_.state_file(), state);
}

bool ScriptBalancer::wait_drained(const std::vector<Place>& places, std::chrono::milliseconds /*patience*/,
                                  std::stop_token /*stop*/) {
  for (const Place& place : places) check_place(place);
  return true;
}

std::map<Place, ServerCounters> ScriptBalancer::counters(const std::vector<Place>& /*places*/,
                                                         std::stop_token /*stop*/) {
  throw Error(ErrorCode::conflict, "a script counts no requests; use checks that ask Prometheus");
}

}  // namespace runner::deployments
