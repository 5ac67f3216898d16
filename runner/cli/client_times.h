#pragma once
// Moments of a server as people read them. Pure but for the clock; any thread.

#include <optional>
#include <string>

#include "runner/base/clock.h"

namespace runner::cli {

/// "3 h 05 m ago", or nothing.
std::string ago_text(const std::optional<TimePoint>& then, const Clock& clock);
/// "3 h 05 m ago (2026-01-31T16:47:55Z)", or nothing.
std::string when_text(const std::optional<TimePoint>& then, const Clock& clock);
/// The time from `from` to `to`, or up to now; nothing before it began.
std::string took_text(const std::optional<TimePoint>& from, const std::optional<TimePoint>& to,
                      const Clock& clock);

}  // namespace runner::cli
