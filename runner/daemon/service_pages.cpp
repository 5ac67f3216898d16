#include "runner/daemon/service_pages.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/daemon/health_page.h"
#include "runner/daemon/log_lines.h"
#include "runner/daemon/metrics_page.h"
#include "runner/storage/project_table.h"

namespace runner::daemon {

ServicePages::ServicePages(ServiceParts parts)
    : parts_(std::move(parts)), started_(parts_.clock.now()), started_steady_(parts_.clock.steady_now()) {}

std::string ServicePages::refusal() const {
  if (draining_) return "the server is about to end";
  if (!serving_) return "the server is about to begin";
  return parts_.health.trouble();
}

api::HealthAnswer ServicePages::health(const api::HealthQuestion& question,
                                       const http::Server& server) const {
  HealthFacts facts;
  facts.version = parts_.version;
  facts.started = started_;
  facts.uptime = parts_.clock.steady_now() - started_steady_;
  facts.serving = serving_;
  facts.draining = draining_;
  facts.event_loop_age =
      std::max(parts_.clock.steady_now() - server.stats().last_request, SteadyPoint::duration::zero());
  facts.scheduler_age = parts_.engine.since_step();
  facts.state = parts_.health.state();
  facts.key_id = parts_.sealer.key_id();
  for (const auto& [id, state] : parts_.watch.states()) facts.unreachable += state.error.empty() ? 0U : 1U;
  return health_answer(facts, question);
}

std::string ServicePages::metrics(const http::Server& server, const api::Api& api,
                                  const RequestCounts& requests) const {
  ServiceFacts facts;
  facts.version = parts_.version;
  facts.commit = parts_.commit;
  facts.started = started_;
  facts.ready = refusal().empty();
  facts.health = parts_.health.state();
  facts.engine = parts_.engine.stats();
  facts.looks = parts_.watch.stats();
  facts.commits = parts_.database.commits.counts();
  facts.database_errors = parts_.database.errors;
  facts.http = server.stats();
  facts.containers = parts_.sweeper.reclaimed();
  for (const char* file : {"runner.db", "runner.db-wal"}) {
    std::error_code error;
    if (const auto size = std::filesystem::file_size(parts_.data / file, error); !error)
      facts.database_bytes += size;
  }
  MetricsText more, of_store;
  try {
    facts.projects = projects();
    parts_.counts.keep_projects(facts.projects);
    parts_.statuses.add_metrics(of_store);
  } catch (const Error& error) {  // all else is wanted now more than ever
    of_store = MetricsText();
    log_warn("metrics", std::string("what the store knows is left out: ") + error.what());
  }
  facts.jobs = parts_.counts.numbers();
  requests.add_metrics(more);
  parts_.schedules.add_metrics(more);
  parts_.config.add_metrics(more);
  add_log_metrics(more);
  return metrics_page(facts, api.access_counts()) + of_store.take() + more.take();
}

std::set<std::string> ServicePages::projects() const {
  std::set<std::string> names;
  parts_.store.read([&](storage::Tx& tx) {
    names.clear();
    storage::Projects table(tx);
    for (auto page = table.list(); !page.empty(); page = table.list(page.back().name)) {
      for (const storage::ProjectRecord& project : page) names.insert(project.name);
      if (page.size() < storage::kMaxPage) break;
    }
  });
  return names;
}

}  // namespace runner::daemon
