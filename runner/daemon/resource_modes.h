#pragma once
// Process modes of resource groups, from the store to the engine.

#include "runner/engine/engine.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// Tells the engine all that were chosen, by people or by a configuration file. They count from the next job
/// on that gets its group. Blocks on the store. Any thread.
void load_resource_modes(storage::Store& store, engine::Engine& engine);

}  // namespace runner::daemon
