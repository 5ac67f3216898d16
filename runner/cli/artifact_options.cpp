#include "runner/cli/artifact_options.h"

#include <array>
#include <utility>

#include "runner/base/text.h"

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
  if (options.action != ArtifactAction::list && options.words.empty()) {
    return UsageError{"no job given", "'runner artifact list' shows jobs and ids; " + help_hint(name)};
  }
  return options;
}

}  // namespace runner::cli
