#include "runner/cli/deploy_options.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runner/base/text.h"
#include "runner/cli/client_options.h"

namespace runner::cli {
namespace {

constexpr std::array<std::pair<std::string_view, EnvironmentAction>, 6> kEnvironmentActions{{
    {"env list", EnvironmentAction::list},
    {"env show", EnvironmentAction::show},
    {"env set", EnvironmentAction::set},
    {"env history", EnvironmentAction::history},
    {"env freeze", EnvironmentAction::freeze},
    {"env diff", EnvironmentAction::diff},
}};
constexpr std::array<std::pair<std::string_view, DeployAction>, 17> kDeployActions{{
    {"deploy list", DeployAction::list},
    {"deploy status", DeployAction::status},
    {"deploy plan", DeployAction::plan},
    {"deploy diff", DeployAction::diff},
    {"deploy start", DeployAction::start},
    {"deploy cancel", DeployAction::cancel},
    {"deploy break-glass", DeployAction::break_glass},
    {"deploy watch", DeployAction::watch},
    {"deploy pause", DeployAction::pause},
    {"deploy resume", DeployAction::resume},
    {"deploy promote", DeployAction::promote},
    {"deploy abort", DeployAction::abort},
    {"deploy resolve", DeployAction::resolve},
    {"deploy rollback", DeployAction::rollback},
    {"deploy unlock", DeployAction::unlock},
    {"approve", DeployAction::approve},
    {"reject", DeployAction::reject},
}};

template <typename Action, std::size_t N>
std::optional<Action> action_of(const std::array<std::pair<std::string_view, Action>, N>& known,
                                std::string_view name) {
  for (const auto& [word, action] : known) {
    if (word == name) return action;
  }
  return std::nullopt;
}

/// PROJECT, and NAME of an environment where it is asked for; OTHER may follow.
std::optional<UsageError> take_place(const RawArguments& raw, std::string_view command, std::string& project,
                                     std::string* name, std::string* other = nullptr) {
  const std::size_t words = name == nullptr ? 1 : other == nullptr ? 2 : 3;
  if (raw.positional.size() > words)
    return UsageError{"unexpected argument '" + raw.positional[words] + "'", help_hint(command)};
  if (raw.positional.empty() || raw.positional[0].empty())
    return UsageError{"no project given", help_hint(command)};
  project = raw.positional[0];
  if (name == nullptr) return std::nullopt;
  if (raw.positional.size() < 2 || raw.positional[1].empty())
    return UsageError{"no name of an environment given",
                      "'runner env list " + shell_quote(project) + "' shows the names"};
  *name = raw.positional[1];
  if (raw.positional.size() < 3) return std::nullopt;
  if (raw.positional[2].empty())
    return UsageError{"the name of the other environment is empty", help_hint(command)};
  *other = raw.positional[2];
  return std::nullopt;
}

std::optional<UsageError> take_protection(const RawArguments& raw, EnvironmentOptions& options) {
  if (!raw.has("--protection"))
    return UsageError{"no protection given", "add --protection FILE with its JSON; - is standard input"};
  options.protection = raw.last("--protection");
  if (!raw.has("--version")) return std::nullopt;
  options.version = parse_integer(raw.last("--version"));
  if (!options.version || *options.version < 0)
    return UsageError{"'--version " + raw.last("--version") + "' is no version",
                      "write the number that 'runner env show' tells"};
  return std::nullopt;
}

std::optional<UsageError> take_window(const RawArguments& raw, EnvironmentOptions& options) {
  options.clear = raw.has("--clear");
  if (options.clear) {
    for (const char* name : {"--from", "--to", "--zone"})
      if (raw.has(name))
        return UsageError{"'--clear' and '" + std::string(name) + "' exclude each other", ""};
    return std::nullopt;
  }
  for (const char* name : {"--from", "--to"})
    if (!raw.has(name))
      return UsageError{"no '" + std::string(name) + "' given",
                        "a freeze has both, such as --from 'Fri 16:00' --to 'Mon 07:00'; --clear ends all"};
  options.from = raw.last("--from");
  options.to = raw.last("--to");
  if (raw.has("--zone")) options.zone = raw.last("--zone");
  return std::nullopt;
}

Command environment_command(EnvironmentAction action, std::string_view name, const RawArguments& raw) {
  EnvironmentOptions options;
  options.action = action;
  options.common = client_common(raw);
  std::string* environment = action == EnvironmentAction::list ? nullptr : &options.name;
  std::string* other = action == EnvironmentAction::diff ? &options.other : nullptr;
  if (auto error = take_place(raw, name, options.project, environment, other)) return *error;
  if (action == EnvironmentAction::set) {
    if (auto error = take_protection(raw, options)) return *error;
  }
  if (action == EnvironmentAction::freeze) {
    if (auto error = take_window(raw, options)) return *error;
  }
  return options;
}

bool is_about_place(DeployAction action) {
  return action == DeployAction::list || action == DeployAction::rollback || action == DeployAction::unlock;
}

}  // namespace

bool is_deploy_command(std::string_view name) {
  return action_of(kEnvironmentActions, name) || action_of(kDeployActions, name);
}

Command deploy_command(std::string_view name, const RawArguments& raw) {
  if (const auto action = action_of(kEnvironmentActions, name))
    return environment_command(*action, name, raw);
  DeployOptions options;
  options.action = action_of(kDeployActions, name).value_or(DeployAction::list);
  options.common = client_common(raw);
  options.comment = raw.last("--comment");
  options.reason = raw.last("--reason");
  options.wait = raw.has("--wait");
  const bool needs_reason =
      options.action == DeployAction::break_glass || options.action == DeployAction::unlock;
  if (needs_reason && trim(options.reason).empty())
    return UsageError{"no reason given", "add --reason TEXT: it stays with the deployment for ever"};
  if (options.action == DeployAction::resolve && trim(options.comment).empty())
    return UsageError{"no comment given", "add --comment TEXT: what was done, and what runs there now"};
  if (is_about_place(options.action)) {
    if (auto error = take_place(raw, name, options.project, &options.environment)) return *error;
    if (!raw.has("--to")) return options;
    const auto number = parse_id(raw.last("--to"));
    if (!number)
      return UsageError{"'--to " + raw.last("--to") + "' is no number of a deployment",
                        "'runner env history' shows the numbers, in the column NO"};
    options.to = *number;
    return options;
  }
  if (raw.positional.empty()) return UsageError{"no id given", help_hint(name)};
  const auto id = parse_id(raw.positional.front());
  if (!id)
    return UsageError{in_quotes(raw.positional.front()) + " is no id",
                      "'runner deploy list' shows the ids of those that wait"};
  options.id = *id;
  return options;
}

}  // namespace runner::cli
