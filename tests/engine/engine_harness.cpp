#include "tests/engine/engine_harness.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "runner/base/text.h"
#include "tests/support/memory_repository.h"

namespace runner::test {
namespace {

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

}  // namespace

void RecordingObserver::job_changed(const engine::JobView& job) {
  {
    const std::lock_guard lock(mutex_);
    history_[job.index].push_back(job.status);
  }
  if (on_change) on_change(job);
}

void RecordingObserver::job_output(std::size_t job, int attempt, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  auto& text = output_[{job, attempt}];
  if (text.size() < (1U << 20U)) text += bytes;
}

void RecordingObserver::pipeline_changed(const engine::PipelineView& pipeline) {
  const std::lock_guard lock(mutex_);
  pipelines_.push_back(pipeline);
}

std::vector<engine::PipelineView> RecordingObserver::pipelines() const {
  const std::lock_guard lock(mutex_);
  return pipelines_;
}

std::vector<pipelines::JobStatus> RecordingObserver::history(std::size_t job) const {
  const std::lock_guard lock(mutex_);
  const auto found = history_.find(job);
  return found == history_.end() ? std::vector<pipelines::JobStatus>() : found->second;
}

std::string RecordingObserver::output(std::size_t job, int attempt) const {
  const std::lock_guard lock(mutex_);
  const auto found = output_.find({job, attempt});
  return found == output_.end() ? std::string() : found->second;
}

EngineHarness::EngineHarness(executors::Executor& executor, cache::MountMode mode,
                             engine::EngineOptions options, std::unique_ptr<storage::Store> store,
                             std::string program)
    : source_(dir_.path() / "source"),
      data_(dir_.path() / "data"),
      store_(store ? std::move(store) : storage::make_memory_store(clock_)),
      workspaces_(mode),
      layers_(cache::LayerStore::open(dir_.path() / "layers", clock_)),
      caches_(*layers_) {
  make_directories(source_);
  make_directories(data_);
  options.data_dir = data_;
  options.retry_after = std::chrono::milliseconds(20);
  engine::JobParts parts{executor, workspaces_, &caches_, clock_, observer_, {}};
  parts.program = std::move(program);
  jobs_ = std::make_unique<engine::LocalJobs>(options, parts);
  engine_ = std::make_unique<engine::Engine>(
      options, engine::EngineParts{*store_, *jobs_, clock_, observer_, {}, [this](const engine::AtGate& job) {
                                     return holds && holds(job);
                                   }});
}

engine::PipelineRequest EngineHarness::request(pipelines::Plan plan) const {
  engine::PipelineRequest request;
  request.plan = std::move(plan);
  request.facts = push_to_main();
  request.checkout.lowers = {source_};
  request.checkout.project_dir = source_;
  request.checkout.builds_dir = source_.parent_path();
  request.checkout.blob_id = [](std::string_view) { return std::optional<std::string>(); };
  request.checkout.last_commit = request.checkout.blob_id;
  request.checkout.is_tracked = [this](std::string_view path) {
    return std::filesystem::exists(source_ / path);
  };
  request.scope = "group/project";
  request.base_environment = {{"PATH", environment("PATH", "/usr/bin:/bin")},
                              {"HOME", environment("HOME", "/")}};
  return request;
}

engine::PipelineEnd EngineHarness::run(engine::PipelineRequest request) {
  pipeline_ = engine_->create(std::move(request));
  return engine_->run(pipeline_);
}

engine::JobView EngineHarness::job(const std::string& name) const {
  for (const engine::JobView& job : engine_->jobs(pipeline_)) {
    if (job.name == name) return job;
  }
  throw std::runtime_error("no job '" + name + "'");
}

std::string EngineHarness::log(const std::string& name) const {
  return engine_->job_log(pipeline_, job(name).index);
}

std::vector<std::string> EngineHarness::log_lines(const std::string& name) const {
  std::vector<std::string> lines;
  const std::string text = log(name);
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t start = line.rfind('\r');
    const std::string plain = strip_ansi(start == std::string_view::npos ? line : line.substr(start + 1));
    if (!plain.empty() && !plain.starts_with("$ ")) lines.push_back(plain);
  }
  return lines;
}

std::vector<std::string> EngineHarness::leftovers() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(data_ / "work")) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

PlanBuilder::PlanBuilder(std::vector<std::string> stages) {
  plan_.stages = std::move(stages);
}

pipelines::PlanJob& PlanBuilder::add(const std::string& name, std::size_t stage, pipelines::Script script) {
  pipelines::PlanJob job;
  job.name = job.group_name = name;
  job.stage_index = stage;
  job.stage = plan_.stages.at(stage);
  job.script = std::move(script);
  std::vector<std::size_t> sources;
  for (std::size_t i = 0; i < plan_.jobs.size(); ++i) {
    if (plan_.jobs[i].stage_index < stage) sources.push_back(i);
  }
  job.artifact_sources = pipelines::JobIndices(std::move(sources));
  return plan_.jobs.emplace_back(std::move(job));
}

pipelines::PlanJob& PlanBuilder::add_dag(const std::string& name, std::size_t stage,
                                         const std::vector<std::string>& needs, pipelines::Script script) {
  std::vector<pipelines::Need> found;
  for (const std::string& need : needs) {
    for (std::size_t i = 0; i < plan_.jobs.size(); ++i) {
      if (plan_.jobs[i].name == need) found.push_back({i, true});
    }
  }
  pipelines::PlanJob& job = add(name, stage, std::move(script));
  job.dag = true;
  job.needs = found;
  std::vector<std::size_t> sources;
  for (const auto& need : found) sources.push_back(need.job);
  job.artifact_sources = pipelines::JobIndices(std::move(sources));
  return job;
}

}  // namespace runner::test
