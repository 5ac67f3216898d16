#pragma once
// The process that looks after one step: mounts its workspace, starts the command, keeps its output and its
// end.
//
// Files in the step's directory (mode 0600):
//   spool    everything the command wrote, in order
//   end      how it ended; 64 bytes reserved at the start, so that a full disk cannot lose the end
//   control  a socket on which a restarted runner finds the supervisor again
// The end record is one write within one page: after kill -9 of the supervisor it is there or not, never in
// part. It is not synced, because a machine that loses power also loses the step.
//
// Channel (SOCK_SEQPACKET): the supervisor sends one Report (with its own pidfd when it started, also to
// everyone who connects later) and then one byte after new output; it receives StopCommand. It closes the
// channel when nothing the step started is alive and the end is written; its own end, with that of its
// mounts, may take tens of milliseconds more.

#include <cstdint>
#include <optional>
#include <string_view>

#include "executors/executor.h"
#include "executors/launcher.h"
#include "runner/base/fd.h"

namespace runner::executors {

/// What a supervisor reached, or what stopped it.
enum class Stage : std::uint32_t { started, internal, name_space, layer, mount, directory, execute };

struct Report {
  Stage stage = Stage::started;
  std::int32_t error = 0;   // errno
  std::uint32_t index = 0;  // Stage::layer: which lower; then upper, work
};

struct StopCommand {
  std::int64_t grace_ms = 0;
};

inline constexpr const char* kSpoolFile = "spool";
inline constexpr const char* kEndFile = "end";
inline constexpr const char* kControlSocket = "control";

struct EndRecord {
  StepEnd end;
  int spool_errno = 0;           // output was lost because the spool could not be written
  std::uint64_t lost_bytes = 0;  // how much
};

/// The text of the end record, padded to its reserved size; and back. nullopt: not ended (yet), or not
/// readable.
std::string encode_end(const EndRecord& record);
std::optional<EndRecord> decode_end(std::string_view text);

/// Runs in a process of its own, with one thread, all signals blocked. Never returns.
[[noreturn]] void supervise(const LaunchRequest& request, UniqueFd channel) noexcept;

}  // namespace runner::executors
