#pragma once
// The text that a shell runs for the entries of a job. Pure; any thread.

#include <map>
#include <string>
#include <vector>

namespace runner::engine {

/// The shell of this machine: bash when there is one, else sh.
struct Shell {
  std::string path;
  bool bash = false;
};
/// Of a container: which it is, only the image knows. Scripts for it do with what every shell has.
inline Shell unknown_shell() {
  return {};
}
/// The words that run a script file with the first shell an image has: bash, else sh.
std::vector<std::string> find_and_run(const std::string& script);
/// Looks in the usual system directories. Throws Error{unavailable} when there is neither.
Shell find_shell();

struct ScriptOptions {
  bool check_exit_code = false;  // FF_ENABLE_BASH_EXIT_CODE_CHECK
  bool sections = false;         // FF_SCRIPT_SECTIONS
  bool trace = false;            // CI_DEBUG_TRACE
  /// Values too large for the environment of a process: variables of the shell, not exported, since an
  /// exported one would keep the shell from starting anything.
  std::map<std::string, std::string> shell_only;
};

/// Prologue, then per entry its echo and the entry itself, all in one shell. On SIGTERM the shell ends with a
/// normal exit, without showing the text.
std::string shell_script(const Shell& shell, const std::vector<std::string>& entries,
                         const ScriptOptions& options);

}  // namespace runner::engine
