#pragma once
// How a layer store learns what outlives a crash of the machine without waiting for the disk. Writing a file
// system out (syncfs) cannot be interrupted, so a process of its own does it, and renames a file when it is
// done. Nobody waits for that process: it outlives whoever started it, and holds nothing of theirs.
//
//   ROOT/sync/lock          flock'ed by that process: there is one at most
//   ROOT/sync/BOOT.wanted   all layers up to this id were committed when it was written
//   ROOT/sync/BOOT.working  the same, being written out
//   ROOT/sync/BOOT.done     the same, on disk
//
// BOOT is the kernel's name for the time since it started. The process renames the first to the second,
// syncs, and renames that to the third; asking again while it works is writing a new BOOT.wanted, which it
// sees before it ends. A name is only durable after what it says is true: the machine may go down anywhere.
// Internal to the store. Any thread, any number of processes.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace runner::cache {

inline constexpr const char* kSync = "sync";

struct SyncMark {
  std::string boot;
  std::int64_t last = 0;  // layers up to this id
};

/// How long the process waits before it writes out, so that a series of short runs costs one sync.
struct SyncPace {
  std::chrono::milliseconds quiet{2'000};      // at least; SIGTERM (of a shutdown) ends it
  std::chrono::milliseconds interval{30'000};  // from the end of one to the start of the next
};

/// What is known to be on disk, of every start of the machine. Damaged files say nothing. Throws Error.
std::vector<SyncMark> done_marks(const std::filesystem::path& root);
std::optional<std::int64_t> done_mark(const std::filesystem::path& root, const std::string& boot);

/// In a transaction that writes (they follow one another, so the mark only grows) which has seen `mark.last`
/// committed. Throws Error.
void want_sync(const std::filesystem::path& root, const SyncMark& mark);
/// Starts the process unless there is one. Takes about as long as fork() twice. Throws Error.
void start_sync_process(const std::filesystem::path& root, const std::string& boot, const SyncPace& pace);

/// What killed processes left, and marks of earlier starts once what was read from them is on disk itself. To
/// be removed in a transaction that writes, within which this was asked.
std::vector<std::filesystem::path> leftover_marks(const std::filesystem::path& root, const std::string& boot);
/// For a new index: the layers of an old one had the same ids.
void forget_marks(const std::filesystem::path& root);

}  // namespace runner::cache
