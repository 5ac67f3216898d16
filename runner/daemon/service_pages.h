#pragma once
// What a daemon says of itself: gathers what its parts know for /metrics and the health endpoints.

#include <atomic>
#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include "runner/api/actions.h"
#include "runner/api/api.h"
#include "runner/base/clock.h"
#include "runner/daemon/commit_statuses.h"
#include "runner/daemon/config_keeper.h"
#include "runner/daemon/container_work.h"
#include "runner/daemon/metrics.h"
#include "runner/daemon/project_watch.h"
#include "runner/daemon/request_counts.h"
#include "runner/daemon/schedule_clock.h"
#include "runner/daemon/service_health.h"
#include "runner/database/counted.h"
#include "runner/engine/engine.h"
#include "runner/http/server.h"
#include "runner/storage/store.h"

namespace runner::daemon {

struct ServiceParts {
  const std::string &version, &commit;  // of the program
  std::filesystem::path data;
  const Clock& clock;
  storage::Store& store;
  const database::DatabaseCounts& database;
  const ServiceHealth& health;
  const storage::Sealer& sealer;
  JobCounts& counts;
  const engine::Engine& engine;
  const ProjectWatch& watch;
  const ConfigKeeper& config;
  const CommitStatuses& statuses;
  const ScheduleClock& schedules;
  const ContainerSweeper& sweeper;
};

/// Any thread. All it is given outlives it.
class ServicePages {
 public:
  explicit ServicePages(ServiceParts parts);

  // How far the daemon is.
  void begin() noexcept { serving_ = true; }
  void drain() noexcept { draining_ = true; }
  /// Why no work is taken; "" = it is.
  std::string refusal() const;

  /// Quick: it looks at nothing but memory. See api::Actions.
  api::HealthAnswer health(const api::HealthQuestion& question, const http::Server& server) const;
  /// Blocks on the store and the disk.
  std::string metrics(const http::Server& server, const api::Api& api, const RequestCounts& requests) const;

 private:
  std::set<std::string> projects() const;

  const ServiceParts parts_;
  const TimePoint started_;
  const SteadyPoint started_steady_;
  std::atomic<bool> serving_{false}, draining_{false};
};

}  // namespace runner::daemon
