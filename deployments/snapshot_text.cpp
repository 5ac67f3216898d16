#include <nlohmann/json.hpp>

#include "deployments/journal.h"
#include "runner/base/error.h"

namespace runner::deployments {
namespace {

using nlohmann::json;

[[noreturn]] void throw_corrupt() {
  throw Error(ErrorCode::corrupt, "the snapshot of a deployment in the database cannot be read");
}

Slot slot_of(const std::string& text) {
  if (const auto slot = parse_slot(text)) return *slot;
  throw_corrupt();
}

}  // namespace

std::string snapshot_text(const Snapshot& snapshot) {
  json units = json::object();
  for (const auto& [unit, slots] : snapshot.units) {
    json held = json::object();
    for (const auto& [slot, state] : slots)
      held[std::string(to_string(slot))] = {{"release", state.release}, {"running", state.running}};
    units[unit] = std::move(held);
  }
  json servers = json::array();
  for (const auto& [place, state] : snapshot.servers)
    servers.push_back({{"unit", place.unit},
                       {"slot", to_string(place.slot)},
                       {"admission", to_string(state.admission)},
                       {"weight", state.weight}});
  json left = json::array();
  for (const Place& place : snapshot.left_over)
    left.push_back({{"unit", place.unit}, {"slot", to_string(place.slot)}});
  return json{{"units", std::move(units)}, {"servers", std::move(servers)}, {"left_over", std::move(left)}}
      .dump();
}

Snapshot parse_snapshot(std::string_view text) {
  Snapshot snapshot;
  try {
    const json whole = json::parse(text);
    for (const auto& [unit, slots] : whole.at("units").items()) {
      UnitState& held = snapshot.units[unit];
      for (const auto& [slot, state] : slots.items())
        held[slot_of(slot)] = {state.at("release").get<std::string>(), state.at("running").get<bool>()};
    }
    for (const json& server : whole.at("servers")) {
      const auto admission = parse_admission(server.at("admission").get<std::string>());
      if (!admission) throw_corrupt();
      snapshot
          .servers[{server.at("unit").get<std::string>(), slot_of(server.at("slot").get<std::string>())}] = {
          *admission, server.at("weight").get<unsigned>()};
    }
    // Those of earlier versions have none.
    for (const json& place : whole.value("left_over", json::array()))
      snapshot.left_over.insert(
          {place.at("unit").get<std::string>(), slot_of(place.at("slot").get<std::string>())});
  } catch (const json::exception&) {
    throw_corrupt();
  }
  return snapshot;
}

}  // namespace runner::deployments
