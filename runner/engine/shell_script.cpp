#include "runner/engine/shell_script.h"

#include <unistd.h>

#include <string_view>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

constexpr std::string_view kDirectories[] = {"/usr/local/bin/", "/usr/bin/", "/bin/"};

/// In single quotes, always: shell_quote leaves harmless words alone, which an echo must not depend on.
std::string single_quoted(std::string_view text) {
  return "'" + replace_all(text, "'", "'\\''") + "'";
}

std::string prologue(const Shell& shell, const ScriptOptions& options) {
  std::string text = "trap 'exit 143' TERM\n";
  if (shell.bash) {
    text += "set -o pipefail\n";
  } else {
    text += "if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\n";
  }
  text += "set -o errexit\nset +o noclobber\n";
  for (const auto& [name, value] : options.shell_only) text += name + "=" + single_quoted(value) + "\n";
  if (options.trace) text += "set -o xtrace\n";
  return text;
}

std::string green(std::string_view text) {
  return "\x1b[32;1m" + std::string(text) + "\x1b[0;m";
}

std::string echo(std::string_view line) {
  return "printf '%s\\n' " + single_quoted(line) + "\n";
}

std::string section_echo(std::string_view entry, std::size_t number) {
  const std::string name = "script_step_" + std::to_string(number);
  return "printf '\\033[0Ksection_start:%s:" + name +
         "[hide_duration=true,collapsed=true]\\r\\033[0K%s\\n' " + "\"$(date +%s)\" " +
         single_quoted(green("$ " + std::string(entry))) + "\n";
}

std::string section_end(std::size_t number) {
  return "printf '\\033[0Ksection_end:%s:script_step_" + std::to_string(number) +
         "\\r\\033[0K' \"$(date +%s)\"\n";
}

void add_entry(std::string& text, std::string_view entry, std::size_t number, const ScriptOptions& options) {
  const std::size_t newline = entry.find('\n');
  const bool section = options.sections && newline != std::string_view::npos && !options.trace;
  if (!options.trace) {
    if (entry.empty()) {
      text += "echo\n";
    } else if (section) {
      text += section_echo(entry, number);
    } else if (newline == std::string_view::npos) {
      text += echo(green("$ " + std::string(entry)));
    } else {
      text += echo(green("$ " + std::string(entry.substr(0, newline)) + " # collapsed multi-line command"));
    }
  }
  text += entry;
  text += '\n';
  if (options.check_exit_code) {
    text += "_runner_exit_code=$?; if [ $_runner_exit_code -ne 0 ]; then exit $_runner_exit_code; fi\n";
  }
  if (section) text += section_end(number);
}

}  // namespace

Shell find_shell() {
  for (const char* name : {"bash", "sh"}) {
    for (const std::string_view directory : kDirectories) {
      std::string path = std::string(directory) + name;
      if (::access(path.c_str(), X_OK) == 0) return {std::move(path), std::string_view(name) == "bash"};
    }
  }
  throw Error(ErrorCode::unavailable, "this machine has neither bash nor sh in its system directories");
}

std::vector<std::string> find_and_run(const std::string& script) {
  return {"sh", "-c",
          "for s in /usr/local/bin/bash /usr/bin/bash /bin/bash /usr/local/bin/sh /usr/bin/sh /bin/sh "
          "/busybox/sh; do\n"
          "  if [ -x \"$s\" ]; then exec \"$s\" \"$0\"; fi\n"
          "done\n"
          "echo 'shell not found: the image has neither bash nor sh where shells are'; exit 1",
          script};
}

std::string shell_script(const Shell& shell, const std::vector<std::string>& entries,
                         const ScriptOptions& options) {
  std::string text = prologue(shell, options);
  std::size_t number = 0;
  for (const std::string& entry : entries) add_entry(text, trim(entry), number++, options);
  return text;
}

}  // namespace runner::engine
