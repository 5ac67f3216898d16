#include "runner/cli/options.h"

#include <CLI/CLI.hpp>

#include <map>

#include "runner/base/duration.h"
#include "runner/base/text.h"
#include "runner/cli/option_table.h"

namespace runner::cli {
namespace {

/// The values of each option by its last name ("--file"), and what was no option.
struct RawArguments {
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  std::vector<std::string> positional;
  std::optional<UsageError> error;

  bool has(std::string_view name) const { return values.find(name) != values.end(); }
  std::string last(std::string_view name) const {
    const auto found = values.find(name);
    return found == values.end() || found->second.empty() ? std::string() : found->second.back();
  }
  const std::vector<std::string>& all(std::string_view name) const {
    static const std::vector<std::string> none;
    const auto found = values.find(name);
    return found == values.end() ? none : found->second;
  }
};

std::string help_hint(std::string_view command) {
  return "'runner " + std::string(command) + " --help' lists what there is";
}

UsageError unknown_option(const CommandSpec& command, std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  std::vector<std::string_view> candidates;
  for (const OptionSpec& option : command.options) {
    for (const std::string_view candidate : split(option.names, ',')) candidates.push_back(candidate);
  }
  const auto near = nearest(name, candidates);
  return {"unknown option '" + std::string(name) + "'",
          near ? "did you mean '" + std::string(*near) + "'?" : help_hint(command.name)};
}

// What CLI11 left over, in order: everything after "--", and all that does not look like an option.
void take_positional(const CommandSpec& command, std::vector<std::string> left, RawArguments& raw) {
  bool options_ended = false;
  for (std::string& word : left) {
    if (!options_ended && word == "--") {
      options_ended = true;
    } else if (!options_ended && word.size() > 1 && word.front() == '-') {
      raw.error = unknown_option(command, word);
      return;
    } else {
      raw.positional.push_back(std::move(word));
    }
  }
  if (raw.positional.size() > 1 && !command.many) {
    raw.error = UsageError{"unexpected argument '" + raw.positional[1] + "'", help_hint(command.name)};
  } else if (!raw.positional.empty() && command.positional.empty()) {
    raw.error = UsageError{"unexpected argument '" + raw.positional[0] + "'", help_hint(command.name)};
  }
}

RawArguments parse_raw(const CommandSpec& command, int argc, const char* const* argv) {
  RawArguments raw;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<std::pair<CLI::Option*, const OptionSpec*>> bound;
  for (const OptionSpec& spec : command.options) {
    if (spec.value.empty()) {
      bound.emplace_back(app.add_flag(std::string(spec.names))->disable_flag_override(), &spec);
    } else {
      bound.emplace_back(app.add_option(std::string(spec.names))->type_size(1)->expected(1)->take_all(),
                         &spec);
      // Without this `--var A=1 job` would take the job as a second value.
      bound.back().first->allow_extra_args(false);
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // The text starts with the option's name, of flags without dashes; only a value can be wrong here.
    const std::string text = error.what();
    std::string option = text.substr(0, text.find_first_of(": "));
    if (!option.starts_with('-')) option.insert(0, option.size() == 1 ? "-" : "--");
    const bool too_much = text.find("flag override") != std::string::npos;
    raw.error = UsageError{"option '" + option + (too_much ? "' takes no value" : "' needs a value"),
                           help_hint(command.name)};
    return raw;
  }
  for (const auto& [option, spec] : bound) {
    if (option->count() == 0) continue;
    raw.values[std::string(split(spec->names, ',').back())] = option->results();
  }
  take_positional(command, app.remaining(), raw);
  return raw;
}

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
  if (raw.has("--jobs")) {
    const auto count = parse_integer(raw.last("--jobs"));
    if (!count || *count < 1 || *count > 10'000) {
      return UsageError{"'--jobs " + raw.last("--jobs") + "' is no number of jobs",
                        "write a number from 1 to 10000"};
    }
    options.parallel = static_cast<std::size_t>(*count);
  }
  if (raw.has("--timeout")) {
    options.timeout = parse_duration(raw.last("--timeout"));
    if (!options.timeout) {
      return UsageError{"'--timeout " + raw.last("--timeout") + "' is no duration",
                        "write it like 90s, 30m or 1h 30m"};
    }
  }
  if (raw.has("--branch") && raw.has("--tag")) {
    return UsageError{"'--branch' and '--tag' exclude each other", ""};
  }
  if (raw.has("--branch")) options.branch = raw.last("--branch");
  if (raw.has("--tag")) options.tag = raw.last("--tag");
  if (raw.has("--source")) options.source = raw.last("--source");
  return std::nullopt;
}

Command exec_command(RawArguments raw) {
  ExecOptions options;
  if (auto error = take_assignments(raw, options)) return *error;
  if (auto error = take_execution(raw, options)) return *error;
  options.jobs = std::move(raw.positional);
  options.file = raw.last("--file");
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

Command completion_command(const RawArguments& raw) {
  if (raw.positional.empty()) return UsageError{"no shell named", "write bash, zsh or fish"};
  const std::string& shell = raw.positional.front();
  if (shell == "bash") return CompletionOptions{Shell::bash};
  if (shell == "zsh") return CompletionOptions{Shell::zsh};
  if (shell == "fish") return CompletionOptions{Shell::fish};
  return UsageError{"unknown shell '" + shell + "'", "allowed are bash, zsh and fish"};
}

UsageError unknown_command(std::string_view word) {
  std::vector<std::string_view> names;
  for (const CommandSpec& command : command_table()) names.push_back(command.name);
  const auto near = nearest(word, names);
  return {"unknown command '" + std::string(word) + "'",
          near ? "did you mean '" + std::string(*near) + "'?" : "'runner --help' lists the commands"};
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  if (argc < 2) return HelpText{overview_help()};
  const std::string_view name = argv[1];
  if (name == "-h" || name == "--help") return HelpText{overview_help()};
  if (name == "--version") return VersionOptions{};
  if (name.starts_with('-'))
    return UsageError{"unknown option '" + std::string(name) + "'", "'runner --help' tells more"};
  const CommandSpec* command = find_command(name);
  if (command == nullptr) return unknown_command(name);
  RawArguments raw = parse_raw(*command, argc - 1, argv + 1);
  // Help wins over whatever else is wrong.
  if (raw.has("--help")) return HelpText{command_help(*command)};
  if (raw.error) return *raw.error;
  if (name == "exec") return exec_command(std::move(raw));
  if (name == "lint") return lint_command(std::move(raw));
  if (name == "version") return VersionOptions{raw.has("--json")};
  if (name == "completion") return completion_command(raw);
  if (raw.positional.empty()) return HelpText{overview_help()};
  const CommandSpec* topic = find_command(raw.positional.front());
  if (topic == nullptr) return unknown_command(raw.positional.front());
  return HelpText{command_help(*topic)};
}

std::vector<CommandInfo> describe_commands() {
  std::vector<CommandInfo> commands;
  for (const CommandSpec& spec : command_table()) {
    CommandInfo info{std::string(spec.name), std::string(spec.summary), {}, std::string(spec.positional)};
    for (const OptionSpec& option : spec.options) {
      OptionInfo& out = info.options.emplace_back();
      for (const std::string_view part : split(option.names, ',')) out.names.emplace_back(part);
      out.help = option.help;
      out.value = option.value;
      if (option.choices.empty()) continue;
      for (const std::string_view choice : split(option.choices, ',')) out.choices.emplace_back(choice);
    }
    commands.push_back(std::move(info));
  }
  return commands;
}

}  // namespace runner::cli
