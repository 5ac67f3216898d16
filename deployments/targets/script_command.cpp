#include "deployments/targets/script_command.h"

namespace runner::deployments {
namespace {

// Standard input ends when we do. The command itself has neither that nor the lock, so that what it leaves in
// the background keeps nobody waiting; whoever watches has both.
constexpr const char* kWatched = R"sh(
exec 4<&0 </dev/null
(
  while IFS= read -r _ <&4; do :; done
  kill -KILL 0
) >/dev/null 2>&1 &
watcher=$!
sh -ec "$RUNNER_SCRIPT" 3<&- 4<&-
code=$?
kill -KILL "$watcher"
exit "$code"
)sh";

}  // namespace

ProgramEnd run_script_command(const ScriptCommand& command, const std::function<void(std::string_view)>& tell,
                              const std::stop_token& stop) {
  ProgramRequest program;
  program.argv = {"sh", "-c", kWatched};
  program.environment = command.environment;
  // Not an argument: those are in the list of processes.
  (*program.environment)["RUNNER_SCRIPT"] = command.script;
  program.directory = command.directory;
  program.timeout = command.timeout;
  program.kept_fd = command.lock;
  program.on_output = program.on_errors = tell;
  return run_program(program, stop);
}

}  // namespace runner::deployments
