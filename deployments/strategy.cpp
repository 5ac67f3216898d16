#include "deployments/strategy.h"

#include <algorithm>
#include <array>
#include <utility>

namespace runner::deployments {
namespace {

using pipelines::DeployStrategy;

constexpr ServerState kServing{Admission::ready, 100};
constexpr ServerState kDraining{Admission::drain, 100};
constexpr ServerState kOut{Admission::out, 100};

constexpr std::array<std::pair<Action, std::string_view>, 9> kActions{{{Action::halt, "halt"},
                                                                       {Action::place, "place"},
                                                                       {Action::start, "start"},
                                                                       {Action::probe, "probe"},
                                                                       {Action::smoke, "smoke"},
                                                                       {Action::admit, "admit"},
                                                                       {Action::drain, "drain"},
                                                                       {Action::hold, "hold"},
                                                                       {Action::promote, "promote"}}};

SlotState state_of(const Snapshot& snapshot, const std::string& unit, Slot slot) {
  const auto found = snapshot.units.find(unit);
  if (found == snapshot.units.end()) return {};
  const auto held = found->second.find(slot);
  return held == found->second.end() ? SlotState{} : held->second;
}

/// 0: nothing runs there; 1: something does; 2: and gets traffic.
int use_of(const Snapshot& snapshot, const std::string& unit, Slot slot) {
  if (!state_of(snapshot, unit, slot).running) return 0;
  const auto server = snapshot.servers.find({unit, slot});
  const bool serving = server == snapshot.servers.end() ||
                       (server->second.admission == Admission::ready && server->second.weight > 0);
  return serving ? 2 : 1;
}

class Builder {
 public:
  Builder(const StrategyInput& input, const Snapshot& before) : input_(input), before_(before) {}

  void act(Action action, std::vector<Place> places) {
    if (places.empty()) return;
    Phase phase;
    phase.action = action;
    phase.places = std::move(places);
    add(std::move(phase));
  }

  void place(std::vector<Place> places, const std::string& release) {
    if (places.empty()) return;
    Phase phase;
    phase.action = Action::place;
    phase.places = std::move(places);
    phase.release = release;
    add(std::move(phase));
  }

  void admit(std::map<Place, ServerState> servers, unsigned weight) {
    weight_ = weight;
    if (!input_.balanced || servers.empty()) return;
    Phase phase;
    phase.action = Action::admit;
    for (const auto& [place, state] : servers) phase.places.push_back(place);
    phase.servers = std::move(servers);
    add(std::move(phase));
  }

  void drain(const std::vector<Place>& places) {
    if (input_.balanced) act(Action::drain, places);
  }

  void hold(std::chrono::milliseconds time, bool checked) {
    if (time.count() <= 0) return;
    Phase phase;
    phase.action = Action::hold;
    phase.hold = time;
    phase.checked = checked;
    add(std::move(phase));
  }

  void promote() { add(Phase{Action::promote, {}, {}, {}, {}, false, weight_}); }

  /// The release is brought up there: what ran ends first.
  void bring_up(const std::vector<Place>& places, const std::string& release) {
    act(Action::halt, places);
    place(places, release);
    act(Action::start, places);
    act(Action::probe, places);
    if (input_.smoke) act(Action::smoke, places);
  }

  Place in_use(const std::string& unit) const { return {unit, slot_in_use(before_, unit, input_.slots)}; }
  Place free(const std::string& unit) const { return {unit, free_slot(before_, unit, input_.slots)}; }
  bool held_something(const Place& place) const { return state_of(before_, place.unit, place.slot).running; }

  std::vector<Phase> take() { return std::move(phases_); }

 private:
  void add(Phase phase) {
    phase.weight = weight_;
    phases_.push_back(std::move(phase));
  }

