#pragma once
// Commands in containers, followed by the Engine API. Internal to this folder; blocks on the engine.

#include <chrono>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "deployments/target.h"
#include "deployments/targets/compose_engine.h"

namespace runner::deployments {

using OnLine = std::function<void(std::string_view line)>;

/// Runs the script in a container that runs. When its time is over, or `stop` says so, its processes are
/// killed, as far as there is a shell in the container to do that; when we die it goes on to its own end, as
/// engines know no way to tie it to us. Throws Error.
CommandResult exec_in(ComposeEngine& engine, const std::string& container, const TargetCommand& command,
                      const OnLine& line, const std::stop_token& stop);

/// Follows a container of its own, whose command it is, from its first line on: it may have ended long ago.
/// When its time is over it is killed; so it is at a `stop`, unless it survives that. Throws Error.
CommandResult follow_command(ComposeEngine& engine, const std::string& container,
                             const TargetCommand& command, const OnLine& line, const std::stop_token& stop);

}  // namespace runner::deployments
