#pragma once
// A command of a script target. Internal to this folder.

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "deployments/program.h"

namespace runner::deployments {

struct ScriptCommand {
  std::string script;  // of a POSIX shell, with -e
  std::map<std::string, std::string> environment;
  std::filesystem::path directory;
  std::chrono::milliseconds timeout{0};
  int lock = -1;  // open until all of its process group have ended
};

/// Runs it in a process group of its own, which is killed when it is to stop, when its time is over and when
/// we die. Throws as run_program() does.
ProgramEnd run_script_command(const ScriptCommand& command, const std::function<void(std::string_view)>& tell,
                              const std::stop_token& stop);

}  // namespace runner::deployments
