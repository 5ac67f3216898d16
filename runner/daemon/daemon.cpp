#include "runner/daemon/daemon.h"

#include <unistd.h>

#include <atomic>
#include <set>
#include <utility>

#include "cache/housekeeper.h"
#include "cache/layer_store.h"
#include "runner/api/api.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/synchronized.h"
#include "runner/base/text.h"
#include "runner/daemon/commit_recipe.h"
#include "runner/daemon/config_keeper.h"
#include "runner/daemon/data_directory.h"
#include "runner/daemon/job_process.h"
#include "runner/daemon/log_lines.h"
#include "runner/daemon/metrics.h"
#include "runner/daemon/metrics_page.h"
#include "runner/daemon/process_jobs.h"
#include "runner/daemon/resource_modes.h"
#include "runner/daemon/schedule_clock.h"
#include "runner/daemon/service_actions.h"
#include "runner/daemon/service_health.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

// Some wait for a repository.
constexpr std::size_t kHandlers = 16;
// For requests that have begun, at the end.
constexpr std::chrono::milliseconds kHttpGrace{5'000};

engine::EngineOptions durable(engine::EngineOptions options, const std::filesystem::path& data) {
  options.data_dir = data;
  options.durable = true;
  return options;
}

http::Response plain(int status, std::string text) {
  http::Response response;
  response.status = status;
  response.headers.set("Content-Type", "text/plain; charset=utf-8");
  response.headers.set("Cache-Control", "no-store");
  response.body = std::move(text);
  return response;
}

}  // namespace

void job_main(std::vector<UniqueFd> fds) {
  run_job_process(std::move(fds), checkout_of_commit);
}

struct Daemon::Impl {
  Impl(DaemonOptions daemon_options, const executors::Launcher& launcher)
      : options(std::move(daemon_options)),
        data(options.data),
        store(storage::open_file_store(data.path() / "runner.db", clock)),
        health_of(*store, clock, data.path()),
        sealer(open_sealer(data.path(), *store)),
        layers(cache::LayerStore::open(data.path() / "layers", clock)),
        housekeeper(*layers, cache::HousekeepingOptions{}),
        engine_options(durable(options.engine, data.path())),
        base_environment(options.base_environment),
        jobs({engine_options, options.mount_mode, data.rebooted(), [this] { return health_of.good(); },
              &base_environment},
             launcher, *layers, [this] { housekeeper.wake(); }),
        statuses(*store, sealer, clock, options.statuses),
        engine(engine_options,
               {*store, jobs, clock, counts,
                [this](storage::Tx& tx, const engine::StoredChange& change) { statuses.note(tx, change); }}),
        maker({*store, sealer, *layers, clock, data.path(), base_environment, "http://" + options.address,
               options.shell_only,
               [this](storage::Tx& tx, const engine::StoredChange& change) { statuses.note(tx, change); },
               [this] { statuses.wake(); }}),
        started(clock.now()),
        started_steady(clock.steady_now()) {
    config.emplace(ConfigParts{*store, sealer, clock, base_environment, options.overridden}, options.config);
    recover();
    statuses.start();  // before there are threads that wake it
    watch = std::make_unique<ProjectWatch>(
        LookParts{*store, sealer, maker, engine, clock, data.path(), [this] { return health_of.good(); }},
        options.watch);
    retention.emplace(*store, clock, data.path(), options.retention);
    schedules = std::make_unique<ScheduleClock>(
        ScheduleParts{*store, sealer, clock,
                      [this](const storage::ProjectRecord& project, const std::string& ref, Trigger trigger,
                             const Settle& settle) {
                        return watch->run_scheduled(project, ref, std::move(trigger), settle);
                      }});
    actions.emplace(engine, *watch, *schedules, [this] { return refusal(); });
    api = std::make_unique<api::Api>(
        api::ApiParts{*store, sealer, clock, *actions, data.path(), options.version, options.commit});
    counts.on_change = [this] {
      api->changed();
      statuses.wake();
    };
    socket = data.path() / "runner.sock";
    http::ServerOptions http;
    http.handler_threads = kHandlers;
    http.tcp.push_back({options.address, options.port, options.tls});
    http.unix_sockets.push_back({socket, 0660});
    http.access_log = [this](const http::AccessRecord& record) {
      log_access(record);
      ++(*requests.lock())[{record.method, record.status}];
    };
    server = std::make_unique<http::Server>(std::move(http), routes());
  }

  void recover() {
    std::vector<engine::StoredPipeline> found = maker.unfinished();
    std::set<std::int64_t> wanted;
    for (const engine::StoredPipeline& stored : found) {
      for (const std::int64_t attempt : engine::attempts_at_host(stored)) wanted.insert(attempt);
    }
    if (!found.empty()) {
      log_info("daemon", "going on with " + std::to_string(found.size()) + " pipelines, " +
                             std::to_string(wanted.size()) + " jobs of them under way");
    }
    load_resource_modes(*store, engine);
    jobs.take_over(std::move(wanted));
    engine.resume(std::move(found));
    housekeeper.wake();
  }

