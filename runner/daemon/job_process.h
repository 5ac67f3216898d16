#pragma once
// The process of one attempt: does everything from the checkout to the archive, and waits until its daemon,
// or the next one, has the outcome in its store. A daemon that is killed, restarted or replaced does not
// matter to it.

#include <functional>
#include <string>
#include <vector>

#include "cache/layer_store.h"
#include "executors/launcher.h"
#include "runner/engine/engine.h"

namespace runner::daemon {

/// Makes a pipeline's checkout by its recipe. The store outlives it. Throws Error.
using CheckoutMaker = std::function<engine::Checkout(const std::string& recipe, cache::LayerStore& layers)>;

/// The body of the process: makes ready what every job needs, and waits. `next` gives its directory
/// (job_place.h), the lock of it, and the first connection. Returns when the process is to end; has started
/// and joined threads by then. One thread when called.
void run_job_process(const executors::AwaitWork& next, const CheckoutMaker& make_checkout) noexcept;

}  // namespace runner::daemon
