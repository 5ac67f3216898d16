#include "runner/cli/variable_options.h"

#include <utility>

#include "runner/base/text.h"
#include "runner/cli/client_options.h"

namespace runner::cli {
namespace {

std::optional<UsageError> take_words(const RawArguments& raw, std::string_view name,
                                     VariableOptions& options) {
  const std::size_t words = options.action == VariableAction::list ? 1 : 2;
  if (raw.positional.size() > words) {
    // Where somebody wrote the value: it stays out of the message.
    return UsageError{"there are too many words",
                      "a value is given by standard input, --file or --value; see 'runner " +
                          std::string(name) + " --help'"};
  }
  if (raw.positional.empty() || raw.positional[0].empty())
    return UsageError{"no project given", help_hint(name)};
  options.project = raw.positional[0];
  if (words == 1) return std::nullopt;
  if (raw.positional.size() < 2 || raw.positional[1].empty())
    return UsageError{"no key given",
                      "'runner variable list " + shell_quote(options.project) + "' shows those there are"};
  options.key = raw.positional[1];
  return std::nullopt;
}

std::optional<UsageError> take_flag(const RawArguments& raw, const std::string& name,
                                    std::optional<bool>& flag) {
  const bool yes = raw.has("--" + name), no = raw.has("--no-" + name);
  if (yes && no) return UsageError{"'--" + name + "' and '--no-" + name + "' exclude each other", ""};
  if (yes || no) flag = yes;
  return std::nullopt;
}

std::optional<UsageError> take_fields(const RawArguments& raw, VariableOptions& options) {
  if (raw.has("--value") && raw.has("--file"))
    return UsageError{"'--value' and '--file' exclude each other", ""};
  if (raw.has("--value")) options.value = raw.last("--value");
  options.file = raw.last("--file");
  if (raw.has("--type")) options.type = raw.last("--type");
  if (options.type != "env_var" && options.type != "file")
    return UsageError{"unknown type " + in_quotes(options.type), "allowed are env_var and file"};
  if (raw.has("--description")) options.description = raw.last("--description");
  options.masked = !raw.has("--no-mask");
  if (auto error = take_flag(raw, "protected", options.is_protected)) return error;
  return take_flag(raw, "raw", options.raw);
}

}  // namespace

Command variable_command(std::string_view name, const RawArguments& raw) {
  VariableOptions options;
  if (name == "variable set") options.action = VariableAction::set;
  if (name == "variable remove") options.action = VariableAction::remove;
  options.common = client_common(raw);
  if (raw.has("--environment")) options.scope = raw.last("--environment");
  if (auto error = take_words(raw, name, options)) return *error;
  if (auto error = take_fields(raw, options)) return *error;
  return options;
}

}  // namespace runner::cli
