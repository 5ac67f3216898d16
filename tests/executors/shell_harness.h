#pragma once
// The shell executor for the contract suite: in a plain directory, or in an overlay.

#include "executors/launcher.h"
#include "tests/executors/contract.h"

namespace runner::executors::test {

/// The program's launcher, started before main() has made any thread.
const Launcher& test_launcher();

enum class Mount : std::uint8_t { none, overlay, user_namespace };

HarnessKind shell_harness(Mount mount);

}  // namespace runner::executors::test
