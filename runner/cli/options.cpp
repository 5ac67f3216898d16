#include "runner/cli/options.h"

#include <algorithm>
#include <array>

#include "runner/base/duration.h"
#include "runner/base/text.h"
#include "runner/cli/artifact_options.h"
#include "runner/cli/audit_options.h"
#include "runner/cli/cache_options.h"
#include "runner/cli/client_options.h"
#include "runner/cli/deploy_options.h"
#include "runner/cli/key_options.h"
#include "runner/cli/option_table.h"
#include "runner/cli/raw_arguments.h"
#include "runner/cli/schedule_options.h"
#include "runner/cli/serve_options.h"
#include "runner/cli/variable_options.h"

namespace runner::cli {
namespace {

/// What the dialect knows as CI_PIPELINE_SOURCE.
constexpr std::array<std::string_view, 14> kSources{"api",
                                                    "chat",
                                                    "external",
                                                    "external_pull_request_event",
                                                    "merge_request_event",
                                                    "ondemand_dast_scan",
                                                    "parent_pipeline",
                                                    "pipeline",
                                                    "push",
                                                    "schedule",
                                                    "security_orchestration_policy",
                                                    "trigger",
                                                    "web",
                                                    "webide"};

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
         std::string_view::npos;
}

std::optional<UsageError> take_assignments(const RawArguments& raw, ExecOptions& options) {
  for (const std::string& word : raw.all("--var")) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || !is_variable_name(std::string_view(word).substr(0, equals))) {
      return UsageError{"'--var " + word + "' is no assignment", "write --var NAME=VALUE"};
    }
    options.variables.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  for (const std::string& word : raw.all("--secret")) {
    const std::size_t equals = word.find('=');
    SecretOption secret{word.substr(0, equals), std::nullopt};
    // The word itself is not shown: it may hold the secret.
    if (!is_variable_name(secret.name))
      return UsageError{"'--secret' got no variable name", "write --secret NAME"};
    if (equals != std::string::npos) secret.value = word.substr(equals + 1);
    options.secrets.push_back(std::move(secret));
  }
  return std::nullopt;
}

std::optional<UsageError> take_execution(const RawArguments& raw, ExecOptions& options) {
  if (raw.has("--executor")) {
    const std::string kind = raw.last("--executor");
    if (kind == "shell") {
      options.executor = ExecutorChoice::shell;
    } else if (kind == "container") {
      options.executor = ExecutorChoice::container;
    } else if (kind != "auto") {
      return UsageError{"unknown executor '" + kind + "'", "allowed are auto, shell and container"};
    }
  }
  options.image = raw.last("--image");
  if (raw.has("--image") && options.image.empty())
    return UsageError{"'--image' got no name", "write --image NAME, such as --image debian:12"};
  if (!options.image.empty() && options.executor == ExecutorChoice::shell)
    return UsageError{"'--image' and '--executor shell' exclude each other", ""};
  options.engine_socket = raw.has("--engine-socket");
  if (options.engine_socket && options.executor == ExecutorChoice::shell)
    return UsageError{"'--engine-socket' and '--executor shell' exclude each other", ""};
  options.shell_on_failure = raw.has("--shell-on-failure");
  if (options.shell_on_failure && raw.has("--json"))
    return UsageError{"'--shell-on-failure' and '--json' exclude each other", "write the report by --report"};
  options.pull_policy = raw.last("--pull-policy");
  if (raw.has("--pull-policy") && options.pull_policy != "always" &&
      options.pull_policy != "if-not-present" && options.pull_policy != "never") {
    return UsageError{"unknown pull policy '" + options.pull_policy + "'",
                      "allowed are always, if-not-present and never"};
  }
  if (raw.has("--jobs")) {
    const auto count = parse_integer(raw.last("--jobs"));
    if (!count || *count < 1 || *count > 10'000) {
      return UsageError{"'--jobs " + raw.last("--jobs") + "' is no number of jobs",
                        "write a number from 1 to 10000"};
    }
    options.parallel = static_cast<std::size_t>(*count);
  }
  if (raw.has("--max-artifact-size")) {
    const auto bytes = parse_bytes(raw.last("--max-artifact-size"));
    if (!bytes) {
      return UsageError{"'--max-artifact-size " + raw.last("--max-artifact-size") + "' is no size",
                        "write it like 500MB or 2 GiB"};
    }
    options.max_artifact_bytes = *bytes;
  }
  if (raw.has("--timeout")) {
    options.timeout = parse_duration(raw.last("--timeout"));
    if (!options.timeout) {
      return UsageError{"'--timeout " + raw.last("--timeout") + "' is no duration",
                        "write it like 90s, 30m or 1h 30m"};
    }
  }
  return std::nullopt;
}

