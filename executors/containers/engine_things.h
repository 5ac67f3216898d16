#pragma once
// What an engine holds of ours: found by labels or known by name, removed by name. Any thread; blocks on the
// engine.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executors/containers/engine_api.h"
#include "executors/executor.h"

namespace runner::executors {

enum class ThingKind : std::uint8_t { container, volume, network };

struct EngineThing {
  ThingKind kind = ThingKind::container;
  std::string name;     // as the engine takes it
  std::string sandbox;  // the id it is labelled with
};

/// Everything labelled as ours; of one sandbox, or of all. In an order in which it can be removed. Throws
/// Error.
std::vector<EngineThing> find_things(const EngineApi& api, std::string_view owner,
                                     const std::optional<SandboxId>& sandbox, Deadline deadline);
/// Containers are killed, and anonymous volumes go with them. Fine when it is gone already. Throws Error when
/// the engine will not, or the deadline passed.
void remove_thing(const EngineApi& api, const EngineThing& thing, Deadline deadline);

/// Waits until the container does not run, and gives the engine's answer. Throws Error.
EngineAnswer await_end(const EngineApi& api, const std::string& name, const Waits& waits);
/// Kills the container and waits until it does not run. Fine when it does not, or there is none.
/// Throws Error: unavailable, timeout.
void end_container(const EngineApi& api, const std::string& name, Deadline deadline);

/// The patience for calls that must be done by then.
Waits waits_until(Deadline deadline);

}  // namespace runner::executors
