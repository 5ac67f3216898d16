#pragma once
// The directory of an attempt that runs in a process of its own, and how the two processes know of each
// other.
//
//   lock      held by the process (and, until it is forked, by who has it forked): free means nobody lives
//   order     what to run; 0600, it holds secrets
//   started   something of the job's own may have run: never run it again
//   outcome   how it ended, once it has
//   archives  what was made of its artifacts, once it is
//   messages  what the process had to say to operators
//   control   the socket on which another daemon finds the process
//   work/     see JobOrder::work_dir
//
// Files are written under another name and renamed, not synced: when the machine goes down the job does too.
// A message on the socket is one byte. The process sends `outcome` and `archives`, also to who connects
// later; it is sent `cancel`, `kill` and `settle`: then it removes the directory and ends.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "runner/base/fd.h"

namespace runner::daemon {

namespace job_file {
inline constexpr const char* kLock = "lock";
inline constexpr const char* kOrder = "order";
inline constexpr const char* kStarted = "started";
inline constexpr const char* kOutcome = "outcome";
inline constexpr const char* kArchives = "archives";
inline constexpr const char* kMessages = "messages";
inline constexpr const char* kControl = "control";
inline constexpr const char* kWork = "work";
}  // namespace job_file

enum class JobSignal : std::uint8_t { outcome = 'o', archives = 'a', cancel = 'c', kill = 'k', settle = 's' };

/// False when the other side is gone.
bool send_signal(int socket, JobSignal signal) noexcept;
/// nullopt: the other side is gone. Blocks.
std::optional<JobSignal> receive_signal(int socket) noexcept;

/// Makes the lock file if need be and takes the lock; empty when somebody has it. Throws Error.
UniqueFd try_lock_place(const std::filesystem::path& place);

/// A socket that listens in the directory, non-blocking. Throws Error.
UniqueFd listen_in(const std::filesystem::path& place);
/// Empty when nobody listens there.
UniqueFd connect_to(const std::filesystem::path& place);

}  // namespace runner::daemon
