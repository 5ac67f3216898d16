#pragma once
// Golden files: expected texts that live beside the tests.

#include <filesystem>
#include <string>

namespace runner::test {

/// Compares `actual` with the content of `file` (relative to tests/). With RUNNER_TEST_ACCEPT=1 the file is
/// rewritten instead. Returns "" when equal, else a message with both texts.
std::string compare_golden(const std::filesystem::path& file, const std::string& actual);

}  // namespace runner::test
