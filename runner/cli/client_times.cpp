#include "runner/cli/client_times.h"

#include <algorithm>

#include "runner/base/text.h"

namespace runner::cli {

std::string took_text(const std::optional<TimePoint>& from, const std::optional<TimePoint>& to,
                      const Clock& clock) {
  if (!from) return {};
  return format_duration(std::max(to.value_or(clock.now()) - *from, std::chrono::milliseconds(0)));
}

std::string ago_text(const std::optional<TimePoint>& then, const Clock& clock) {
  return then ? took_text(then, std::nullopt, clock) + " ago" : "";
}

std::string when_text(const std::optional<TimePoint>& then, const Clock& clock) {
  return then ? ago_text(then, clock) + " (" + format_iso8601(*then) + ")" : "";
}

}  // namespace runner::cli
