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
  return json{{"units", std::move(units)}, {"servers", std::move(servers)}}.dump();
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
  } catch (const json::exception&) {
    throw_corrupt();
  }
  return snapshot;
}

}  // namespace runner::deployments
