#include "runner/cli/raw_arguments.h"

#include <CLI/CLI.hpp>

#include <utility>

#include "runner/base/text.h"

namespace runner::cli {
namespace {

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

}  // namespace

std::string help_hint(std::string_view command) {
  return "'runner " + std::string(command) + " --help' lists what there is";
}

CommonOptions common_options(const RawArguments& raw) {
  return {raw.last("--data"), raw.last("-C"), raw.has("--json"), raw.has("--no-color")};
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

}  // namespace runner::cli