  const StrategyInput& input_;
  const Snapshot& before_;
  std::vector<Phase> phases_;
  unsigned weight_ = 0;
};

std::vector<std::vector<std::string>> batches_of(const std::vector<std::string>& units, std::size_t size) {
  std::vector<std::vector<std::string>> batches;
  for (std::size_t at = 0; at < units.size(); at += size)
    batches.emplace_back(units.begin() + static_cast<std::ptrdiff_t>(at),
                         units.begin() + static_cast<std::ptrdiff_t>(std::min(at + size, units.size())));
  return batches;
}

std::map<Place, ServerState> all_as(const std::vector<Place>& places, ServerState state) {
  std::map<Place, ServerState> servers;
  for (const Place& place : places) servers.emplace(place, state);
  return servers;
}

/// In the only place of each unit: no traffic, exchange, traffic.
void exchange(Builder& build, const std::vector<std::string>& units, const std::string& release,
              unsigned weight_after) {
  std::vector<Place> places;
  places.reserve(units.size());
  for (const std::string& unit : units) places.push_back({unit, Slot::single});
  build.admit(all_as(places, kDraining), 0);
  build.drain(places);
  build.bring_up(places, release);
  build.admit(all_as(places, kServing), weight_after);
}

/// `share` of 100 of traffic to the free places.
std::map<Place, ServerState> shared_traffic(const Builder& build, const std::vector<std::string>& units,
                                            unsigned share) {
  std::map<Place, ServerState> servers;
  for (const std::string& unit : units) {
    servers[build.free(unit)] = {Admission::ready, share};
    // A first release has nobody to share with.
    if (!build.held_something(build.in_use(unit)))
      servers[build.in_use(unit)] = kOut;
    else
      servers[build.in_use(unit)] = share >= 100 ? kDraining : ServerState{Admission::ready, 100 - share};
  }
  return servers;
}

void switch_over(Builder& build, const std::vector<std::string>& units, unsigned weight_after) {
  std::vector<Place> old;
  for (const std::string& unit : units)
    if (build.held_something(build.in_use(unit))) old.push_back(build.in_use(unit));
  build.admit(shared_traffic(build, units, 100), weight_after);
  build.drain(old);
}

std::vector<Place> free_places(const Builder& build, const std::vector<std::string>& units) {
  std::vector<Place> places;
  places.reserve(units.size());
  for (const std::string& unit : units) places.push_back(build.free(unit));
  return places;
}

}  // namespace

std::size_t batch_size(const StrategyInput& input) {
  const std::size_t units = input.units.size();
  if (input.strategy.type != DeployStrategy::rolling) return units;
  const auto wanted = static_cast<std::size_t>(std::max(input.strategy.max_parallel.count, 1));
  if (!input.strategy.max_parallel.percent) return std::min(wanted, units);
  return std::clamp<std::size_t>(units * wanted / 100, 1, units);
}

std::string_view to_string(Action action) noexcept {
  for (const auto& [value, text] : kActions)
    if (value == action) return text;
  return {};
}

bool uses_slots(const pipelines::StrategySpec& strategy, bool target_has_slots) noexcept {
  switch (strategy.type) {
    case DeployStrategy::recreate:
      return false;
    case DeployStrategy::rolling:
      return strategy.start_first && target_has_slots;
    case DeployStrategy::blue_green:
    case DeployStrategy::canary:
      return true;
  }
  return false;
}

Slot slot_in_use(const Snapshot& snapshot, const std::string& unit, bool slots) {
  if (!slots) return Slot::single;
  return use_of(snapshot, unit, Slot::blue) > use_of(snapshot, unit, Slot::green) ? Slot::blue : Slot::green;
}

Slot free_slot(const Snapshot& snapshot, const std::string& unit, bool slots) {
  if (!slots) return Slot::single;
  return slot_in_use(snapshot, unit, slots) == Slot::blue ? Slot::green : Slot::blue;
}

std::vector<Phase> plan_forward(const StrategyInput& input, const Snapshot& before) {
  Builder build(input, before);
  const std::vector<std::vector<std::string>> batches = batches_of(input.units, batch_size(input));
  if (!input.slots || input.strategy.type == DeployStrategy::rolling) {
    std::size_t done = 0;
    for (const std::vector<std::string>& batch : batches) {
      if (done > 0) build.hold(input.strategy.pause_between, true);
      done += batch.size();
      const auto weight = static_cast<unsigned>(done * 100 / input.units.size());
      if (!input.slots) {
        exchange(build, batch, input.candidate, weight);
        continue;
      }
      build.bring_up(free_places(build, batch), input.candidate);
      switch_over(build, batch, weight);
    }
    return build.take();
  }
  build.bring_up(free_places(build, input.units), input.candidate);
  // A first release has nobody to share with, and nothing to be compared with.
  const bool first = std::none_of(input.units.begin(), input.units.end(), [&](const std::string& unit) {
    return build.held_something(build.in_use(unit));
  });
  if (input.strategy.type == DeployStrategy::canary && !first) {
    for (const pipelines::CanaryStep& step : input.strategy.steps) {
      if (step.weight < 100)
        build.admit(shared_traffic(build, input.units, static_cast<unsigned>(step.weight)),
                    static_cast<unsigned>(step.weight));
      else
        switch_over(build, input.units, 100);
      build.hold(step.hold, true);
      if (step.approve) build.promote();
    }
    return build.take();
  }
  switch_over(build, input.units, 100);
  return build.take();
}

std::vector<Phase> plan_retirement(const StrategyInput& input, const Snapshot& before) {
  if (!input.slots) return {};
  Builder build(input, before);
  std::vector<Place> old;
  for (const std::string& unit : input.units) old.push_back(build.in_use(unit));
  build.admit(all_as(old, kOut), 100);
  build.act(Action::halt, old);
  return build.take();
}

std::vector<Phase> plan_left_over(const StrategyInput& input, const Snapshot& before) {
  Builder build(input, before);
  std::vector<Place> known;
  for (const Place& place : before.left_over)
    if (before.servers.count(place) > 0) known.push_back(place);
  build.admit(all_as(known, kDraining), 100);
  build.drain(known);
  build.act(Action::halt, {before.left_over.begin(), before.left_over.end()});
  build.admit(all_as(known, kOut), 100);
  return build.take();
}

std::vector<Phase> plan_rollback(const StrategyInput& input, const Snapshot& before,
                                 const std::set<std::string>& touched) {
  Builder build(input, before);
  std::vector<std::string> units;
  for (auto unit = input.units.rbegin(); unit != input.units.rend(); ++unit)
    if (touched.count(*unit) > 0) units.push_back(*unit);
  const auto restored = [&](const std::vector<Place>& places) {
    std::map<Place, ServerState> servers;
    for (const Place& place : places) {
      const auto found = before.servers.find(place);
      servers[place] = found == before.servers.end() ? kServing : found->second;
    }
    return servers;
  };
  if (input.slots) {
    std::vector<Place> old, candidates;
    std::map<std::string, std::vector<Place>> by_release;
    for (const std::string& unit : units) {
      candidates.push_back(build.free(unit));
      const Place place = build.in_use(unit);
      if (!build.held_something(place)) continue;
      old.push_back(place);
      by_release[state_of(before, unit, place.slot).release].push_back(place);
    }
    // It may have been retired already; what runs is left as it is.
    for (const auto& [release, places] : by_release) build.place(places, release);
    build.act(Action::start, old);
    build.act(Action::probe, old);
    std::map<Place, ServerState> servers = restored(old);
    for (const Place& place : candidates) servers[place] = kDraining;
    build.admit(std::move(servers), 0);
    build.drain(candidates);
    build.act(Action::halt, candidates);
    build.admit(restored(candidates), 0);
    return build.take();
  }
  // As many at once as on the way there.
  for (const std::vector<std::string>& batch :
       batches_of(units, std::max<std::size_t>(batch_size(input), 1))) {
    std::vector<Place> places, held;
    std::map<std::string, std::vector<Place>> by_release;
    for (const std::string& unit : batch) {
      const Place place{unit, Slot::single};
      places.push_back(place);
      const SlotState state = state_of(before, unit, Slot::single);
      by_release[state.release].push_back(place);
      if (state.running) held.push_back(place);
    }
    build.admit(all_as(places, kDraining), 0);
    build.drain(places);
    build.act(Action::halt, places);
    for (const auto& [release, at] : by_release) build.place(at, release);
    build.act(Action::start, held);
    build.act(Action::probe, held);
    build.admit(restored(places), 0);
  }
  return build.take();
}

}  // namespace runner::deployments
