#pragma once
// The page /metrics, but for what others add to it. Pure but for what /proc says of this process.

#include <cstdint>
#include <set>
#include <string>

#include "runner/api/access_counts.h"
#include "runner/base/clock.h"
#include "runner/daemon/container_work.h"
#include "runner/daemon/metrics.h"
#include "runner/daemon/project_watch.h"
#include "runner/daemon/service_health.h"
#include "runner/engine/engine.h"
#include "runner/http/server.h"

namespace runner::daemon {

/// What a daemon counted up to a moment.
struct ServiceFacts {
  std::string version, commit;  // of the program
  TimePoint started;
  bool ready = false;  // it takes work
  HealthState health;
  std::set<std::string> projects;  // all there are: they have samples before anything ended
  JobCounts::Numbers jobs;
  engine::EngineStats engine;
  WatchStats looks;
  HistogramCounts commits;
  std::uint64_t database_errors = 0;
  http::ServerStats http;
  DiskReclaimed containers;
  std::uint64_t database_bytes = 0;
};

std::string metrics_page(const ServiceFacts& facts, const api::AccessCounts& access);

}  // namespace runner::daemon
