#pragma once
// Points in time as text, for those who need more than seconds.

#include <string>

#include "runner/base/clock.h"

namespace runner {

/// "2026-01-31T16:47:55.042Z".
std::string format_iso8601_ms(TimePoint time);

}  // namespace runner
