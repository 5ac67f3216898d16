#pragma once
// The duration grammar of the dialect (timeout, start_in, expire_in, auto_stop_in): "3h30m", "1 week and
// 2 days", "1:30:00", "one hour", "42". See docs/pipeline-language.md. Pure; any thread.

#include <chrono>
#include <optional>
#include <string_view>

namespace runner {

/// nullopt for anything that is no duration, for zero, and for the empty text. `never` is the caller's.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace runner
