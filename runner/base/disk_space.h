#pragma once
// How much room a disk has.

#include <filesystem>

namespace runner {

/// Little enough for what comes next to miss what is about to be given back: less than 1 GiB and less than a
/// tenth. False when it cannot be told. Any thread.
bool is_short_of_space(const std::filesystem::path& directory);

}  // namespace runner
