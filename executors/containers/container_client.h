#pragma once
// The process that a supervisor runs as the command of a step in a container: it starts the container, copies
// its output to its own, and ends with its code. It is the program itself, started again with the words
// `container-step STEP_DIR`, so that everything known of steps holds: spool, end record, re-attachment, stop.
//
// Files in the step's directory besides the supervisor's (mode 0600):
//   request   what to do
//   verdict   what an exit code cannot say; written before the process ends, absent for an ordinary end
//   settled   the container was seen not to run after the step

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace runner::executors {

inline constexpr const char* kContainerStepWord = "container-step";

struct ClientRequest {
  std::filesystem::path socket;  // the engine's
  std::string api;               // the version of its API
  bool podman = false;
  std::string container;
  bool again = false;  // a step has run in it before
  /// Not 0: the process with which the step ends, as nobody would be left to end the container.
  pid_t ends_with = 0;
};

struct Verdict {
  enum class Kind : std::uint8_t {
    oom,       // the memory limit
    refused,   // it was not started, for what the job asked for
    unusable,  // it was not started, for what the engine or the machine lacks
    lost,      // it ran, and how it ended is not known
  };
  Kind kind = Kind::lost;
  std::string why;
};

/// Throws Error.
void write_request(const std::filesystem::path& step_dir, const ClientRequest& request);
/// nullopt when there is none. Throws Error{corrupt}.
std::optional<Verdict> read_verdict(const std::filesystem::path& step_dir);

/// What main() does for the words `container-step STEP_DIR`, before anything else; one thread, signals
/// blocked or not. Returns what the process ends with. An end that is not the container's is a signal, never
/// a code.
int container_step_main(const char* step_dir);

}  // namespace runner::executors
