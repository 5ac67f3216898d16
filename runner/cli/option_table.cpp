#include "runner/cli/option_table.h"

#include <algorithm>
#include <array>
#include <vector>

#include "runner/base/text.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhat = "What to run";
constexpr std::string_view kLook = "Look without running";
constexpr std::string_view kCommit = "What the pipeline is told";
constexpr std::string_view kHow = "How to run it";
constexpr std::string_view kOutput = "Output";

constexpr std::array<OptionSpec, 26> kExecOptions{{
    {"-f,--file", "FILE", kWhat,
     "pipeline file; default: the first of .runner.yml and .gitlab-ci.yml that exists", ""},
    {"--manual", "JOB", kWhat, "also start this manual job; may be repeated", ""},
    {"--list", "", kLook, "name the jobs of the pipeline; with --quiet only their names", ""},
    {"--plan", "", kLook, "show stages, jobs and what each of them waits for", ""},
    {"--explain", "JOB", kLook, "tell why a job is in the pipeline or not: which rule, which files", ""},
    {"--var", "K=V", kCommit, "set a variable, above those of the file; may be repeated", ""},
    {"--secret", "NAME[=VALUE]", kCommit,
     "set a variable and mask its value in all output; without =VALUE it is taken from the environment", ""},
    {"--commit", "REV", kCommit,
     "run the pipeline of this commit from a clean checkout, as a server would; default: the files as they "
     "are",
     ""},
    {"--branch", "NAME", kCommit, "plan as for this branch; default: the one checked out", ""},
    {"--tag", "NAME", kCommit, "plan as for this tag", ""},
    {"--source", "NAME", kCommit, "what started the pipeline (CI_PIPELINE_SOURCE); default: push", ""},
    {"--executor", "KIND", kHow,
     "auto: jobs with an image in containers of docker or podman, others on this machine; shell: all on this "
     "machine; container: all in containers, with --image for those that name none",
     "auto,shell,container"},
    {"--image", "NAME", kHow, "of jobs that name none: they run in a container, too", ""},
    {"--pull-policy", "POLICY", kHow, "of images whose job says nothing; default: if-not-present",
     "always,if-not-present,never"},
    {"--engine-socket", "", kHow,
     "give jobs in containers the engine's own socket, for 'docker build' in scripts: they are its masters "
     "then",
     ""},
    {"--shell-on-failure", "", kHow,
     "when a script fails, open a shell where it ran, with its environment, before the run goes on; needs a "
     "terminal",
     ""},
    {"-j,--jobs", "N", kHow, "jobs at the same time; default: the number of cores, at least 4", ""},
    {"--timeout", "DURATION", kHow, "of jobs without their own, such as 30m; default: 1h", ""},
    {"--max-artifact-size", "SIZE", kHow, "a job that leaves more, such as 500MB, fails; default: no limit",
     ""},
    {"-C", "DIR", kHow, "go to this directory first", ""},
    {"--data", "DIR", kHow,
     "where caches and artifacts are kept; default: $RUNNER_DATA, else the user's data directory", ""},
    {"--report", "FILE", kOutput, "write statuses and logs of all jobs as JSON", ""},
    {"--json", "", kOutput, "print one JSON document instead of text", ""},
    {"-q,--quiet", "", kOutput, "say nothing but what failed", ""},
    {"--no-color", "", kOutput, "no colours; also NO_COLOR, and CLICOLOR_FORCE to have them in a pipe", ""},
    {"-h,--help", "", kOutput, "this text", ""},
}};

constexpr std::array<OptionSpec, 4> kLintOptions{{
    {"-C", "DIR", kHow, "go to this directory first", ""},
    {"--json", "", kOutput, "print the findings as a JSON array", ""},
    {"--no-color", "", kOutput, "no colours; also NO_COLOR", ""},
    {"-h,--help", "", kOutput, "this text", ""},
}};

constexpr std::array<OptionSpec, 4> kDoctorOptions{{
    {"--data", "DIR", kHow, "the data directory to look at; default: $RUNNER_DATA, else the user's", ""},
    {"--json", "", kOutput, "print one JSON object", ""},
    {"--no-color", "", kOutput, "no colours; also NO_COLOR", ""},
    {"-h,--help", "", kOutput, "this text", ""},
}};

constexpr std::array<OptionSpec, 2> kVersionOptions{{
    {"--json", "", kOutput, "print a JSON object", ""},
    {"-h,--help", "", kOutput, "this text", ""},
}};

constexpr std::array<OptionSpec, 1> kHelpOnly{{
    {"-h,--help", "", kOutput, "this text", ""},
}};

constexpr std::string_view kExecText =
    "Runs the pipeline of this working tree, here: what is committed, plus what you changed since, without "
    "the\n"
    "files git ignores. Jobs work in private copies; the working tree is never written to. With job names, "
    "exactly\n"
    "these run; the base name of a parallel job stands for all its instances.\n"
    "\n"
    "Exit codes: 0 success (also when only manual jobs wait), 1 the pipeline failed or was canceled, 2 the "
    "pipeline\n"
    "or the command line is invalid, 3 the machinery failed.";

