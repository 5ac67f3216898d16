#pragma once
// The process that a layer store leaves behind to write the file system out.

#include <sys/types.h>

#include <filesystem>
#include <optional>

namespace runner::test {

/// The process that writes the file system of `root` out; nullopt when there is none (any more).
std::optional<pid_t> sync_process(const std::filesystem::path& root);
/// Has it begin without waiting for a quiet moment, and waits for its end. Fine when there is none.
void hurry_sync(const std::filesystem::path& root);

}  // namespace runner::test
