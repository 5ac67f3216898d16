#include "executors/containers/step_script.h"

#include <algorithm>
#include <iterator>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

// Shells keep some of these for themselves, and end a script that assigns them; others would change how the
// rest of the text is read.
constexpr std::string_view kOfShells[] = {
    "BASHOPTS", "BASH_ENV", "BASH_VERSINFO", "DIRSTACK",        "ENV",  "EUID", "FUNCNAME",  "GROUPS", "IFS",
    "LINENO",   "OLDPWD",   "OPTIND",        "POSIXLY_CORRECT", "PPID", "PWD",  "SHELLOPTS", "UID"};

bool can_be_exported(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name == "_" || !letter(name[0])) return false;
  if (!std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); })) return false;
  return std::find(std::begin(kOfShells), std::end(kOfShells), name) == std::end(kOfShells);
}

void check_text(const std::string& text, const std::string& what) {
  if (text.find('\0') != std::string::npos)
    throw Error(ErrorCode::invalid_input, what + " has a zero byte in it, which no process can be given");
}

}  // namespace

std::string step_script(const StepSpec& step, const std::filesystem::path& workspace) {
  if (step.argv.empty() || step.argv[0].empty())
    throw Error(ErrorCode::invalid_input, "step '" + step.id.value + "' has no command");
  std::string script;
  if (!step.cwd.empty() && step.cwd != workspace) {
    check_text(step.cwd.native(), "the directory of step '" + step.id.value + "'");
    // Without OLDPWD, as there was no directory before.
    script += "cd -- " + shell_quote(step.cwd.native()) + " || exit 126\nunset OLDPWD\n";
  }
  std::string by_env;
  for (const auto& [name, value] : step.env) {
    if (name.empty() || name.find('=') != std::string::npos)
      throw Error(ErrorCode::invalid_input, "no variable can be called " + in_quotes(name));
    check_text(name, "the name of a variable");
    check_text(value, "the variable '" + name + "'");
    if (can_be_exported(name)) {
      script += "export " + name + "=" + shell_quote(value) + "\n";
    } else {
      by_env += " " + shell_quote(name + "=" + value);
    }
  }
  script += by_env.empty() ? "exec" : "exec env" + by_env;
  for (const std::string& word : step.argv) {
    check_text(word, "the command of step '" + step.id.value + "'");
    script += " " + shell_quote(word);
  }
  // One pipe for both streams: engines read two of them, and mix up what was written when.
  return script + " 2>&1\n";
}

}  // namespace runner::executors
