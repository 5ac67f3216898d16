#include "executors/shell_executor.h"

#include <gtest/gtest.h>

#include "tests/executors/shell_harness.h"

namespace runner::executors::test {

INSTANTIATE_TEST_SUITE_P(Shell, ExecutorContract,
                         testing::Values(shell_harness(Mount::none), shell_harness(Mount::overlay),
                                         shell_harness(Mount::user_namespace)),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace runner::executors::test
