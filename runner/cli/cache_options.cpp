#include "runner/cli/cache_options.h"

#include <array>
#include <utility>

#include "runner/base/duration.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

constexpr std::array<std::pair<std::string_view, CacheAction>, 6> kActions{{
    {"cache list", CacheAction::list},
    {"cache show", CacheAction::show},
    {"cache remove", CacheAction::remove},
    {"cache gc", CacheAction::collect},
    {"cache verify", CacheAction::verify},
    {"cache explain", CacheAction::explain},
}};

CacheAction action_of(std::string_view name) {
  for (const auto& [known, action] : kActions) {
    if (known == name) return action;
  }
  return CacheAction::list;
}

std::optional<UsageError> take_policy(const RawArguments& raw, CacheOptions& options) {
  if (raw.has("--budget")) {
    options.budget = parse_bytes(raw.last("--budget"));
    if (!options.budget) {
      return UsageError{"'--budget " + raw.last("--budget") + "' is no size",
                        "write it like 500MB, 5GiB or 0"};
    }
  }
  if (raw.has("--older-than")) {
    options.older_than = parse_duration(raw.last("--older-than"));
    if (!options.older_than) {
      return UsageError{"'--older-than " + raw.last("--older-than") + "' is no duration",
                        "write it like 12h, 7d or '2 weeks'"};
    }
  }
  return std::nullopt;
}

std::optional<UsageError> check_keys(std::string_view name, const CacheOptions& options) {
  const bool wants = options.action == CacheAction::show || options.action == CacheAction::remove;
  if (!wants) return std::nullopt;
  if (options.names.empty() && !options.all) {
    return UsageError{"no key given", "'runner cache list' shows the keys; " + help_hint(name)};
  }
  if (!options.names.empty() && options.all) return UsageError{"'--all' and keys exclude each other", ""};
  return std::nullopt;
}

Command transfer_command(std::string_view name, RawArguments raw) {
  CacheTransferOptions options;
  options.imports = name == "cache import";
  options.common = common_options(raw);
  if (raw.has("--scope")) options.scope = raw.last("--scope");
  const std::string_view place = options.imports ? "--from" : "--to";
  options.place = raw.has(place) ? raw.last(place) : "runner-cache";
  if (options.place.empty()) return UsageError{in_quotes(place) + " needs a directory", help_hint(name)};
  options.keys = std::move(raw.positional);
  return options;
}

}  // namespace

Command cache_command(std::string_view name, RawArguments raw) {
  if (name == "cache export" || name == "cache import") return transfer_command(name, std::move(raw));
  CacheOptions options;
  options.action = action_of(name);
  options.common = common_options(raw);
  options.all = raw.has("--all");
  options.quiet = raw.has("--quiet");
  options.dry_run = raw.has("--dry-run");
  options.content = raw.has("--content");
  if (raw.has("--scope")) options.scope = raw.last("--scope");
  if (options.all && options.scope && options.action == CacheAction::list) {
    return UsageError{"'--all' and '--scope' exclude each other", ""};
  }
  if (auto error = take_policy(raw, options)) return *error;
  if (auto error = take_pipeline_facts(raw, options.pipeline)) return *error;
  options.names = std::move(raw.positional);
  if (auto error = check_keys(name, options)) return *error;
  return options;
}

}  // namespace runner::cli
