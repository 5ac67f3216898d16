#include "runner/daemon/daemon.h"

#include <unistd.h>

#include <set>
#include <utility>

#include "cache/housekeeper.h"
#include "cache/layer_store.h"
#include "executors/containers/owner.h"
#include "runner/api/api.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/audit_heart.h"
#include "runner/daemon/commit_recipe.h"
#include "runner/daemon/config_keeper.h"
#include "runner/daemon/container_work.h"
#include "runner/daemon/data_directory.h"
#include "runner/daemon/deploy_desk.h"
#include "runner/daemon/job_process.h"
#include "runner/daemon/key_keeper.h"
#include "runner/daemon/log_lines.h"
#include "runner/daemon/process_jobs.h"
#include "runner/daemon/project_variables.h"
#include "runner/daemon/resource_modes.h"
#include "runner/daemon/schedule_clock.h"
#include "runner/daemon/service_actions.h"
#include "runner/daemon/service_health.h"
#include "runner/daemon/service_pages.h"
#include "runner/storage/counted_store.h"
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
  if (!options.containers.socket.empty())
    options.containers.owner = executors::container_owner(data / "jobs");
  options.containers.images = data / "images";
  options.deployments = {data / "runner.db", data / "deployments", true};
  return options;
}

/// As observers are told of one that waits for room.
engine::JobView waiting_job(const storage::WaitingPipeline& pipeline, std::size_t index) {
  engine::JobView job;
  job.pipeline = pipeline.id;
  job.project = pipeline.project;
  job.index = index;
  job.status = pipelines::JobStatus::pending;
  return job;
}

}  // namespace

void job_main(const executors::AwaitWork& next) {
  run_job_process(next, checkout_of_commit);
}

struct Daemon::Impl {
  Impl(DaemonOptions daemon_options, const executors::Launcher& launcher)
      : options(std::move(daemon_options)),
        data(options.data),
        store(storage::open_counted_store(data.path() / "runner.db", clock, database_counts)),
        sealer(open_sealer(data.path(), *store)),
        keys(*store, sealer, data_key_files(data.path()), clock),
        audit_key(open_audit_key(data.path())),
        heart(*store, audit_key, clock, options.version),
        health_of(*store, clock, data.path()),
        layers(cache::LayerStore::open(data.path() / "layers", clock)),
        housekeeper(*layers, cache::HousekeepingOptions{}),
        engine_options(durable(options.engine, data.path())),
        sweeper(launcher, engine_options.containers, data.path() / "jobs"),
        base_environment(options.base_environment),
        jobs({engine_options, options.mount_mode, data.rebooted(), [this] { return health_of.good(); },
              &base_environment,
              [this](const engine::JobOrder& order) {
                return variables_of_job(*store, sealer, order, clock.now());
              }},
             launcher, *layers, [this] { housekeeper.wake(); }),
        statuses(*store, sealer, clock, options.statuses),
        desk({*store, clock, [this](std::int64_t pipeline, std::size_t job) { engine.pass(pipeline, job); },
              [this](std::int64_t pipeline, std::size_t job, std::string why) {
                engine.turn_away(pipeline, job, std::move(why));
              },
              [this](std::int64_t pipeline, std::size_t job) { engine.play_stored(pipeline, job); }}),
        engine(engine_options, {*store, jobs, clock, counts,
                                [this](storage::Tx& tx, const engine::StoredChange& change) {
                                  statuses.note(tx, change);
                                  desk.note(change);
                                },
                                [this](const engine::AtGate& job) { return desk.holds(job); }}),
        maker({*store, sealer, *layers, clock, data.path(), base_environment, "http://" + options.address,
               options.shell_only, engine_options.containers,
               [this](storage::Tx& tx, const engine::StoredChange& change) { statuses.note(tx, change); },
               [this](const storage::PipelineRecord& refused) {
                 counts.pipeline_refused(refused);
                 statuses.wake();
               }}) {
    config.emplace(ConfigParts{*store, sealer, clock, base_environment, options.overridden}, options.config);
    recover();
    statuses.start();  // before there are threads that wake it
    watch = std::make_unique<ProjectWatch>(
        LookParts{*store, sealer, maker, engine, clock, data.path(), [this] { return health_of.good(); }},
        options.watch);
    retention.emplace(*store, clock, data.path(), options.retention, [this](const RetentionTally& tally) {
      if (tally.kept_bytes) counts.archives_measured(*tally.kept_bytes);
    });
    schedules = std::make_unique<ScheduleClock>(
        ScheduleParts{*store, sealer, clock,
                      [this](const storage::ProjectRecord& project, const std::string& ref, Trigger trigger,
                             const Settle& settle) {
                        return watch->run_scheduled(project, ref, std::move(trigger), settle);
                      }});
    pages.emplace(ServiceParts{options.version, options.commit, data.path(), clock, *store, database_counts,
                               health_of, sealer, counts, engine, *watch, *config, statuses, *schedules,
                               sweeper});
    actions.emplace(
        engine, *watch, *schedules, desk,
        DeploySheets(*store, sealer,
                     [this](const storage::ProjectRecord& project) { return maker.mirror_of(project); }),
        ServiceActions::Told{
            [this] { return pages->refusal(); },
            [this](const api::HealthQuestion& asked) { return pages->health(asked, *server); },
            [this] { return pages->metrics(*server, *api, *requests); }});
    api = std::make_unique<api::Api>(api::ApiParts{*store, sealer, audit_key, clock, *actions, keys,
                                                   data.path(), options.version, options.commit});
    counts.on_change = [this] {
      api->changed();
      statuses.wake();
      desk.wake();
    };
    socket = data.path() / "runner.sock";
    http::Router router;
    api->add_routes(router);
    requests.emplace(router.table());
    http::ServerOptions http;
    http.handler_threads = kHandlers;
    http.tcp.push_back({options.address, options.port, options.tls});
    http.unix_sockets.push_back({socket, 0660});
    http.access_log = [this](const http::AccessRecord& record) {
      log_access(record);
      requests->add(record);
    };
    server = std::make_unique<http::Server>(std::move(http), std::move(router));
  }

