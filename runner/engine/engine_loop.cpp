#include "runner/engine/engine_loop.h"

#include <algorithm>
#include <string>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/storage/store.h"

namespace runner::engine {

namespace {

// To a host that takes no jobs for now.
constexpr std::chrono::milliseconds kBetweenQuestions{500};

}  // namespace

EngineLoop::EngineLoop(const EngineOptions& options, const EngineParts& parts)
    : options_(options),
      parts_(parts),
      ids_(parts.store),
      stats_(parts.clock),
      job_threads_(2 * options.capacity),  // half of them may be cleaning up
      archiver_(1) {
  for (std::size_t slot = options.capacity; slot-- > 0;) free_slots_.push_back(slot);
  for (const auto& [executor, most] : options.executor_capacity) queue_.limit(executor, most);
}

std::int64_t EngineLoop::add(PipelineRequest request) {
  auto run = std::make_shared<PipelineRun>(std::move(request), services());
  const std::int64_t id = run->id();
  failpoint("engine.created");
  (*runs_.lock())[id] = std::move(run);
  post(id, message::Wake{});
  return id;
}

EngineServices EngineLoop::services() {
  return {options_,
          parts_,
          job_threads_,
          archiver_,
          queue_,
          groups_,
          ids_,
          stats_,
          [this](std::int64_t pipeline, Message message) { post(pipeline, std::move(message)); }};
}

void EngineLoop::post(std::int64_t pipeline, Message message) {
  mailbox_.post({pipeline, std::move(message)});
}

EngineStats EngineLoop::stats() const {
  return {stats_.turns(),      stats_.lag(),
          stats_.queued(),     timers_.overdue(parts_.clock.steady_now()),
          stats_.cache_hits(), stats_.cache_misses()};
}

std::shared_ptr<PipelineRun> EngineLoop::lookup(std::int64_t pipeline) const {
  auto runs = runs_.lock();
  const auto found = runs->find(pipeline);
  return found == runs->end() ? nullptr : found->second;
}

std::shared_ptr<PipelineRun> EngineLoop::find(std::int64_t pipeline) const {
  if (auto run = lookup(pipeline)) return run;
  throw Error(ErrorCode::not_found, "no pipeline " + std::to_string(pipeline));
}

PipelineEnd EngineLoop::run(std::int64_t pipeline) {
  const auto run = find(pipeline);
  try {
    auto arrived = mailbox_.take(std::chrono::steady_clock::now());
    do {
      turn(std::move(arrived));
      while (!run->idle()) turn(mailbox_.take(next_deadline()));
      // Played or canceled between the last turn and now.
      arrived = mailbox_.take(std::chrono::steady_clock::now());
    } while (!arrived.empty());
  } catch (...) {
    end_everything();
    throw;
  }
  run->wait_for_host();
  return run->end();
}

bool EngineLoop::turn(std::vector<Envelope> envelopes, const ServeOptions* serve) {
  const LoopStats::Turn counted(stats_);
  std::set<std::int64_t> held;
  for (Envelope& envelope : envelopes) {
    // What follows to the same pipeline waits as well: their order counts.
    if (serve != nullptr && (held.contains(envelope.pipeline) || !can_receive(envelope, *serve))) {
      held.insert(envelope.pipeline);
      kept_.push_back(std::move(envelope));
      continue;
    }
    receive(std::move(envelope));
  }
  wake_due();
  take_modes();
  if (serve != nullptr) call_up(*serve);
  advance();
  if (stalled_ == 0) claim();
  if (serve != nullptr) return try_flush(*serve);
  flush();
  return true;
}

void EngineLoop::receive(Envelope envelope) {
  const auto run = lookup(envelope.pipeline);
  if (run == nullptr) return;  // let go of meanwhile
  if (const auto* done = std::get_if<message::JobDone>(&envelope.message)) {
    free_slots_.push_back(done->slot);
    queue_.add_running(run->share_of(done->job), -1);
  }
  run->receive(std::move(envelope.message));
  stats_.step();
  touch(envelope.pipeline);
}

void EngineLoop::wake_due() {
  const SteadyPoint now = parts_.clock.steady_now();
  for (const LoopTimers::Due& due : timers_.due(now)) {
    stats_.timer_served(due.when, now);
    touch(due.pipeline);
  }
}

void EngineLoop::advance() {
  while (!to_advance_.empty()) {
    const std::int64_t pipeline = *to_advance_.begin();
    to_advance_.erase(to_advance_.begin());
    const auto run = lookup(pipeline);
    if (run == nullptr) continue;
    run->advance();
    stats_.step();
    to_write_.insert(pipeline);
    // What one pipeline lets go of, another one waits for.
    grant();
    timers_.set(pipeline, run->next_timer());
  }
}

void EngineLoop::set_resource_mode(const ResourceGroups::Key& group, ResourceMode mode) {
  new_modes_.lock()->emplace_back(group, mode);
  post(0, message::Wake{});
}

void EngineLoop::take_modes() {
  for (const auto& [group, mode] : std::exchange(*new_modes_.lock(), {})) groups_.set_mode(group, mode);
  // Of a group that nobody has, somebody else may be the next now.
  grant();
}

void EngineLoop::grant() {
  for (const JobRef& granted : groups_.take_granted()) {
    if (const auto other = lookup(granted.pipeline)) other->resource_free(granted.job);
    touch(granted.pipeline);
  }
}

void EngineLoop::claim() {
  ask_host_at_.reset();
  while (!free_slots_.empty() && queue_.size() != 0) {
    if (!parts_.host.accepts()) {
      ask_host_at_ = parts_.clock.steady_now() + kBetweenQuestions;
      return;
    }
    const auto next = queue_.take();
    if (!next) return;
    const std::int64_t pipeline = next->job.pipeline;
    const auto run = lookup(pipeline);
    if (run == nullptr || !run->claim(next->job.job, free_slots_.back())) {
      queue_.add_running(next->share, -1);
      continue;
    }
    free_slots_.pop_back();
    working_.insert(pipeline);
    to_write_.insert(pipeline);
  }
}

void EngineLoop::flush() {
  std::vector<std::shared_ptr<PipelineRun>> changed, writing;
  for (const std::int64_t pipeline : to_write_) {
    if (auto run = lookup(pipeline)) changed.push_back(std::move(run));
  }
  std::copy_if(changed.begin(), changed.end(), std::back_inserter(writing),
               [](const auto& run) { return run->needs_write(); });
  if (!writing.empty()) {
    const bool more_ids = (ids_.used() || options_.durable) && ids_.low();
    failpoint("engine.deciding");
    const LoopStats::Wait wait(stats_);
    parts_.store.write([&](storage::Tx& tx) {
      for (const auto& run : writing) run->write(tx);
      if (more_ids) ids_.refill(tx);
    });
    if (more_ids) ids_.refilled();
    failpoint("engine.committed");
  }
  to_write_.clear();
  for (const auto& run : changed) {
    run->act();
    stats_.step();
    if (!run->busy()) working_.erase(run->id());
    failpoint("engine.acted");
    if (!options_.durable) continue;
    if (run->idle()) idle_.push_back(run->id());
    if (run->may_step_back()) waiting_.push_back(run->id());
  }
}

std::optional<SteadyPoint> EngineLoop::next_deadline() {
  const SteadyPoint steady = parts_.clock.steady_now();
  std::optional<SteadyPoint> next = timers_.next();
  if (ask_host_at_ && (!next || *ask_host_at_ < *next)) next = ask_host_at_;
  for (const std::int64_t pipeline : working_) {
    const auto run = lookup(pipeline);
    if (run == nullptr) continue;
    if (const auto deadline = run->check_deadlines(steady); deadline && (!next || *deadline < *next))
      next = deadline;
  }
  return next;
}

void EngineLoop::end_everything() noexcept {
  const Runs runs = *runs_.lock();
  for (const auto& [id, run] : runs) run->kill_all();
  const auto busy = [&] {
    return std::any_of(runs.begin(), runs.end(), [](const auto& one) { return one.second->busy(); });
  };
  while (busy()) {
    for (const Envelope& envelope : mailbox_.take(std::nullopt)) {
      if (const auto found = runs.find(envelope.pipeline); found != runs.end())
        found->second->bury(envelope.message);
    }
  }
}

}  // namespace runner::engine
