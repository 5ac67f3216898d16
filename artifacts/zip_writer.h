#pragma once
// A tree as a zip archive. Used inside this folder only.

#include <filesystem>
#include <functional>
#include <span>

#include "artifacts/archive_output.h"
#include "runner/base/layered_tree.h"
#include "runner/base/opened_up.h"

namespace runner::artifacts::zip {

/// `entries` of the plain directory `tree`, in their order; `opened` knows the modes of what was opened up.
/// The same bytes whatever the number of cores, and memory does not grow with the content. Throws Error,
/// cancelled when `stop` says so.
void write(const std::filesystem::path& tree, std::span<const TreeEntry> entries, const OpenedTrees& opened,
           int level, const std::function<bool()>& stop, ArchiveOutput& output);

}  // namespace runner::artifacts::zip
