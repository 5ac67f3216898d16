#pragma once
// Starts supervisors without a thread, a lock or a heavy address space in the way.
//
// A process forked from a threaded program may call next to nothing, and starting our own binary again costs
// 2-3 ms of dynamic linking per step. So a small helper is forked at program start, while there is one
// thread, and it forks a supervisor for every step (0.2 ms).

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "executors/executor.h"
#include "runner/base/fd.h"

namespace runner::executors {

/// What a supervisor is told. Travels in memory only (memfd), because `env` holds secrets.
struct LaunchRequest {
  std::vector<std::string> argv;  // empty: mount, report and end; nothing is started
  std::vector<std::string> env;   // "NAME=value"
  std::string cwd;
  std::string step_dir;  // exists, private; spool, end record and control socket are made there
  std::optional<OverlayMount> overlay;
  std::uint64_t file_size_bytes = 0;
  bool outlives_runner = true;  // else: stopped when the channel closes
};

/// A supervisor that runs. Losing the object leaves it alone.
struct LaunchedStep {
  UniqueFd channel;  // SOCK_SEQPACKET to the supervisor, see supervisor.h
  UniqueFd pidfd;    // readable when the supervisor has ended
};

/// Blocks until there is work: the descriptors given to fork_main(). Empty: there will be none, return.
using AwaitWork = std::function<std::vector<UniqueFd>()>;
/// What a process made for fork_main() does; it calls `next` once. What it prepares before that is done when
/// the work comes, as one such process is forked beforehand and waits. It has one thread, a session of its
/// own, all signals blocked, nothing on its standard streams, and belongs to nobody.
using ForkedMain = void (*)(const AwaitWork& next);

/// Owns the helper process. It ignores what a terminal sends and ends when this object (or the program) is
/// gone; supervisors go on then, unless told otherwise. Thread-safe after start().
class Launcher {
 public:
  /// Call it in main() before any thread exists. Throws Error.
  static Launcher start(ForkedMain main = nullptr);

  Launcher(Launcher&&) noexcept = default;
  Launcher& operator=(Launcher&&) = delete;
  ~Launcher();

  /// Returns when the command has been executed. Throws Error{invalid_input} when it cannot be (not found,
  /// not executable, no such directory), Error{unavailable} when the helper is gone, Error when a mount
  /// fails.
  LaunchedStep launch(const LaunchRequest& request) const;

  /// Gives `fds` to a process that calls the `main` of start() and ends when that returns; from then on it
  /// outlives this program. Does not wait for it. Throws Error{unavailable} when the helper is gone.
  void fork_main(std::span<const int> fds) const;

  /// Mounts `mount` for a moment and takes it away. nullopt: it works; else the reason why it does not.
  std::optional<std::string> try_overlay(const OverlayMount& mount) const;

 private:
  Launcher(UniqueFd socket, pid_t helper) : socket_(std::move(socket)), helper_(helper) {}

  UniqueFd socket_;
  pid_t helper_ = -1;
};

}  // namespace runner::executors
