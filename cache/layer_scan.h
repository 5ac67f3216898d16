#pragma once
// What a tree of a layer holds, found by looking at all of it. Internal to the store.

#include <filesystem>

#include "cache/layer_store.h"

namespace runner::cache {

/// A file with several names counts once in `disk`; the lists of what is hidden are sorted. Directories
/// without permission are opened up while they are read. Throws Error. Blocks.
Draft::Content scan_layer(const std::filesystem::path& tree);

}  // namespace runner::cache
