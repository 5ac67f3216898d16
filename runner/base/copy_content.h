#pragma once

#include <sys/types.h>

#include <filesystem>

namespace runner {

/// Lets the empty file `to` share the blocks of `from`. False where the file system cannot; `to` is empty
/// then.
bool clone_content(int from, int to) noexcept;

/// Copies `size` bytes into the empty file `to`, in the kernel where it can; holes stay holes. A file that
/// becomes shorter meanwhile ends in zeros. `shown` stands for `from` in messages. Throws Error.
void copy_content(int from, int to, off_t size, const std::filesystem::path& shown);

}  // namespace runner