Command exec_command(RawArguments raw) {
  ExecOptions options;
  if (auto error = take_pipeline_facts(raw, options)) return *error;
  if (auto error = take_execution(raw, options)) return *error;
  options.jobs = std::move(raw.positional);
  options.manual = raw.all("--manual");
  options.list = raw.has("--list");
  options.plan = raw.has("--plan");
  if (raw.has("--explain")) options.explain = raw.last("--explain");
  if (int{options.list} + int{options.plan} + int{options.explain.has_value()} > 1) {
    return UsageError{"'--list', '--plan' and '--explain' exclude each other", ""};
  }
  options.json = raw.has("--json");
  options.quiet = raw.has("--quiet");
  options.no_color = raw.has("--no-color");
  options.report = raw.last("--report");
  options.data = raw.last("--data");
  options.directory = raw.last("-C");
  return options;
}

Command lint_command(RawArguments raw) {
  LintOptions options;
  if (!raw.positional.empty()) options.file = raw.positional.front();
  options.json = raw.has("--json");
  options.no_color = raw.has("--no-color");
  options.directory = raw.last("-C");
  return options;
}

Command doctor_command(const RawArguments& raw) {
  DoctorOptions options;
  options.json = raw.has("--json");
  options.no_color = raw.has("--no-color");
  options.data = raw.last("--data");
  return options;
}

Command completion_command(const RawArguments& raw) {
  if (raw.positional.empty()) return UsageError{"no shell named", "write bash, zsh or fish"};
  const std::string& shell = raw.positional.front();
  if (shell == "bash") return CompletionOptions{Shell::bash};
  if (shell == "zsh") return CompletionOptions{Shell::zsh};
  if (shell == "fish") return CompletionOptions{Shell::fish};
  return UsageError{"unknown shell '" + shell + "'", "allowed are bash, zsh and fish"};
}

UsageError unknown_word(std::string_view what, std::string_view word, std::span<const CommandSpec> there,
                        const std::string& otherwise) {
  std::vector<std::string_view> names;
  for (const CommandSpec& command : there) names.push_back(last_word(command));
  const auto near = nearest(word, names);
  return {"unknown " + std::string(what) + " '" + std::string(word) + "'",
          near ? "did you mean '" + std::string(*near) + "'?" : otherwise};
}

UsageError unknown_command(std::string_view word) {
  return unknown_word("command", word, command_table(), "'runner --help' lists the commands");
}

// `family` is a first word, `word` no second one of it.
UsageError unknown_member(const CommandSpec& family, std::string_view word) {
  const std::string hint = "'runner " + std::string(family.name) + " --help' lists the commands";
  if (word.starts_with('-')) return {"unknown option '" + std::string(word) + "'", hint};
  return unknown_word(std::string(family.name) + " command", word, family.family(), hint);
}

std::string full_name(const CommandSpec& family, std::string_view word) {
  return std::string(family.name) + " " + std::string(word);
}

// `runner help WORD...`
Command help_command(const std::vector<std::string>& words) {
  if (words.empty()) return HelpText{overview_help()};
  const CommandSpec* topic = find_command(words[0]);
  if (topic == nullptr) return unknown_command(words[0]);
  std::size_t used = 1;
  if (topic->family != nullptr && words.size() > 1) {
    const CommandSpec* member = find_command(full_name(*topic, words[1]));
    if (member == nullptr) return unknown_member(*topic, words[1]);
    topic = member;
    used = 2;
  }
  if (words.size() > used) {
    return UsageError{"unexpected argument '" + words[used] + "'", help_hint("help")};
  }
  return HelpText{command_help(*topic)};
}