  void run(const std::stop_token& stop) {
    server->start();
    schedules->start();
    ready = true;
    log_info("daemon", "listening on " + address() + " and " + socket.native());
    if (on_ready) on_ready();
    engine::ServeOptions serve;
    serve.reload = [this](std::int64_t pipeline) { return maker.load(pipeline); };
    serve.on_store = [this](const std::string& trouble) { health_of.tell_store_trouble(trouble); };
    const std::stop_callback drain(stop, [this] { ready = false; });
    try {
      engine.serve(stop, serve);
    } catch (...) {
      end();
      throw;
    }
    end();
  }

  void reload() {
    if (!config->reload()) return;
    load_resource_modes(*store, engine);
    watch->reload();
    schedules->changed();
    api->changed();
  }

  void end() {
    ready = false;
    server->request_stop(kHttpGrace);
    watch->stop();
    retention.reset();
    schedules->stop();
    server->stop(kHttpGrace);
    jobs.release();
    statuses.stop();
  }

  std::string refusal() {
    if (!ready) return "the server is about to end";
    return health_of.trouble();
  }

  // ---- what others see

  std::string address() const {
    const std::string host =
        options.address.find(':') == std::string::npos ? options.address : "[" + options.address + "]";
    return host + ":" + std::to_string(server->port());
  }

  http::Router routes() {
    http::Router router;
    router.add({"GET", "/livez", "livez", [](const http::Request&) { return plain(200, "ok\n"); }, {}, true});
    router.add({"GET",
                "/readyz",
                "readyz",
                [this](const http::Request&) {
                  const std::string why = refusal();
                  return why.empty() ? plain(200, "ok\n") : plain(503, why + "\n");
                },
                {},
                true});
    router.add({"GET", "/healthz", "healthz", [this](const http::Request&) { return health(); }, {}, true});
    router.add({"GET", "/metrics", "metrics", [this](const http::Request&) { return metrics(); }});
    api->add_routes(router);
    return router;
  }

  http::Response health() {
    const ServiceFacts known = facts();
    http::Response response = plain(known.refusal.empty() ? 200 : 503, health_page(known));
    response.headers.set("Content-Type", "application/health+json");
    return response;
  }

  http::Response metrics() {
    ServiceFacts known = facts();
    for (const char* file : {"runner.db", "runner.db-wal"}) {
      std::error_code error;
      if (const auto size = std::filesystem::file_size(data.path() / file, error); !error)
        known.database_bytes += size;
    }
    MetricsText more;
    statuses.add_metrics(more);
    schedules->add_metrics(more);
    config->add_metrics(more);
    add_log_metrics(more);
    http::Response response = plain(200, metrics_page(known) + more.take());
    response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return response;
  }

  ServiceFacts facts() {
    ServiceFacts known;
    known.version = options.version;
    known.commit = options.commit;
    known.started = started;
    known.uptime = clock.steady_now() - started_steady;
    known.refusal = refusal();
    known.health = health_of.state();
    known.jobs = counts.numbers();
    known.looks = watch->stats();
    for (const auto& [id, state] : watch->states()) known.unreachable += state.error.empty() ? 0U : 1U;
    known.requests = *requests.lock();
    return known;
  }

  const DaemonOptions options;
  const SystemClock clock;
  const DataDirectory data;
  const std::unique_ptr<storage::Store> store;
  ServiceHealth health_of;
  const storage::Sealer sealer;
  const std::unique_ptr<cache::LayerStore> layers;
  cache::Housekeeper housekeeper;
  const engine::EngineOptions engine_options;
  JobCounts counts;
  BaseEnvironment base_environment;
  ProcessJobs jobs;
  CommitStatuses statuses;
  engine::Engine engine;
  PipelineMaker maker;
  const TimePoint started;
  const SteadyPoint started_steady;
  std::filesystem::path socket;
  std::function<void()> on_ready;
  std::atomic<bool> ready{false};
  Synchronized<std::map<std::pair<std::string, int>, std::uint64_t>> requests;
  std::optional<ConfigKeeper> config;
  std::unique_ptr<ProjectWatch> watch;
  std::optional<RetentionThread> retention;
  std::unique_ptr<ScheduleClock> schedules;
  std::optional<ServiceActions> actions;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<http::Server> server;  // last: its handlers use all of this
};

Daemon::Daemon(DaemonOptions options, const executors::Launcher& launcher)
    : impl_(std::make_unique<Impl>(std::move(options), launcher)) {}

Daemon::~Daemon() = default;

std::string Daemon::address() const {
  return impl_->address();
}

const std::filesystem::path& Daemon::socket() const {
  return impl_->socket;
}

void Daemon::on_ready(std::function<void()> told) {
  impl_->on_ready = std::move(told);
}

void Daemon::reload() noexcept {
  try {
    impl_->reload();
  } catch (const std::exception& error) {
    log_error("daemon", error.what());
  }
}

void Daemon::run(const std::stop_token& stop) {
  impl_->run(stop);
}

}  // namespace runner::daemon
