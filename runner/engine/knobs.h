#pragma once
// Variables that steer how a runner works rather than what a job does.

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace runner::engine {

/// Names, joined by ", ", of those among `values` that ask for something which means nothing here: the
/// workspace is made from trees that are there, nothing is cloned, fetched or transferred. "" when there are
/// none.
std::string knobs_without_effect(const std::map<std::string, std::string>& values);

/// ARTIFACT_COMPRESSION_LEVEL as a deflate level, 0 = store. nullopt: `text` names none.
std::optional<int> compression_level(std::string_view text);

}  // namespace runner::engine