constexpr std::string_view kExecExamples =
    "  runner exec                          the whole pipeline\n"
    "  runner exec build test               these two jobs only\n"
    "  runner exec --manual deploy          the pipeline, and the manual job 'deploy' in it\n"
    "  runner exec --explain deploy         why is 'deploy' in the pipeline, or not?\n"
    "  runner exec --tag v1.2.0 --plan      what would a tag run?\n"
    "  runner exec --secret API_TOKEN       pass $API_TOKEN on, masked in all output\n";

constexpr std::string_view kLintText =
    "Checks a pipeline file and prints nothing when all is well. What is wrong goes to standard error as\n"
    "file:line:column, all of it at once.\n"
    "\n"
    "Exit codes: 0 no errors, 2 errors, 3 the machinery failed.";

constexpr std::string_view kLintExamples =
    "  runner lint                          the pipeline of this repository\n"
    "  runner lint ci/release.yml           another file\n"
    "  runner lint --json | jq '.[].id'     for programs\n";

constexpr std::string_view kCacheText =
    "Caches are what jobs keep under a key for later pipelines. They are stored once, as layers that a "
    "job's\n"
    "workspace is stacked from, in the data directory.";

constexpr std::string_view kArtifactText =
    "What the jobs of 'runner exec' left: archives of their artifacts and reports. A job's name stands for "
    "what it\n"
    "left last.";

constexpr std::string_view kProjectText =
    "The repositories that a server ('runner serve') watches and runs pipelines for.";

constexpr std::string_view kPipelineText = "Pipelines of a server ('runner serve'): start, follow, cancel.";

constexpr std::string_view kScheduleText =
    "Pipelines that a server ('runner serve') starts by the clock: each night, each Monday, each hour.";

constexpr std::string_view kVariableText =
    "What a server ('runner serve') gives the jobs of a project and keeps sealed: passwords, keys, settings.";

constexpr std::string_view kJobText = "Jobs of a server's pipelines: their logs, and what to do with them.";

constexpr std::string_view kEnvText =
    "Where a server's ('runner serve') pipelines deploy to: what runs there, who may change it and when.";

constexpr std::string_view kDeployText =
    "Deployments to protected environments: what waits for whom. 'runner approve' and 'runner reject' answer "
    "it.";

constexpr std::string_view kUserText = "Who may use a server ('runner serve'), and for what.";

constexpr std::string_view kRoleText =
    "What users of a server may: permissions by name, to be granted for all projects, one, or one "
    "environment\n"
    "('runner user set NAME --grant').";

constexpr std::string_view kTokenText =
    "What programs and other machines show a server to be let in, in $RUNNER_TOKEN.";

constexpr std::string_view kDoctorText =
    "Looks at what runs depend on: kernel, data directory, how workspaces are mounted and why not better, "
    "layers, git,\n"
    "shell and container engines. One line each: ok, warning or problem, and what to do about it.\n"
    "\n"
    "Exit codes: 0 no problem (there may be warnings), 1 a problem.";

constexpr std::string_view kDoctorExamples =
    "  runner doctor                        is all well here?\n"
    "  runner doctor --data /srv/runner     would it be well there?\n"
    "  runner doctor --json | jq -e .healthy\n";

constexpr std::string_view kCompletionText =
    "Prints a script that makes the shell complete commands, options and job names.";

constexpr std::string_view kCompletionExamples =
    "  source <(runner completion bash)\n"
    "  runner completion zsh > \"${fpath[1]}/_runner\"\n"
    "  runner completion fish > ~/.config/fish/completions/runner.fish\n";

constexpr std::string_view kAuditText =
    "Who did what on a server, and was let or not; each record has the hash of the one before it in its own. "
    "For admins.";

constexpr std::string_view kKeysText =
    "The keys that a server ('runner serve') seals its secrets with. They are files in secrets/ of its data\n"
    "directory: who has them and its database has every secret, so they are in no backup beside it.";

