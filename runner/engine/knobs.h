#pragma once
// Variables that steer how a runner works rather than what a job does.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/artifacts.h"

namespace runner::engine {

/// Names, joined by ", ", of those among `values` that ask for something which means nothing here: the
/// workspace is made from trees that are there, nothing is cloned, fetched or transferred. "" when there are
/// none. `of_commit`: they are of a commit, so that source_knobs() means something.
std::string knobs_without_effect(const std::map<std::string, std::string>& values, bool of_commit = false);

/// A warning for each of `values` that is none of its knob's; those are taken as unset everywhere. Without
/// the knobs whose readers warn themselves.
std::vector<std::string> wrong_knobs(const std::map<std::string, std::string>& values,
                                     bool of_commit = false);

/// A boolean knob; nullopt: `text` is none.
std::optional<bool> parse_flag(std::string_view text);

/// A number of attempts (RESTORE_CACHE_ATTEMPTS): 1 to 10, 1 when it is unset or no number.
int attempts_of(std::string_view text);

/// ARTIFACT_COMPRESSION_FORMAT: zip (or unset) or tarzstd. nullopt: `text` names none.
std::optional<artifacts::ArchiveFormat> archive_format(std::string_view text);

/// ARTIFACT_COMPRESSION_LEVEL as a deflate level, 0 = store. nullopt: `text` names none.
std::optional<int> compression_level(std::string_view text);

}  // namespace runner::engine
