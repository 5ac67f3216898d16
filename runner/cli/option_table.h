#pragma once
// What every command is called, takes and does: the one source of parsing, of help and of shell completion.
// Immutable; any thread.

#include <span>
#include <string>
#include <string_view>

namespace runner::cli {

struct OptionSpec {
  std::string_view names;    // "-f,--file": as CLI11 wants them
  std::string_view value;    // placeholder, empty for a flag
  std::string_view group;    // heading in the help
  std::string_view help;     // one or more lines
  std::string_view choices;  // "auto,shell": the only values, empty = any
};

struct CommandSpec {
  std::string_view name;        // of one in a family with the family: "cache list"
  std::string_view usage;       // what follows "runner NAME"
  std::string_view summary;     // one line
  std::string_view text;        // paragraphs before the options
  std::string_view examples;    // after the options
  std::string_view positional;  // placeholder, empty = none
  bool many = false;            // more than one positional
  std::span<const OptionSpec> options;
  std::span<const CommandSpec> (*family)() = nullptr;  // the commands this one is the first word of
};

/// Commands and families, by their first words.
std::span<const CommandSpec> command_table();
/// By the whole name. Null when there is none.
const CommandSpec* find_command(std::string_view name);
/// "list" of "cache list".
std::string_view last_word(const CommandSpec& command);

const CommandSpec& serve_command();
const CommandSpec& approve_command();
const CommandSpec& reject_command();
// The families.
std::span<const CommandSpec> cache_commands();
std::span<const CommandSpec> artifact_commands();
std::span<const CommandSpec> project_commands();
std::span<const CommandSpec> pipeline_commands();
std::span<const CommandSpec> schedule_commands();
std::span<const CommandSpec> variable_commands();
std::span<const CommandSpec> audit_commands();
std::span<const CommandSpec> key_commands();
std::span<const CommandSpec> job_commands();
std::span<const CommandSpec> environment_commands();
std::span<const CommandSpec> deploy_commands();
std::span<const CommandSpec> user_commands();
std::span<const CommandSpec> role_commands();
std::span<const CommandSpec> token_commands();

/// `runner --help`.
std::string overview_help();
/// `runner NAME --help`.
std::string command_help(const CommandSpec& command);

}  // namespace runner::cli