Command make_command(const CommandSpec& command, RawArguments raw) {
  if (command.name == "exec") return exec_command(std::move(raw));
  if (command.name == "serve") return serve_options(raw);
  if (command.name == "lint") return lint_command(std::move(raw));
  if (command.name == "doctor") return doctor_command(raw);
  if (command.name == "version") return VersionOptions{raw.has("--json")};
  if (command.name == "completion") return completion_command(raw);
  if (command.name.starts_with("artifact ")) return artifact_command(command.name, std::move(raw));
  if (command.name.starts_with("cache ")) return cache_command(command.name, std::move(raw));
  if (command.name.starts_with("schedule ")) return schedule_command(command.name, raw);
  if (command.name.starts_with("variable ")) return variable_command(command.name, raw);
  if (command.name.starts_with("keys ")) return key_command(command.name, raw);
  if (command.name.starts_with("audit ")) return audit_command(command.name, raw);
  if (is_deploy_command(command.name)) return deploy_command(command.name, raw);
  if (is_client_command(command.name)) return client_command(command.name, raw);
  return help_command(raw.positional);
}

/// Where a word was meant and none came, most often a variable of the shell that is not set.
std::optional<UsageError> find_empty_value(const CommandSpec& command, const RawArguments& raw) {
  for (const OptionSpec& option : command.options) {
    const std::string name(split(option.names, ',').back());
    if (option.value.empty() || name == "--secret" || name == "--var") continue;
    const std::vector<std::string>& values = raw.all(name);
    if (std::find(values.begin(), values.end(), "") != values.end())
      return UsageError{"'" + name + "' got an empty value", "is the variable it comes from set?"};
  }
  return std::nullopt;
}

CommandInfo describe(const CommandSpec& spec) {
  CommandInfo info;
  info.name = last_word(spec);
  info.help = spec.summary;
  info.positional = spec.positional;
  for (const OptionSpec& option : spec.options) {
    OptionInfo& out = info.options.emplace_back();
    for (const std::string_view part : split(option.names, ',')) out.names.emplace_back(part);
    out.help = option.help;
    out.value = option.value;
    if (option.choices.empty()) continue;
    for (const std::string_view choice : split(option.choices, ',')) out.choices.emplace_back(choice);
  }
  if (spec.family != nullptr) {
    for (const CommandSpec& member : spec.family()) info.commands.push_back(describe(member));
  }
  return info;
}

}  // namespace

std::optional<UsageError> take_pipeline_facts(const RawArguments& raw, ExecOptions& options) {
  if (auto error = take_assignments(raw, options)) return error;
  options.file = raw.last("--file");
  if (raw.has("--branch") && raw.has("--tag")) {
    return UsageError{"'--branch' and '--tag' exclude each other", ""};
  }
  if (raw.has("--commit")) options.commit = raw.last("--commit");
  if (raw.has("--branch")) options.branch = raw.last("--branch");
  if (raw.has("--tag")) options.tag = raw.last("--tag");
  if (raw.has("--source")) {
    options.source = raw.last("--source");
    if (std::find(kSources.begin(), kSources.end(), options.source) == kSources.end()) {
      const auto near = nearest(options.source, kSources);
      return UsageError{"unknown source '" + options.source + "'",
                        near ? "did you mean '" + std::string(*near) + "'?"
                             : "usual are push, web, schedule, api, trigger and merge_request_event"};
    }
  }
  return std::nullopt;
}

Command parse_command_line(int argc, const char* const* argv) {
  if (argc < 2) return HelpText{overview_help()};
  const std::string_view name = argv[1];
  if (name == "-h" || name == "--help") return HelpText{overview_help()};
  if (name == "--version") return VersionOptions{};
  if (name.starts_with('-'))
    return UsageError{"unknown option '" + std::string(name) + "'", "'runner --help' tells more"};
  const CommandSpec* command = name.find(' ') == std::string_view::npos ? find_command(name) : nullptr;
  if (command == nullptr) return unknown_command(name);
  int words = 1;
  if (command->family != nullptr) {
    const std::string_view word = argc > 2 ? argv[2] : "--help";
    if (word == "-h" || word == "--help") return HelpText{command_help(*command)};
    const CommandSpec* member = find_command(full_name(*command, word));
    if (member == nullptr) return unknown_member(*command, word);
    command = member;
    words = 2;
  }
  RawArguments raw = parse_raw(*command, argc - words, argv + words);
  // Help wins over whatever else is wrong.
  if (raw.has("--help")) return HelpText{command_help(*command)};
  if (raw.error) return *raw.error;
  if (auto error = find_empty_value(*command, raw)) return *error;
  return make_command(*command, std::move(raw));
}

std::vector<CommandInfo> describe_commands() {
  std::vector<CommandInfo> commands;
  for (const CommandSpec& spec : command_table()) commands.push_back(describe(spec));
  return commands;
}

}  // namespace runner::cli
