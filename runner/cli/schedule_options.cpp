#include "runner/cli/schedule_options.h"

#include <array>
#include <utility>

#include "runner/base/text.h"
#include "runner/cli/cache_options.h"
#include "runner/cli/client_options.h"

namespace runner::cli {
namespace {

constexpr std::array<std::pair<std::string_view, ScheduleAction>, 6> kActions{{
    {"schedule list", ScheduleAction::list},
    {"schedule add", ScheduleAction::add},
    {"schedule show", ScheduleAction::show},
    {"schedule edit", ScheduleAction::edit},
    {"schedule remove", ScheduleAction::remove},
    {"schedule run", ScheduleAction::run},
}};

ScheduleAction action_of(std::string_view name) {
  for (const auto& [known, action] : kActions) {
    if (known == name) return action;
  }
  return ScheduleAction::list;
}

std::optional<UsageError> take_fields(const RawArguments& raw, ScheduleOptions& options) {
  if (raw.has("--cron")) options.cron = raw.last("--cron");
  if (raw.has("--timezone")) options.time_zone = raw.last("--timezone");
  if (raw.has("--ref")) options.ref = raw.last("--ref");
  if (raw.has("--description")) options.description = raw.last("--description");
  if (raw.has("--enable") && raw.has("--disable"))
    return UsageError{"'--enable' and '--disable' exclude each other", ""};
  if (raw.has("--enable") || raw.has("--disable")) options.active = raw.has("--enable");
  options.no_variables = raw.has("--no-vars");
  ExecOptions facts;
  if (auto error = take_pipeline_facts(raw, facts)) return error;
  options.variables = std::move(facts.variables);
  if (options.no_variables && !options.variables.empty())
    return UsageError{"'--var' and '--no-vars' exclude each other", ""};
  return std::nullopt;
}

bool changes_nothing(const ScheduleOptions& options) {
  return !options.cron && !options.time_zone && !options.ref && !options.description && !options.active &&
         options.variables.empty() && !options.no_variables;
}

std::optional<UsageError> take_words(const RawArguments& raw, std::string_view name,
                                     ScheduleOptions& options) {
  const std::string word = raw.positional.empty() ? std::string() : raw.positional.front();
  if (options.action == ScheduleAction::list || options.action == ScheduleAction::add) {
    options.project = word;
    if (options.action == ScheduleAction::add && word.empty())
      return UsageError{"no project given", help_hint(name)};
    return std::nullopt;
  }
  if (word.empty()) return UsageError{"no id given", help_hint(name)};
  const auto id = parse_id(word);
  if (!id) return UsageError{in_quotes(word) + " is no id", "'runner schedule list' shows the ids"};
  options.id = *id;
  return std::nullopt;
}

}  // namespace

Command schedule_command(std::string_view name, const RawArguments& raw) {
  ScheduleOptions options;
  options.action = action_of(name);
  options.common = client_common(raw);
  options.wait = raw.has("--wait");
  if (auto error = take_words(raw, name, options)) return *error;
  if (auto error = take_fields(raw, options)) return *error;
  if (options.action == ScheduleAction::add && !options.cron)
    return UsageError{"no times given", "add --cron, such as --cron '0 3 * * *' for each night at three"};
  if (options.action == ScheduleAction::edit && changes_nothing(options))
    return UsageError{"no change given", help_hint(name)};
  return options;
}

}  // namespace runner::cli
