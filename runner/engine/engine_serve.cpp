// EngineLoop for a daemon: pipelines come and go, the store may fail for a while.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/engine/engine_loop.h"

namespace runner::engine {

namespace {

// Of a project's jobs so many are in the queue at least, as far as there are as many; pipelines are read back
// when there are fewer, and those that come when there are many more stay in the store.
std::size_t few(std::size_t capacity) {
  return std::max<std::size_t>(16, 2 * capacity);
}
std::size_t many(std::size_t capacity) {
  return 4 * few(capacity);
}

}  // namespace

void EngineLoop::resume(std::vector<StoredPipeline> pipelines, const std::vector<WaitingPipeline>& waiting) {
  adopt(std::move(pipelines));
  for (const WaitingPipeline& one : waiting) {
    backlog_.add(one.scope, {one.id, one.priority});
    short_.insert(one.scope);
  }
}

void EngineLoop::adopt(std::vector<StoredPipeline> pipelines) {
  std::vector<std::shared_ptr<PipelineRun>> runs;
  for (StoredPipeline& stored : pipelines) {
    runs.push_back(std::make_shared<PipelineRun>(std::move(stored), services()));
    (*runs_.lock())[runs.back()->id()] = runs.back();
    backlog_.remove(runs.back()->id());
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
    // What is damaged will not get better, and others are not to suffer from it.
    const bool for_now = error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
    if (!for_now || !std::exchange(unreadable_, true))
      log_error("engine", "pipeline " + std::to_string(pipeline) + " cannot be read: " + error.what());
    return !for_now;
  }
  if (std::exchange(unreadable_, false)) log_info("engine", "pipelines can be read again");
  adopt(std::move(found));
  return true;
}

void EngineLoop::serve(const std::stop_token& stop, const ServeOptions& serve) {
  const std::stop_callback wake(stop, [this] { mailbox_.post({0, message::Wake{}}); });
  std::vector<Envelope> arrived;
  while (!stop.stop_requested()) {
    turn(std::move(arrived), &serve);
    if (stalled_ == 0) {
      let_go();
      if (serve.reload) step_back();
    }
    auto deadline = next_deadline();
    if (try_again_ && (!deadline || *try_again_ < *deadline)) deadline = try_again_;
    if (!kept_.empty() || !short_.empty()) {
      const SteadyPoint soon = parts_.clock.steady_now() + serve.retry_after;
      deadline = std::min(deadline.value_or(soon), soon);
    }
    arrived = mailbox_.take(deadline);
    arrived.insert(arrived.begin(), std::make_move_iterator(kept_.begin()),
                   std::make_move_iterator(kept_.end()));
    kept_.clear();
  }
}

bool EngineLoop::can_receive(const Envelope& envelope, const ServeOptions& serve) {
  auto run = lookup(envelope.pipeline);
  if (run == nullptr) {
    if (!reload(envelope.pipeline, serve)) return false;
    run = lookup(envelope.pipeline);
  }
  if (run == nullptr) return true;
  try {
    ids_.reserve(run->attempts_of(envelope.message));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::conflict || error.code() == ErrorCode::internal) throw;
    return false;
  }
  return true;
}

void EngineLoop::call_up(const ServeOptions& serve) {
  short_.merge(queue_.take_shrunk());
  for (auto project = short_.begin(); project != short_.end(); project = short_.erase(project)) {
    while (const auto next = backlog_.first(*project)) {
      if (queue_.waiting(*project, next->priority) >= few(options_.capacity)) break;
      if (!reload(next->pipeline, serve)) return;  // tried again soon
      stats_.step();
      backlog_.remove(next->pipeline);  // also when there is no such pipeline any more
    }
  }
}

/// Those that wait behind others of their project, in the queue or in the backlog. Each is looked at when its
/// jobs are offered: whatever waits then comes before it, but for what was offered in the same turn.
void EngineLoop::step_back() {
  std::vector<std::shared_ptr<PipelineRun>> last_first;
  for (const std::int64_t id : std::exchange(waiting_, {})) {
    auto run = lookup(id);
    if (run != nullptr && run->may_step_back()) last_first.push_back(std::move(run));
  }
  const auto place_of = [](const PipelineRun& run) { return Backlog::Place{run.id(), run.priority()}; };
  std::sort(last_first.begin(), last_first.end(),
            [&](const auto& a, const auto& b) { return place_of(*b).before(place_of(*a)); });
  for (const auto& run : last_first) {
    const Backlog::Place place = place_of(*run);
    const auto first = backlog_.first(run->scope());
    const std::size_t before = queue_.waiting(run->scope(), place.priority) - run->offered();
    if (before < many(options_.capacity) && !(first && first->before(place))) {
      run->stay();
      continue;
    }
    run->step_back();
    backlog_.add(run->scope(), place);
    runs_.lock()->erase(run->id());
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
