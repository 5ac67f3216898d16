// EngineLoop for a daemon: pipelines come and go, the store may fail for a while.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/engine/engine_loop.h"

namespace runner::engine {

void EngineLoop::resume(std::vector<StoredPipeline> pipelines) {
  adopt(std::move(pipelines));
}

void EngineLoop::adopt(std::vector<StoredPipeline> pipelines) {
  std::vector<std::shared_ptr<PipelineRun>> runs;
  for (StoredPipeline& stored : pipelines) {
    runs.push_back(std::make_shared<PipelineRun>(std::move(stored), services()));
    (*runs_.lock())[runs.back()->id()] = runs.back();
  }
  // Who has a group keeps it, whoever else is looked at first.
  for (const auto& run : runs) run->claim_resources();
  for (const auto& run : runs) {
    for (const std::size_t slot : run->used_slots()) {
      std::erase(free_slots_, slot);
      working_.insert(run->id());
      job_threads_.at_least(++resumed_);
    }
    run->resume();
    touch(run->id());
  }
}

bool EngineLoop::reload(std::int64_t pipeline, const ServeOptions& serve) {
  if (!serve.reload) return true;
  std::vector<StoredPipeline> found;
  try {
    const LoopStats::Wait wait(stats_);
    if (auto stored = serve.reload(pipeline)) found.push_back(std::move(*stored));
  } catch (const Error& error) {
    log_error("engine", "pipeline " + std::to_string(pipeline) + " cannot be read: " + error.what());
    // What is damaged will not get better, and others are not to suffer from it.
    return error.code() != ErrorCode::unavailable && error.code() != ErrorCode::timeout;
  }
  adopt(std::move(found));
  return true;
}

void EngineLoop::serve(const std::stop_token& stop, const ServeOptions& serve) {
  const std::stop_callback wake(stop, [this] { mailbox_.post({0, message::Wake{}}); });
  std::vector<Envelope> arrived;
  while (!stop.stop_requested()) {
    turn(std::move(arrived), &serve);
    if (stalled_ == 0) let_go();
    auto deadline = next_deadline();
    if (try_again_ && (!deadline || *try_again_ < *deadline)) deadline = try_again_;
    if (!kept_.empty()) {
      const SteadyPoint soon = parts_.clock.steady_now() + serve.retry_after;
      deadline = std::min(deadline.value_or(soon), soon);
    }
    arrived = mailbox_.take(deadline);
    arrived.insert(arrived.begin(), std::make_move_iterator(kept_.begin()),
                   std::make_move_iterator(kept_.end()));
    kept_.clear();
  }
}

bool EngineLoop::try_flush(const ServeOptions& serve) {
  if (try_again_ && parts_.clock.steady_now() < *try_again_) return false;
  try {
    flush();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::conflict || error.code() == ErrorCode::internal) throw;
    const auto wait =
        std::min(serve.retry_at_most, serve.retry_after * (1U << std::min<std::size_t>(stalled_, 10)));
    if (stalled_++ == 0)
      log_error("engine", std::string("nothing can be stored, so nothing new starts: ") + error.what());
    try_again_ = parts_.clock.steady_now() + wait;
    if (serve.on_store) serve.on_store(error.what());
    return false;
  }
  try_again_.reset();
  if (stalled_ != 0) {
    stalled_ = 0;
    log_info("engine", "the store can be written again");
    if (serve.on_store) serve.on_store("");
    mailbox_.post({0, message::Wake{}});  // there may be room for what waits
  }
  return true;
}

/// Idle ones are brought back by the next message to them.
void EngineLoop::let_go() {
  std::vector<std::int64_t> gone;
  {
    auto runs = runs_.lock();
    for (const std::int64_t id : idle_) {
      const auto found = runs->find(id);
      if (found != runs->end() && found->second->idle() && !found->second->awaits_resource())
        gone.push_back(id);
    }
    for (const std::int64_t id : gone) runs->erase(id);
  }
  idle_.clear();
}

}  // namespace runner::engine
