// A daemon of one pipeline, for tests that kill it: small_daemon DIRECTORY
//
//   DIRECTORY/ci.yml   the pipeline; DIRECTORY/source the files; DIRECTORY/data is its own
//
// Makes the pipeline, or goes on with it when it is there. Ends when all of it is done and nothing is left of
// its jobs; prints a line for each: name, status, attempt, exit code, what is archived.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cache/layer_store.h"
#include "cache/workspace.h"
#include "executors/launcher.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/daemon/job_process.h"
#include "runner/daemon/process_jobs.h"
#include "runner/engine/stored_pipeline.h"
#include "runner/storage/store.h"
#include "runner/storage/tables.h"
#include "tests/support/memory_repository.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;

engine::Checkout checkout_of(const std::string& recipe) {
  engine::Checkout checkout;
  checkout.lowers = {recipe};
  checkout.project_dir = recipe;
  checkout.builds_dir = fs::path(recipe).parent_path();
  checkout.blob_id = [](std::string_view) { return std::optional<std::string>(); };
  checkout.last_commit = checkout.blob_id;
  checkout.is_tracked = [](std::string_view) { return false; };
  return checkout;
}

void job_main(const executors::AwaitWork& next) {
  daemon::run_job_process(next,
                          [](const std::string& recipe, cache::LayerStore&) { return checkout_of(recipe); });
}

class NoObserver final : public engine::Observer {
 public:
  void job_changed(const engine::JobView&) override {}
  void job_output(std::size_t, int, std::string_view) override {}
};

engine::PipelineRequest request_of(const fs::path& directory) {
  MemoryRepository repository;
  const auto text = read_file(directory / "ci.yml");
  auto planned = pipelines::make_plan("ci.yml", text.value_or(""), push_to_main(), repository, repository);
  if (!planned.plan) throw Error(ErrorCode::invalid_input, "no plan: " + planned.why);
  engine::PipelineRequest request;
  request.plan = std::move(*planned.plan);
  for (auto& job : request.plan.jobs) {
    if (job.start_in) job.start_in = std::chrono::milliseconds(50);
  }
  request.facts = push_to_main();
  request.recipe = (directory / "source").native();
  request.scope = "group/project";
  request.artifact_prefix = "1/";
  request.base_environment = {
      {"PATH", "/usr/bin:/bin"}, {"HOME", "/"}, {"RAN", (directory / "ran").native()}};
  return request;
}

bool is_done(const storage::Store& store, const fs::path& data) {
  bool done = false;
  store.read([&](storage::Tx& tx) {
    const auto stored = engine::load_pipeline(tx, 1, {});
    done = is_completed(stored.record.status) && engine::attempts_at_host(stored).empty();
  });
  return done && fs::is_empty(data / "jobs");
}

void print(const storage::Store& store) {
  store.read([&](storage::Tx& tx) {
    const auto stored = engine::load_pipeline(tx, 1, {});
    std::printf("pipeline %s\n", std::string(to_string(stored.record.status)).c_str());
    for (const auto& job : stored.attempts) {
      const auto result = stored.results.find(job.id);
      const bool known = result != stored.results.end();
      std::printf("%s %s #%d %d%s%s %s\n", job.name.c_str(), std::string(to_string(job.status)).c_str(),
                  job.attempt, job.exit_code.value_or(-1), known && result->second.archive ? " archive" : "",
                  known && result->second.reports ? " reports" : "", job.reason.c_str());
    }
  });
}

int run(const fs::path& directory) {
  const executors::Launcher launcher = executors::Launcher::start(job_main);
  const SystemClock clock;
  NoObserver observer;
  const fs::path data = directory / "data";
  make_directories(data);
  const auto store = storage::open_file_store(data / "runner.db", clock);
  const auto layers = cache::LayerStore::open(data / "layers", clock);
  daemon::ProcessJobsOptions options;
  options.engine.data_dir = data;
  options.engine.durable = true;
  options.engine.capacity = 3;
  options.mount_mode = cache::probe_mount_mode(data / "work").mode;
  daemon::ProcessJobs jobs(options, launcher, *layers, {});
  std::stop_source stop;
  {
    engine::Engine engine(options.engine, {*store, jobs, clock, observer});
    std::vector<engine::StoredPipeline> stored;
    store->read([&](storage::Tx& tx) {
      stored.clear();
      if (!storage::Pipelines(tx).find(1)) return;
      stored.push_back(engine::load_pipeline(
          tx, 1, [&](const cache::EntryName& name, std::string& why) { return layers->find(name, &why); }));
    });
    if (stored.empty()) {
      engine.create(request_of(directory));
    } else {
      stored[0].request = request_of(directory);
      const auto wanted = engine::attempts_at_host(stored[0]);
      jobs.take_over({wanted.begin(), wanted.end()});
      engine.resume(std::move(stored));
    }
    const std::jthread watch([&] {
      while (!is_done(*store, data)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      stop.request_stop();
    });
    engine.serve(stop.get_token(), {});
    jobs.release();
  }
  print(*store);
  return 0;
}

}  // namespace
}  // namespace runner::test

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    return runner::test::run(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "small_daemon: %s\n", error.what());
    return 3;
  }
}
