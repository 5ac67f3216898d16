#include "runner/cli/artifact_options.h"

#include <array>
#include <utility>

#include "runner/base/text.h"
#include "runner/cli/client_options.h"

namespace runner::cli {
namespace {

constexpr std::array<std::pair<std::string_view, ArtifactAction>, 5> kActions{{
    {"artifact list", ArtifactAction::list},
    {"artifact show", ArtifactAction::show},
    {"artifact download", ArtifactAction::download},
    {"artifact extract", ArtifactAction::extract},
    {"artifact remove", ArtifactAction::remove},
}};

ArtifactAction action_of(std::string_view name) {
  for (const auto& [known, action] : kActions) {
    if (known == name) return action;
  }
  return ArtifactAction::list;
}

/// Artifacts of a job on a server.
std::optional<UsageError> take_remote(const RawArguments& raw, ArtifactOptions& options) {
  options.server = client_common(raw).server;
  if (raw.has("--kind")) options.kind = raw.last("--kind");
  if (options.kind != "archive" && options.kind != "reports")
    return UsageError{"unknown kind '" + options.kind + "'", "allowed are archive and reports"};
  if (!raw.has("--job-id")) {
    if (raw.has("--kind")) return UsageError{"'--kind' needs '--job-id'", ""};
    return std::nullopt;
  }
  options.job_id = parse_id(raw.last("--job-id"));
  if (!options.job_id) {
    return UsageError{"'--job-id " + raw.last("--job-id") + "' is no id of a job",
                      "'runner pipeline show' shows the ids of its jobs"};
  }
  for (const std::string_view local : {"--job", "--run", "--all"}) {
    if (raw.has(local))
      return UsageError{"'--job-id' and '" + std::string(local) + "' exclude each other", ""};
  }
  if (!options.words.empty())
    return UsageError{"'--job-id' names the job already, '" + options.words.front() + "' is one too many",
                      ""};
  return std::nullopt;
}

}  // namespace

Command artifact_command(std::string_view name, RawArguments raw) {
  ArtifactOptions options;
  options.action = action_of(name);
  options.common = common_options(raw);
  options.all = raw.has("--all");
  options.quiet = raw.has("--quiet");
  options.overwrite = raw.has("--overwrite");
  options.output = raw.last("--output");
  if (raw.has("--job")) options.job = raw.last("--job");
  if (raw.has("--run")) {
    options.run = parse_integer(raw.last("--run"));
    if (!options.run || *options.run < 1) {
      return UsageError{"'--run " + raw.last("--run") + "' is no number of a run",
                        "'runner artifact list' shows the numbers"};
    }
  }
  options.words = std::move(raw.positional);
  if (auto error = take_remote(raw, options)) return *error;
  if (options.job_id) return options;
  if (options.action != ArtifactAction::list && options.words.empty()) {
    return UsageError{"no job given", "'runner artifact list' shows jobs and ids; " + help_hint(name)};
  }
  return options;
}

}  // namespace runner::cli
