#pragma once
// An engine with everything it needs in a temporary directory, for any executor.

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cache/caches.h"
#include "cache/layer_store.h"
#include "cache/workspace.h"
#include "executors/executor.h"
#include "runner/base/files.h"
#include "runner/engine/engine.h"
#include "runner/engine/local_jobs.h"
#include "runner/storage/store.h"

namespace runner::test {

/// Remembers what it is told.
class RecordingObserver final : public engine::Observer {
 public:
  void job_changed(const engine::JobView& job) override;
  void job_output(std::size_t job, int attempt, std::string_view bytes) override;
  void pipeline_changed(const engine::PipelineView& pipeline) override;
  /// The statuses a job went through as the observer saw them.
  std::vector<pipelines::JobStatus> history(std::size_t job) const;
  std::string output(std::size_t job, int attempt) const;
  /// All that was told of pipelines.
  std::vector<engine::PipelineView> pipelines() const;
  /// Called with every change, outside of the lock.
  std::function<void(const engine::JobView&)> on_change;

 private:
  mutable std::mutex mutex_;
  std::map<std::size_t, std::vector<pipelines::JobStatus>> history_;
  std::map<std::pair<std::size_t, int>, std::string> output_;
  std::vector<engine::PipelineView> pipelines_;
};

class EngineHarness {
 public:
  explicit EngineHarness(executors::Executor& executor, cache::MountMode mode = cache::MountMode::copy,
                         engine::EngineOptions options = {}, std::unique_ptr<storage::Store> store = {},
                         std::string program = {});

  /// A request for `plan` over the files of source().
  engine::PipelineRequest request(pipelines::Plan plan) const;
  /// Makes, runs and remembers the pipeline.
  engine::PipelineEnd run(engine::PipelineRequest request);
  engine::PipelineEnd run(pipelines::Plan plan) { return run(request(std::move(plan))); }

  engine::JobView job(const std::string& name) const;
  pipelines::JobStatus status(const std::string& name) const { return job(name).status; }
  /// Without escape sequences, section marks and echoed commands.
  std::vector<std::string> log_lines(const std::string& name) const;
  std::string log(const std::string& name) const;
  /// What is left in the directory of running jobs.
  std::vector<std::string> leftovers() const;

  const std::filesystem::path& source() const { return source_; }
  const std::filesystem::path& data() const { return data_; }
  engine::Engine& engine() { return *engine_; }
  std::int64_t pipeline() const { return pipeline_; }
  void adopt(std::int64_t pipeline) { pipeline_ = pipeline; }
  storage::Store& store() { return *store_; }
  cache::LayerStore& layers() { return *layers_; }
  RecordingObserver& observer() { return observer_; }
  const SystemClock& clock() const { return clock_; }
  /// See EngineParts; set before a pipeline is run.
  std::function<bool(const engine::AtGate& job)> holds;

 private:
  TempDir dir_;
  std::filesystem::path source_, data_;
  SystemClock clock_;
  RecordingObserver observer_;
  std::unique_ptr<storage::Store> store_;
  cache::Workspaces workspaces_;
  std::unique_ptr<cache::LayerStore> layers_;
  cache::Caches caches_;
  std::unique_ptr<engine::LocalJobs> jobs_;
  std::unique_ptr<engine::Engine> engine_;
  std::int64_t pipeline_ = 0;
};

/// A plan by hand: one stage per name, jobs added with add().
class PlanBuilder {
 public:
  explicit PlanBuilder(std::vector<std::string> stages = {"build", "test", "deploy"});
  /// A job of a stage; the reference is good until the next call.
  pipelines::PlanJob& add(const std::string& name, std::size_t stage, pipelines::Script script = {"true"});
  /// As add(), with `needs`.
  pipelines::PlanJob& add_dag(const std::string& name, std::size_t stage,
                              const std::vector<std::string>& needs, pipelines::Script script = {"true"});
  pipelines::Plan plan() const { return plan_; }

 private:
  pipelines::Plan plan_;
};

}  // namespace runner::test
