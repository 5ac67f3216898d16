#include "runner/cli/client_options.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runner/base/duration.h"
#include "runner/base/text.h"
#include "runner/cli/cache_options.h"
#include "runner/storage/project_table.h"

namespace runner::cli {
namespace {

constexpr std::array<std::pair<std::string_view, ProjectAction>, 6> kProjectActions{{
    {"project add", ProjectAction::add},
    {"project list", ProjectAction::list},
    {"project show", ProjectAction::show},
    {"project set", ProjectAction::set},
    {"project remove", ProjectAction::remove},
    {"project test", ProjectAction::test},
}};
constexpr std::array<std::pair<std::string_view, PipelineAction>, 6> kPipelineActions{{
    {"pipeline run", PipelineAction::run},
    {"pipeline list", PipelineAction::list},
    {"pipeline show", PipelineAction::show},
    {"pipeline watch", PipelineAction::watch},
    {"pipeline cancel", PipelineAction::cancel},
    {"pipeline retry", PipelineAction::retry},
}};
constexpr std::array<std::pair<std::string_view, RemoteJobAction>, 5> kJobActions{{
    {"job show", RemoteJobAction::show},
    {"job log", RemoteJobAction::log},
    {"job play", RemoteJobAction::play},
    {"job retry", RemoteJobAction::retry},
    {"job cancel", RemoteJobAction::cancel},
}};
constexpr std::array<std::pair<std::string_view, AccountAction>, 9> kAccountActions{{
    {"token create", AccountAction::token_create},
    {"token list", AccountAction::token_list},
    {"token revoke", AccountAction::token_revoke},
    {"user add", AccountAction::user_add},
    {"user list", AccountAction::user_list},
    {"user set", AccountAction::user_set},
    {"role list", AccountAction::role_list},
    {"role set", AccountAction::role_set},
    {"role remove", AccountAction::role_remove},
}};

template <typename Action, std::size_t N>
std::optional<Action> action_in(const std::array<std::pair<std::string_view, Action>, N>& known,
                                std::string_view name) {
  for (const auto& [word, action] : known) {
    if (word == name) return action;
  }
  return std::nullopt;
}

UsageError missing(std::string_view what, std::string_view command) {
  return {"no " + std::string(what) + " given", help_hint(command)};
}

/// The only word there is, as an id.
std::optional<UsageError> take_id(const RawArguments& raw, std::string_view command, std::string_view shows,
                                  std::int64_t& id) {
  if (raw.positional.empty()) return missing("id", command);
  const auto number = parse_id(raw.positional.front());
  if (!number) return UsageError{in_quotes(raw.positional.front()) + " is no id", std::string(shows)};
  id = *number;
  return std::nullopt;
}

std::optional<UsageError> take_poll(const RawArguments& raw, ProjectOptions& options) {
  if (!raw.has("--poll")) return std::nullopt;
  const std::string word = raw.last("--poll");
  if (word == "never") {
    options.poll = std::chrono::seconds(0);
    return std::nullopt;
  }
  const auto duration = parse_duration(word);
  if (!duration || *duration < std::chrono::seconds(1)) {
    return UsageError{"'--poll " + word + "' is no time between two looks",
                      "write it like 30s or 5m, or 'never'"};
  }
  options.poll = std::chrono::duration_cast<std::chrono::seconds>(*duration);
  return std::nullopt;
}

std::optional<UsageError> check_secrets(const ProjectOptions& options) {
  if (!options.token_file.empty() && !options.ssh_key_file.empty())
    return UsageError{"'--token-file' and '--ssh-key-file' exclude each other", ""};
  if (options.no_credential && !(options.token_file.empty() && options.ssh_key_file.empty()))
    return UsageError{"'--no-credential' excludes '--token-file' and '--ssh-key-file'", ""};
  if (options.no_forge_token && !options.forge_token_file.empty())
    return UsageError{"'--no-forge-token' and '--forge-token-file' exclude each other", ""};
  if (options.no_webhook_secret && !options.webhook_secret_file.empty())
    return UsageError{"'--no-webhook-secret' and '--webhook-secret-file' exclude each other", ""};
  if ((options.token_file == "-") + (options.webhook_secret_file == "-") + (options.forge_token_file == "-") >
      1)
    return UsageError{"standard input cannot be two secrets", "name a file for one of them"};
  return std::nullopt;
}

std::optional<UsageError> take_priority(const RawArguments& raw, std::optional<std::int64_t>& priority) {
  if (!raw.has("--priority")) return std::nullopt;
  priority = parse_integer(raw.last("--priority"));
  if (priority && *priority >= -storage::kHighestPriority && *priority <= storage::kHighestPriority)
    return std::nullopt;
  return UsageError{"'--priority " + raw.last("--priority") + "' is no priority",
                    "write a whole number from -100 to 100"};
}

bool changes_nothing(const ProjectOptions& options) {
  return !options.url && !options.file && !options.username && options.branches.empty() &&
         options.tags.empty() && !options.poll && !options.paused && options.token_file.empty() &&
         options.ssh_key_file.empty() && options.webhook_secret_file.empty() && !options.no_credential &&
         !options.no_webhook_secret && !options.forge && !options.forge_api && !options.forge_repository &&
         options.forge_token_file.empty() && !options.no_forge_token && !options.merge_requests &&
         !options.priority;
}

std::optional<UsageError> take_forge(const RawArguments& raw, ProjectOptions& options) {
  constexpr std::array<std::string_view, 5> kForges{"auto", "github", "gitlab", "gitea", "none"};
  if (raw.has("--forge")) options.forge = raw.last("--forge");
  if (options.forge && std::find(kForges.begin(), kForges.end(), *options.forge) == kForges.end()) {
    return UsageError{"unknown forge " + in_quotes(*options.forge),
                      "allowed are auto, github, gitlab, gitea (Forgejo, too) and none"};
  }
  if (raw.has("--forge-api")) options.forge_api = raw.last("--forge-api");
  if (raw.has("--forge-repository")) options.forge_repository = raw.last("--forge-repository");
  if (raw.has("--merge-requests")) {
    const std::string word = raw.last("--merge-requests");
    if (word != "on" && word != "off")
      return UsageError{"'--merge-requests " + word + "' is neither on nor off", ""};
    options.merge_requests = word == "on";
  }
  options.forge_token_file = raw.last("--forge-token-file");
  options.no_forge_token = raw.has("--no-forge-token");
  return std::nullopt;
}

Command project_command(std::string_view name, ProjectAction action, const RawArguments& raw) {
  ProjectOptions options;
  options.action = action;
  options.common = client_common(raw);
  if (!raw.positional.empty()) options.name = raw.positional.front();
  if (action == ProjectAction::list) return options;
  if (options.name.empty()) return missing("name of a project", name);
  const std::size_t words = action == ProjectAction::add ? 2 : 1;
  if (raw.positional.size() > words)
    return UsageError{"unexpected argument '" + raw.positional[words] + "'", help_hint(name)};
  if (action == ProjectAction::add) {
    if (raw.positional.size() < 2) return missing("URL of the repository", name);
    options.url = raw.positional[1];
  }
  if (raw.has("--url")) options.url = raw.last("--url");
  options.branches = raw.all("--branch");
  options.tags = raw.all("--tag");
  if (raw.has("--file")) options.file = raw.last("--file");
  if (raw.has("--username")) options.username = raw.last("--username");
  options.token_file = raw.last("--token-file");
  options.ssh_key_file = raw.last("--ssh-key-file");
  options.webhook_secret_file = raw.last("--webhook-secret-file");
  options.no_credential = raw.has("--no-credential");
  options.no_webhook_secret = raw.has("--no-webhook-secret");
  if (auto error = take_forge(raw, options)) return *error;
  if (raw.has("--pause") && raw.has("--resume"))
    return UsageError{"'--pause' and '--resume' exclude each other", ""};
  if (raw.has("--pause") || raw.has("--resume")) options.paused = raw.has("--pause");
  if (auto error = take_poll(raw, options)) return *error;
  if (auto error = take_priority(raw, options.priority)) return *error;
  if (auto error = check_secrets(options)) return *error;
  for (const std::string& text : raw.all("--resource-group")) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
      return UsageError{"'--resource-group " + text + "' is no NAME=MODE",
                        "write it like production=oldest_first"};
    options.resource_groups.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  if (action == ProjectAction::set && options.resource_groups.empty() && changes_nothing(options))
    return missing("change", name);
  return options;
}

Command pipeline_command(std::string_view name, PipelineAction action, const RawArguments& raw) {
  PipelineOptions options;
  options.action = action;
  options.common = client_common(raw);
  if (action == PipelineAction::run || action == PipelineAction::list) {
    if (!raw.positional.empty()) options.project = raw.positional.front();
    if (action == PipelineAction::run && options.project.empty()) return missing("project", name);
  } else if (auto error = take_id(raw, name, "'runner pipeline list' shows the ids", options.id)) {
    return *error;
  }
  if (raw.has("--ref")) options.ref = raw.last("--ref");
  if (raw.has("--status")) options.status = raw.last("--status");
  options.wait = raw.has("--wait");
  if (auto error = take_priority(raw, options.priority)) return *error;
  if (raw.has("--limit")) {
    const auto limit = parse_id(raw.last("--limit"));
    if (!limit || *limit > 100'000)
      return UsageError{"'--limit " + raw.last("--limit") + "' is no number of pipelines",
                        "write a number from 1 to 100000"};
    options.limit = static_cast<std::size_t>(*limit);
  }
  ExecOptions facts;
  if (auto error = take_pipeline_facts(raw, facts)) return *error;
  options.variables = std::move(facts.variables);
  return options;
}

Command job_command(std::string_view name, RemoteJobAction action, const RawArguments& raw) {
  RemoteJobOptions options;
  options.action = action;
  options.common = client_common(raw);
  if (auto error = take_id(raw, name, "'runner pipeline show' shows the ids of its jobs", options.id))
    return *error;
  options.follow = raw.has("--follow");
  return options;
}

std::optional<UsageError> take_expiry(const RawArguments& raw, AccountOptions& options) {
  if (!raw.has("--expires-in")) return std::nullopt;
  options.expires_in_days = parse_id(raw.last("--expires-in"));
  if (options.expires_in_days) return std::nullopt;
  return UsageError{"'--expires-in " + raw.last("--expires-in") + "' is no number of days",
                    "write a whole number, such as 90"};
}

std::optional<UsageError> take_role(const RawArguments& raw, AccountOptions& options) {
  if (!raw.has("--role")) return std::nullopt;
  options.role = raw.last("--role");
  for (const char* role : {"none", "viewer", "developer", "admin"})
    if (*options.role == role) return std::nullopt;
  return UsageError{"unknown role '" + *options.role + "'",
                    "allowed are none, viewer, developer and admin; roles of your own are given by --grant"};
}

Command account_command(std::string_view name, AccountAction action, const RawArguments& raw) {
  AccountOptions options;
  options.action = action;
  options.common = client_common(raw);
  options.user = raw.last("--user");
  options.name = raw.last("--name");
  if (auto error = take_role(raw, options)) return *error;
  if (raw.has("--disable") && raw.has("--enable"))
    return UsageError{"'--disable' and '--enable' exclude each other", ""};
  if (raw.has("--disable") || raw.has("--enable")) options.disabled = raw.has("--disable");
  if (raw.has("--group") && raw.has("--no-groups"))
    return UsageError{"'--group' and '--no-groups' exclude each other", ""};
  if (raw.has("--group") || raw.has("--no-groups")) options.groups = raw.all("--group");
  if (raw.has("--grant") && raw.has("--no-grants"))
    return UsageError{"'--grant' and '--no-grants' exclude each other", ""};
  if (raw.has("--grant") || raw.has("--no-grants")) options.grants = raw.all("--grant");
  options.permissions = raw.all("--permission");
  if (auto error = take_expiry(raw, options)) return *error;
  if (action == AccountAction::token_create && options.name.empty())
    return UsageError{"no name of the token given", "add --name, such as --name laptop"};
  if (action == AccountAction::token_revoke) {
    if (auto error = take_id(raw, name, "'runner token list' shows the ids", options.id)) return *error;
  }
  if (action == AccountAction::user_add || action == AccountAction::user_set) {
    if (raw.positional.empty()) return missing("name of a user", name);
    options.user = raw.positional.front();
    if (action == AccountAction::user_add && !options.role)
      return UsageError{"no role given", "add --role viewer, developer or admin; or none, with --grant"};
    if (action == AccountAction::user_set && !options.role && !options.disabled && !options.groups &&
        !options.grants)
      return missing("change", name);
  }
  if (action == AccountAction::role_set || action == AccountAction::role_remove) {
    if (raw.positional.empty()) return missing("name of a role", name);
    options.name = raw.positional.front();
    if (action == AccountAction::role_set && options.permissions.empty())
      return UsageError{"no permission given", "add --permission, such as --permission rollback"};
  }
  return options;
}

}  // namespace

std::optional<std::int64_t> parse_id(std::string_view text) {
  const auto number = parse_integer(text);
  return number && *number > 0 ? number : std::nullopt;
}

ClientCommon client_common(const RawArguments& raw) {
  ClientCommon common;
  common.server.url = raw.last("--server");
  common.server.data = raw.last("--data");
  common.json = raw.has("--json");
  common.no_color = raw.has("--no-color");
  common.quiet = raw.has("--quiet");
  return common;
}

bool is_client_command(std::string_view name) {
  return action_in(kProjectActions, name) || action_in(kPipelineActions, name) ||
         action_in(kJobActions, name) || action_in(kAccountActions, name);
}

Command client_command(std::string_view name, const RawArguments& raw) {
  if (const auto action = action_in(kProjectActions, name)) return project_command(name, *action, raw);
  if (const auto action = action_in(kPipelineActions, name)) return pipeline_command(name, *action, raw);
  if (const auto action = action_in(kJobActions, name)) return job_command(name, *action, raw);
  return account_command(name, action_in(kAccountActions, name).value_or(AccountAction::user_list), raw);
}

}  // namespace runner::cli
