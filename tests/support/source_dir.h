#pragma once
// Where the sources of this build lie: tests read cases and golden files there.

#include <filesystem>

namespace runner::test {

/// The repository's top directory.
std::filesystem::path source_dir();

}  // namespace runner::test