  void recover() {
    PipelineMaker::Unfinished found = maker.unfinished();
    std::set<std::int64_t> wanted;
    for (const engine::StoredPipeline& stored : found.under_way) {
      for (const std::int64_t attempt : engine::attempts_at_host(stored)) wanted.insert(attempt);
    }
    if (!found.under_way.empty() || !found.waiting.empty()) {
      log_info("daemon", "going on with " + std::to_string(found.under_way.size()) + " pipelines, " +
                             std::to_string(wanted.size()) + " jobs of them under way; " +
                             std::to_string(found.waiting.size()) + " others wait for room");
    }
    std::vector<engine::WaitingPipeline> waiting;
    for (const storage::WaitingPipeline& one : found.waiting) {
      waiting.push_back({one.id, one.project, static_cast<int>(one.priority)});
      // They count as waiting before they are read.
      for (const std::size_t job : one.pending) counts.job_changed(waiting_job(one, job));
    }
    load_resource_modes(*store, engine);
    jobs.take_over(std::move(wanted));
    engine.resume(std::move(found.under_way), waiting);
    housekeeper.wake();
  }

  void run(const std::stop_token& stop) {
    heart.start();
    keys.start();
    server->start();
    schedules->start();
    desk.start();
    pages->begin();
    log_info("daemon", "listening on " + address() + " and " + socket.native());
    if (on_ready) on_ready();
    engine::ServeOptions serve;
    serve.reload = [this](std::int64_t pipeline) { return maker.load(pipeline); };
    serve.on_store = [this](const std::string& trouble) { health_of.tell_store_trouble(trouble); };
    const std::stop_callback drain(stop, [this] { pages->drain(); });
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
    pages->drain();
    server->request_stop(kHttpGrace);
    watch->stop();
    retention.reset();
    schedules->stop();
    desk.stop();
    server->stop(kHttpGrace);
    jobs.release();
    statuses.stop();
    keys.stop();
    heart.stop();
  }

  std::string address() const {
    const std::string host =
        options.address.find(':') == std::string::npos ? options.address : "[" + options.address + "]";
    return host + ":" + std::to_string(server->port());
  }

  const DaemonOptions options;
  const SystemClock clock;
  const DataDirectory data;
  database::DatabaseCounts database_counts;
  const std::unique_ptr<storage::Store> store;
  storage::Sealer sealer;
  KeyKeeper keys;
  const storage::AuditKey audit_key;
  AuditHeart heart;
  ServiceHealth health_of;
  const std::unique_ptr<cache::LayerStore> layers;
  cache::Housekeeper housekeeper;
  const engine::EngineOptions engine_options;
  ContainerSweeper sweeper;
  JobCounts counts;
  BaseEnvironment base_environment;
  ProcessJobs jobs;
  CommitStatuses statuses;
  DeployDesk desk;
  engine::Engine engine;
  PipelineMaker maker;
  std::filesystem::path socket;
  std::function<void()> on_ready;
  std::optional<ConfigKeeper> config;
  std::unique_ptr<ProjectWatch> watch;
  std::optional<RetentionThread> retention;
  std::unique_ptr<ScheduleClock> schedules;
  std::optional<ServicePages> pages;
  std::optional<ServiceActions> actions;
  std::optional<RequestCounts> requests;
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
