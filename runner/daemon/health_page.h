#pragma once
// What /livez, /readyz and /healthz say. Pure.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "runner/api/actions.h"
#include "runner/base/clock.h"
#include "runner/daemon/service_health.h"

namespace runner::daemon {

/// No turn of the engine's loop goes without a step for so long: steps are a message, a pipeline, a job that
/// is started. What takes longest of them reads and removes files of one job.
inline constexpr std::chrono::seconds kLongestStep{300};

/// What a daemon knows of how it is.
struct HealthFacts {
  std::string version;
  TimePoint started;
  std::chrono::duration<double> uptime{0};  // by the steady clock
  bool serving = false;                     // requests are answered, and work may be taken
  bool draining = false;                    // it is about to end
  // Since it was seen to work; of the engine nullopt: it has nothing to do.
  std::chrono::duration<double> event_loop_age{0};
  std::optional<std::chrono::duration<double>> scheduler_age;
  HealthState state;
  std::string key_id;
  std::size_t unreachable = 0;  // projects whose last look failed
};

api::HealthAnswer health_answer(const HealthFacts& facts, const api::HealthQuestion& question);

}  // namespace runner::daemon
