#pragma once
// The pages /metrics and /healthz. Pure but for what /proc says of this process.

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "runner/base/clock.h"
#include "runner/daemon/metrics.h"
#include "runner/daemon/project_watch.h"
#include "runner/daemon/service_health.h"

namespace runner::daemon {

/// What a daemon knows of itself at a moment.
struct ServiceFacts {
  std::string version, commit;  // of the program
  TimePoint started;
  std::chrono::duration<double> uptime{0};  // by the steady clock
  std::string refusal;                      // why it takes no work; "" = it does
  HealthState health;
  JobCounts::Numbers jobs;
  WatchStats looks;
  std::size_t unreachable = 0;                                    // projects whose last look failed
  std::map<std::pair<std::string, int>, std::uint64_t> requests;  // by method and status
  std::uint64_t database_bytes = 0;
};

/// In the text form of Prometheus, version 0.0.4.
std::string metrics_page(const ServiceFacts& facts);
/// As application/health+json.
std::string health_page(const ServiceFacts& facts);

}  // namespace runner::daemon
