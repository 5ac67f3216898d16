#include "runner/engine/engine.h"

#include <utility>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/engine/engine_loop.h"
#include "runner/engine/pipeline_run.h"

namespace runner::engine {
namespace {

constexpr std::uint64_t kLargestLogRead = 1ULL << 40U;

EngineOptions with_capacity(EngineOptions options) {
  if (options.capacity == 0)
    throw Error(ErrorCode::invalid_input, "an engine needs a capacity of at least 1");
  return options;
}

}  // namespace

struct Engine::Impl {
  Impl(EngineOptions engine_options, const EngineParts& engine_parts)
      : options(with_capacity(std::move(engine_options))), parts(engine_parts), loop(options, parts) {}

  const EngineOptions options;
  const EngineParts parts;
  EngineLoop loop;
};

Engine::Engine(EngineOptions options, const EngineParts& parts)
    : impl_(std::make_unique<Impl>(std::move(options), parts)) {}

Engine::~Engine() = default;

std::int64_t Engine::create(PipelineRequest request) {
  return impl_->loop.add(std::move(request));
}

PipelineEnd Engine::run(std::int64_t pipeline) {
  return impl_->loop.run(pipeline);
}

void Engine::resume(std::vector<StoredPipeline> pipelines, const std::vector<WaitingPipeline>& waiting) {
  impl_->loop.resume(std::move(pipelines), waiting);
}

void Engine::serve(const std::stop_token& stop, const ServeOptions& options) {
  impl_->loop.serve(stop, options);
}

void Engine::cancel_stored(std::int64_t pipeline, bool kill) {
  impl_->loop.post(pipeline, message::Cancel{kill});
}

void Engine::play_stored(std::int64_t pipeline, std::size_t job) {
  impl_->loop.post(pipeline, message::Play{job});
}

void Engine::cancel_job(std::int64_t pipeline, std::size_t job) {
  impl_->loop.post(pipeline, message::CancelJob{job});
}

void Engine::retry(std::int64_t pipeline) {
  impl_->loop.post(pipeline, message::RetryAll{});
}

void Engine::supersede(std::int64_t pipeline) {
  impl_->loop.post(pipeline, message::Superseded{});
}

void Engine::pass(std::int64_t pipeline, std::size_t job) {
  impl_->loop.post(pipeline, message::Pass{job});
}

void Engine::turn_away(std::int64_t pipeline, std::size_t job, std::string why) {
  impl_->loop.post(pipeline, message::TurnAway{job, std::move(why)});
}

void Engine::set_resource_mode(const ResourceGroups::Key& group, ResourceMode mode) {
  impl_->loop.set_resource_mode(group, mode);
}

void Engine::cancel(std::int64_t pipeline) {
  impl_->loop.find(pipeline);
  impl_->loop.post(pipeline, message::Cancel{false});
}

void Engine::kill(std::int64_t pipeline) {
  impl_->loop.find(pipeline);
  impl_->loop.post(pipeline, message::Cancel{true});
}

void Engine::play(std::int64_t pipeline, std::size_t job) {
  impl_->loop.find(pipeline);
  impl_->loop.post(pipeline, message::Play{job});
}

EngineStats Engine::stats() const {
  return impl_->loop.stats();
}

std::optional<std::chrono::duration<double>> Engine::since_step() const noexcept {
  return impl_->loop.since_step();
}

std::vector<JobView> Engine::jobs(std::int64_t pipeline) const {
  return impl_->loop.find(pipeline)->views();
}

std::string Engine::job_log(std::int64_t pipeline, std::size_t job) const {
  const std::filesystem::path path = job_log_path(pipeline, job);
  if (path.empty()) return {};
  return read_file(path, kLargestLogRead).value_or("");
}

std::filesystem::path Engine::job_log_path(std::int64_t pipeline, std::size_t job) const {
  return impl_->loop.find(pipeline)->log_path(job);
}

}  // namespace runner::engine
