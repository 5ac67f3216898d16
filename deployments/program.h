#pragma once
// Programs that a deployment starts and follows to their end: the ssh client, a script's commands, the check
// that a balancer makes of its own configuration. Any thread; each call is on its own.

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace runner::deployments {

struct ProgramRequest {
  std::vector<std::string> argv;                                  // the first is looked up in PATH
  std::optional<std::map<std::string, std::string>> environment;  // nothing: as ours
  std::filesystem::path directory;                                // "": ours
  /// Puts the next bytes for its standard input into `piece`; false when there are no more. Standard input
  /// stays open until the program has ended, or we have. Empty: there is nothing to read.
  std::function<bool(std::string& piece)> input;
  /// Lines without their ends. One longer than 64 KiB comes in pieces.
  std::function<void(std::string_view line)> on_output, on_errors;
  std::chrono::milliseconds timeout{60'000};  // 0: none
  int kept_fd = -1;                           // a descriptor that it has as number 3; -1: none
};

struct ProgramEnd {
  int code = 0;  // 128 + signal when it was killed
  bool timed_out = false;
};

/// Runs it to its end, in a session of its own, so that it cannot ask a terminal. When `stop` says so or its
/// time is over, its process group gets SIGTERM and 2 s later SIGKILL. What it leaves running in the
/// background goes on, and is not waited for.
/// Throws Error: not_found when there is no such program, cancelled, and what `input` throws.
ProgramEnd run_program(const ProgramRequest& request, const std::stop_token& stop);

}  // namespace runner::deployments
