#pragma once
// Time as a value and as a seam. Wall clock for what people read, steady clock for deadlines.

#include <chrono>
#include <string>

namespace runner {

/// Milliseconds since 1970 UTC; what the database stores.
using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyPoint = std::chrono::steady_clock::time_point;

/// Thread-safe. Production code takes a Clock& wherever a test must decide what time it is.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual SteadyPoint steady_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
  SteadyPoint steady_now() const override;
};

/// "2026-01-31T16:47:55Z".
std::string format_iso8601(TimePoint time);

}  // namespace runner
