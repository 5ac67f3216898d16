#pragma once
// The shell executor for tests of this folder.

#include "executors/shell_executor.h"

namespace runner::test {

/// The program's launcher, started before any test makes a thread.
const executors::Launcher& test_launcher();

}  // namespace runner::test
