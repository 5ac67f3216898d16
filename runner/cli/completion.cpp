#include <cstdio>
#include <string>

#include "runner/base/text.h"
#include "runner/cli/commands.h"

namespace runner::cli {
namespace {

// Options whose value is the name of a job, and those whose value is a path.
bool takes_job(const OptionInfo& option) {
  return option.value == "JOB";
}
bool takes_path(const OptionInfo& option) {
  return option.value == "FILE" || option.value == "DIR";
}

std::string all_commands(const std::vector<CommandInfo>& commands) {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CommandInfo& command : commands) names.push_back(command.name);
  return join(names, " ");
}

// "--file|-f|--report"
std::string pattern(const CommandInfo& command, bool (*wanted)(const OptionInfo&)) {
  std::vector<std::string> names;
  for (const OptionInfo& option : command.options) {
    if (wanted(option)) names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return join(names, "|");
}

// What completes the words that are no options, as a command of bash. Empty: nothing.
std::string bash_positional(const CommandInfo& command, const std::vector<CommandInfo>& all) {
  if (command.positional == "JOB") return "_runner_jobs";
  if (command.positional == "KEY") return "_runner_keys";
  if (command.positional == "ARTIFACT") return "_runner_artifacts";
  if (command.positional == "FILE") return "COMPREPLY=($(compgen -f -- \"$cur\"))";
  if (command.positional == "SHELL") return "COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\"))";
  if (command.positional == "COMMAND") {
    return "COMPREPLY=($(compgen -W '" + all_commands(all) + "' -- \"$cur\"))";
  }
  return {};
}

// One branch of a `case` of bash, for a command that has options.
std::string bash_branch(const CommandInfo& command, const std::vector<CommandInfo>& all) {
  std::vector<std::string> names;
  std::string out = "    " + command.name + ")\n      case $prev in\n";
  for (const OptionInfo& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (option.choices.empty()) continue;
    out += "        " + join(option.names, "|") + ") COMPREPLY=($(compgen -W '" + join(option.choices, " ") +
           "' -- \"$cur\")); return ;;\n";
  }
  if (const std::string paths = pattern(command, takes_path); !paths.empty()) {
    out += "        " + paths + ") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n";
  }
  if (const std::string jobs = pattern(command, takes_job); !jobs.empty()) {
    out += "        " + jobs + ") _runner_jobs; return ;;\n";
  }
  out += "        *) ;;\n      esac\n      if [[ $cur == -* ]]; then\n        COMPREPLY=($(compgen -W '" +
         join(names, " ") + "' -- \"$cur\"))\n";
  if (const std::string words = bash_positional(command, all); !words.empty()) {
    out += "      else\n        " + words + "\n";
  }
  return out + "      fi ;;\n";
}

// The second word, then as bash_branch() for each of the family.
std::string bash_family(const CommandInfo& family, const std::vector<CommandInfo>& all) {
  std::string out = "    " + family.name +
                    ")\n      if [ \"$COMP_CWORD\" -eq 2 ]; then\n        COMPREPLY=($(compgen -W '" +
                    all_commands(family.commands) +
                    " --help' -- \"$cur\"))\n        return\n      fi\n      case ${COMP_WORDS[2]} in\n";
  for (const CommandInfo& member : family.commands) out += bash_branch(member, all);
  return out + "      esac ;;\n";
}

std::string bash_script(const std::vector<CommandInfo>& commands) {
  std::string out =
      "# bash completion for runner\n"
      "_runner_lines() {\n"
      "  local IFS=$'\\n' name\n"
      "  for name in $(\"$@\" 2>/dev/null); do\n"
      "    [[ $name == \"$cur\"* ]] && COMPREPLY+=(\"$(printf '%q' \"$name\")\")\n"
      "  done\n"
      "}\n"
      "_runner_jobs() { _runner_lines runner exec --list --quiet; }\n"
      "_runner_keys() { _runner_lines runner cache list --quiet; }\n"
      "_runner_artifacts() { _runner_lines runner artifact list --quiet; }\n"
      "_runner() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W '" +
      all_commands(commands) + " --help --version' -- \"$cur\"))\n    return\n  fi\n  case $command in\n";
  for (const CommandInfo& command : commands) {
    out += command.commands.empty() ? bash_branch(command, commands) : bash_family(command, commands);
  }
  return out + "  esac\n}\ncomplete -F _runner runner\n";
}

// For zsh's _arguments: brackets and colons end a description, quotes the word.
std::string zsh_text(std::string_view text) {
  return replace_all(replace_all(replace_all(replace_all(text, "'", ""), "[", "("), "]", ")"), ":", ";");
}

std::string zsh_action(const OptionInfo& option) {
  if (option.value.empty()) return {};
  std::string action;
  if (!option.choices.empty()) action = "(" + join(option.choices, " ") + ")";
  if (takes_job(option)) action = "_runner_jobs";
  if (takes_path(option)) action = option.value == "DIR" ? "_files -/" : "_files";
  return ":" + zsh_text(option.value) + ":" + action;
}

// A branch of a `case` of zsh, for a command that has options; its name is the first of $words.
std::string zsh_branch(const CommandInfo& command, const std::vector<CommandInfo>& all) {
  std::string out = "    " + command.name + ") _arguments";
  for (const OptionInfo& option : command.options) {
    const std::string many =
        option.value == "K=V" || takes_job(option) || option.value == "NAME[=VALUE]" ? "*" : "";
    for (const std::string& name : option.names) {
      out += " \\\n      '" + many + name + "[" + zsh_text(option.help) + "]" + zsh_action(option) + "'";
    }
  }
  if (command.positional == "JOB") out += " \\\n      '*:job:_runner_jobs'";
  if (command.positional == "KEY") out += " \\\n      '*:key:_runner_keys'";
  if (command.positional == "ARTIFACT") out += " \\\n      '*:artifact:_runner_artifacts'";
  if (command.positional == "FILE") out += " \\\n      '1:file:_files'";
  if (command.positional == "SHELL") out += " \\\n      '1:shell:(bash zsh fish)'";
  if (command.positional == "COMMAND") out += " \\\n      '1:command:(" + all_commands(all) + ")'";
  return out + " ;;\n";
}

// "list:list the caches ..." for _describe, into the array `commands`.
std::string zsh_names(const std::vector<CommandInfo>& commands) {
  std::string out = "  commands=(\n";
  for (const CommandInfo& command : commands) {
    out += "    '" + command.name + ":" + zsh_text(command.help) + "'\n";
  }
  return out + "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n";
}

std::string zsh_family(const CommandInfo& family, const std::vector<CommandInfo>& all) {
  std::string out = "    " + family.name + ")\n" + zsh_names(family.commands) +
                    "  shift words\n  (( CURRENT-- ))\n  case $words[1] in\n";
  for (const CommandInfo& member : family.commands) out += zsh_branch(member, all);
  return out + "  esac ;;\n";
}

std::string zsh_script(const std::vector<CommandInfo>& commands) {
  std::string out =
      "#compdef runner\n"
      "_runner_jobs() {\n"
      "  local -a jobs\n"
      "  jobs=(${(f)\"$(runner exec --list --quiet 2>/dev/null)\"})\n"
      "  compadd -a jobs\n"
      "}\n"
      "_runner_keys() {\n"
      "  local -a keys\n"
      "  keys=(${(f)\"$(runner cache list --quiet 2>/dev/null)\"})\n"
      "  compadd -a keys\n"
      "}\n"
      "_runner_artifacts() {\n"
      "  local -a artifacts\n"
      "  artifacts=(${(f)\"$(runner artifact list --quiet 2>/dev/null)\"})\n"
      "  compadd -a artifacts\n"
      "}\n"
      "_runner() {\n"
      "  local -a commands\n" +
      zsh_names(commands) +
      "  local command=$words[2]\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $command in\n";
  for (const CommandInfo& command : commands) {
    out += command.commands.empty() ? zsh_branch(command, commands) : zsh_family(command, commands);
  }
  return out +
         "  esac\n}\nif [ \"$funcstack[1]\" = _runner ]; then _runner \"$@\"; else compdef _runner runner; "
         "fi\n";
}

std::string fish_text(std::string_view text) {
  return "'" + replace_all(text, "'", "\\'") + "'";
}

// Options and words of a command; `seen` is fish's condition that it was typed.
std::string fish_command(const CommandInfo& command, const std::string& seen,
                         const std::vector<CommandInfo>& all) {
  std::string out;
  for (const OptionInfo& option : command.options) {
    out += "complete -c runner" + seen;
    for (const std::string& name : option.names) {
      out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    out += " -d " + fish_text(option.help);
    if (!option.choices.empty()) {
      out += " -x -a " + fish_text(join(option.choices, " "));
    } else if (takes_job(option)) {
      out += " -x -a '(__runner_jobs)'";
    } else if (takes_path(option)) {
      out += " -r -F";
    } else if (!option.value.empty()) {
      out += " -x";
    }
    out += "\n";
  }
  if (command.positional == "JOB") out += "complete -c runner" + seen + " -a '(__runner_jobs)'\n";
  if (command.positional == "KEY") out += "complete -c runner" + seen + " -a '(__runner_keys)'\n";
  if (command.positional == "ARTIFACT") out += "complete -c runner" + seen + " -a '(__runner_artifacts)'\n";
  if (command.positional == "FILE") out += "complete -c runner" + seen + " -F\n";
  if (command.positional == "SHELL") out += "complete -c runner" + seen + " -a 'bash zsh fish'\n";
  if (command.positional == "COMMAND" && command.commands.empty()) {
    out += "complete -c runner" + seen + " -a " + fish_text(all_commands(all)) + "\n";
  }
  return out;
}

std::string fish_family(const CommandInfo& family, const std::vector<CommandInfo>& all) {
  // By position: a job or a key may be called as a command is.
  const std::string first = "__runner_words " + family.name;
  std::string out;
  for (const CommandInfo& member : family.commands) {
    out += "complete -c runner -n '" + first + "' -a " + member.name + " -d " + fish_text(member.help) + "\n";
    out += fish_command(member, " -n '" + first + " " + member.name + "'", all);
  }
  return out;
}

std::string fish_script(const std::vector<CommandInfo>& commands) {
  std::string out =
      "# fish completion for runner\n"
      "function __runner_jobs; runner exec --list --quiet 2>/dev/null; end\n"
      "function __runner_keys; runner cache list --quiet 2>/dev/null; end\n"
      "function __runner_artifacts; runner artifact list --quiet 2>/dev/null; end\n"
      "# The words so far are these; of a family without its second word: exactly these.\n"
      "function __runner_words\n"
      "  set -l words (commandline -opc)\n"
      "  test (count $argv) -eq 1; and begin; test \"$words[2..-1]\" = \"$argv\"; return $status; end\n"
      "  test \"$words[2..3]\" = \"$argv\"\n"
      "end\n"
      "complete -c runner -f\n";
  for (const CommandInfo& command : commands) {
    out += "complete -c runner -n __fish_use_subcommand -a " + command.name + " -d " +
           fish_text(command.help) + "\n";
    out += command.commands.empty()
               ? fish_command(command, " -n '__fish_seen_subcommand_from " + command.name + "'", commands)
               : fish_family(command, commands);
  }
  return out;
}

}  // namespace

int run_completion(const CompletionOptions& options) {
  const std::vector<CommandInfo> commands = describe_commands();
  std::string script;
  switch (options.shell) {
    case Shell::bash:
      script = bash_script(commands);
      break;
    case Shell::zsh:
      script = zsh_script(commands);
      break;
    case Shell::fish:
      script = fish_script(commands);
      break;
  }
  std::fputs(script.c_str(), stdout);
  return exit_success;
}

}  // namespace runner::cli