const std::array<CommandSpec, 23> kCommands{{
    {"exec", "[JOB...] [options]", "run the pipeline of this working tree", kExecText, kExecExamples, "JOB",
     true, kExecOptions, nullptr},
    serve_command(),
    {"lint", "[FILE] [options]", "check a pipeline file", kLintText, kLintExamples, "FILE", false,
     kLintOptions, nullptr},
    {"cache", "COMMAND", "look at what is kept between pipelines, and clean up", kCacheText, "", "", false,
     kHelpOnly, cache_commands},
    {"artifact", "COMMAND", "list and fetch what jobs left", kArtifactText, "", "", false, kHelpOnly,
     artifact_commands},
    {"project", "COMMAND", "repositories that a server watches", kProjectText, "", "", false, kHelpOnly,
     project_commands},
    {"pipeline", "COMMAND", "start, watch and cancel pipelines on a server", kPipelineText, "", "", false,
     kHelpOnly, pipeline_commands},
    {"schedule", "COMMAND", "pipelines that a server starts by the clock", kScheduleText, "", "", false,
     kHelpOnly, schedule_commands},
    {"variable", "COMMAND", "passwords and settings for the jobs of a project", kVariableText, "", "", false,
     kHelpOnly, variable_commands},
    {"job", "COMMAND", "logs of jobs on a server; play, retry, cancel", kJobText, "", "", false, kHelpOnly,
     job_commands},
    {"env", "COMMAND", "where a server deploys to, and who may", kEnvText, "", "", false, kHelpOnly,
     environment_commands},
    {"deploy", "COMMAND", "deployments that wait on a server", kDeployText, "", "", false, kHelpOnly,
     deploy_commands},
    approve_command(),
    reject_command(),
    {"user", "COMMAND", "who may use a server", kUserText, "", "", false, kHelpOnly, user_commands},
    {"role", "COMMAND", "what users may", kRoleText, "", "", false, kHelpOnly, role_commands},
    {"token", "COMMAND", "what programs are let in with", kTokenText, "", "", false, kHelpOnly,
     token_commands},
    {"audit", "COMMAND", "who did what on a server", kAuditText, "", "", false, kHelpOnly, audit_commands},
    {"keys", "COMMAND", "what a server's secrets are sealed with", kKeysText, "", "", false, kHelpOnly,
     key_commands},
    {"doctor", "[options]", "say what is wrong with this machine", kDoctorText, kDoctorExamples, "", false,
     kDoctorOptions, nullptr},
    {"version", "[--json]", "print the version", "", "", "", false, kVersionOptions, nullptr},
    {"completion", "bash|zsh|fish", "print a completion script for a shell", kCompletionText,
     kCompletionExamples, "SHELL", false, kHelpOnly, nullptr},
    {"help", "[COMMAND]", "explain a command", "", "", "COMMAND", true, kHelpOnly, nullptr},
}};

constexpr std::size_t kHelpColumn = 26;
constexpr std::size_t kHelpWidth = 100;

// "  -f, --file FILE         text", the text wrapped in its column.
void append_option(std::string& out, std::string_view left, std::string_view help) {
  std::string line = "  " + std::string(left);
  if (line.size() + 2 > kHelpColumn) {
    out += line + "\n";
    line.clear();
  }
  line.resize(kHelpColumn, ' ');
  bool empty = true;
  for (const std::string_view word : split_words(help)) {
    if (!empty && line.size() + 1 + word.size() > kHelpWidth) {
      out += line + "\n";
      line.assign(kHelpColumn, ' ');
      empty = true;
    }
    if (!empty) line += ' ';
    line += word;
    empty = false;
  }
  out += line + "\n";
}

std::string left_column(const OptionSpec& option) {
  std::string left = replace_all(option.names, ",", ", ");
  // Long-only options line up under the long names of those that have both.
  if (left.starts_with("--")) left = "    " + left;
  if (option.value.empty()) return left;
  return left + " " +
         (option.choices.empty() ? std::string(option.value) : replace_all(option.choices, ",", "|"));
}

}  // namespace

std::span<const CommandSpec> command_table() {
  return kCommands;
}

const CommandSpec* find_command(std::string_view name) {
  const std::string_view first = name.substr(0, name.find(' '));
  for (const CommandSpec& command : kCommands) {
    if (command.name != first) continue;
    if (first == name) return &command;
    if (command.family == nullptr) return nullptr;
    for (const CommandSpec& member : command.family()) {
      if (member.name == name) return &member;
    }
  }
  return nullptr;
}

std::string_view last_word(const CommandSpec& command) {
  return command.name.substr(command.name.rfind(' ') + 1);
}

std::string overview_help() {
  std::string out =
      "runner: CI/CD in one program. Runs the repository's .gitlab-ci.yml, unmodified.\n"
      "\n"
      "Usage: runner COMMAND [options]\n"
      "\n"
      "Commands:\n";
  for (const CommandSpec& command : kCommands) append_option(out, command.name, command.summary);
  out +=
      "\n"
      "Start here:\n"
      "  runner exec --list       the jobs of this repository's pipeline\n"
      "  runner exec              run them\n"
      "  runner serve             watch repositories and run the pipelines of what is pushed\n"
      "\n"
      "'runner COMMAND --help' tells more about each command.\n";
  return out;
}

std::string command_help(const CommandSpec& command) {
  std::string out = "Usage: runner " + std::string(command.name) + " " + std::string(command.usage) + "\n\n";
  if (command.text.empty()) {
    out += std::string(command.summary) + "\n";
  } else {
    out += std::string(command.text) + "\n";
  }
  if (command.family != nullptr) {
    out += "\nCommands:\n";
    for (const CommandSpec& member : command.family()) append_option(out, last_word(member), member.summary);
    out += "\n'runner " + std::string(command.name) + " COMMAND --help' tells more about each of them.\n";
    return out;
  }
  std::vector<std::string_view> groups;
  for (const OptionSpec& option : command.options) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  }
  for (const std::string_view group : groups) {
    out += "\n" + std::string(group) + ":\n";
    for (const OptionSpec& option : command.options) {
      if (option.group == group) append_option(out, left_column(option), option.help);
    }
  }
  if (!command.examples.empty()) out += "\nExamples:\n" + std::string(command.examples);
  return out;
}

}  // namespace runner::cli
