#pragma once
// Words of a command line by the option they belong to, as the table of options has them. Pure; any thread.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/cli/option_table.h"
#include "runner/cli/options.h"

namespace runner::cli {

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

/// `argv[0]` is not looked at.
RawArguments parse_raw(const CommandSpec& command, int argc, const char* const* argv);

/// --data, -C, --json and --no-color.
CommonOptions common_options(const RawArguments& raw);

/// "'runner COMMAND --help' lists what there is"
std::string help_hint(std::string_view command);

}  // namespace runner::cli
