#include "runner/engine/pipeline_run.h"

#include <algorithm>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/engine/event_text.h"
#include "runner/storage/event_table.h"
#include "runner/storage/store.h"
#include "runner/storage/tables.h"

namespace runner::engine {

using pipelines::JobStatus;

PipelineRun::PipelineRun(PipelineRequest request, const EngineServices& services)
    : services_(services),
      parts_(services.parts),
      request_(std::move(request)),
      jobs_(request_.plan.jobs.size()),
      play_(request_.plan.jobs.size(), false) {
  for (std::size_t job = 0; job < jobs_.size(); ++job) jobs_[job].exists = request_.selection.empty();
  for (const std::size_t job : request_.selection) jobs_.at(job).exists = true;
  for (const std::size_t job : request_.play) play_.at(job) = true;
  insert_jobs();
  prepare_views();
}

void PipelineRun::make_places() {
  const std::filesystem::path& data = services_.options.data_dir;
  paths_ = {data / "work", data / "logs" / std::to_string(id()),
            data / (services_.options.durable ? "archives" : "artifacts")};
  make_directories(paths_.work, 0700);
  make_directories(paths_.logs, 0750);
}

void PipelineRun::prepare_views() {
  std::vector<JobNow> now(jobs_.size());
  for (std::size_t job = 0; job < jobs_.size(); ++job) now[job] = now_of(job);
  ready_.emplace(request_.plan, now);
  auto views = views_.lock();
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    if (jobs_[job].exists) views->jobs[job] = view(job);
  }
}

void PipelineRun::insert_jobs() {
  const pipelines::PipelineFacts& facts = request_.facts;
  record_.project = facts.project_path;
  record_.name = request_.plan.name;
  record_.source = facts.source;
  record_.ref = facts.ref_name;
  record_.sha = facts.sha;
  record_.created_at = parts_.clock.now();
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    // Or other leave to begin: more than room is waited for.
    if (jobs_[job].exists && (!planned(job).resource_group.empty() || planned(job).environment))
      record_.resource_groups = true;
  }
  const auto count = static_cast<std::int64_t>(
      std::count_if(jobs_.begin(), jobs_.end(), [](const JobRun& job) { return job.exists; }));
  parts_.store.write([&](storage::Tx& tx) {
    storage::Pipelines pipelines(tx);
    // The id that variables already speak of, when it is free.
    record_.id = pipelines.find(facts.pipeline_id) ? 0 : facts.pipeline_id;
    if (request_.on_insert) request_.on_insert(tx, record_);
    record_.id = pipelines.insert(record_);
    std::int64_t next = tx.take_ids("jobs", count);
    storage::Jobs table(tx);
    for (std::size_t job = 0; job < jobs_.size(); ++job) {
      if (!jobs_[job].exists) continue;
      JobState& state = jobs_[job].state;
      state = {};
      state.id = next++;
      state.pipeline = record_.id;
      state.plan_index = job;
      state.name = planned(job).name;
      state.stage = planned(job).stage;
      state.allow_failure = planned(job).allow_failure.always;
      state.created_at = record_.created_at;
      table.insert(state);
    }
    if (services_.options.durable) storage::EventLog(tx).append(event_of(record_, record_.created_at));
    if (request_.after_insert) request_.after_insert(tx, record_);
    // Here, so that there is no pipeline where there is no room for it.
    make_places();
  });
}

bool PipelineRun::idle() const {
  return running_.empty() && offered_.empty() && timers_.empty() && archiving_ == 0;
}

bool PipelineRun::may_step_back() const {
  return !stays_ && !offered_.empty() && !record_.started_at && !record_.resource_groups &&
         running_.empty() && timers_.empty() && archiving_ == 0 && batch_.changed.empty() &&
         std::none_of(play_.begin(), play_.end(), [](bool play) { return play; });
}

JobQueue::Share PipelineRun::share_of(std::size_t job) const {
  const auto found = request_.executors.find(job);
  return {request_.scope, found == request_.executors.end() ? std::string(kShell) : found->second};
}

void PipelineRun::step_back() {
  for (const std::size_t job : std::exchange(offered_, {})) services_.queue.remove(ref(job));
}

std::optional<SteadyPoint> PipelineRun::next_timer() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

std::optional<SteadyPoint> PipelineRun::check_deadlines(SteadyPoint now) {
  std::optional<SteadyPoint> next;
  for (const std::size_t job : running_) {
    if (!jobs_[job].control) continue;
    if (const auto deadline = jobs_[job].control->check_deadlines(now);
        deadline && (!next || *deadline < *next))
      next = deadline;
  }
  return next;
}

void PipelineRun::fire_timers() {
  const SteadyPoint now = parts_.clock.steady_now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const std::size_t job = timers_.begin()->second;
    timers_.erase(timers_.begin());
    JobState& state = jobs_[job].state;
    if (state.status != JobStatus::scheduled) continue;
    // Where the clock was set back meanwhile, people see when it began.
    if (state.scheduled_at) state.scheduled_at = std::min(*state.scheduled_at, parts_.clock.now());
    enqueue(job, false);
    if (state.status == JobStatus::scheduled) timers_.emplace(now, job);  // set back this very moment
  }
}

bool PipelineRun::apply(std::size_t job, const JobEvent& event) {
  JobRun& run = jobs_[job];
  TimePoint now = parts_.clock.now();
  // A clock that was set back takes nothing from the time it ran.
  if (std::holds_alternative<event::Finished>(event) && run.started && run.state.started_at) {
    now = std::max(now, *run.state.started_at + std::chrono::duration_cast<std::chrono::milliseconds>(
                                                    parts_.clock.steady_now() - *run.started));
  }
  Decision decision = decide(run.state, event, now, policy(job));
  if (const auto* illegal = std::get_if<Illegal>(&decision)) {
    log_error("engine", illegal->why);
    return false;
  }
  auto* applied = std::get_if<Applied>(&decision);
  if (applied == nullptr) return false;
  if (!batch_.inserted.contains(job)) batch_.replaced.try_emplace(job, run.state.version);
  batch_.changed.insert(job);
  batch_.events.push_back({run.state.id, applied->next.version, std::string(event_name(event)),
                           run.state.status, applied->next.status, applied->next.reason, now});
  run.state = std::move(applied->next);
  const bool again = std::any_of(applied->effects.begin(), applied->effects.end(), [](const Effect& effect) {
    return std::holds_alternative<effect::NewAttempt>(effect);
  });
  if (!again) ready_->set(job, now_of(job));
  track_resource(job);
  for (const Effect& effect : applied->effects) perform(job, effect);
  return true;
}

void PipelineRun::perform(std::size_t job, const Effect& effect) {
  if (std::holds_alternative<effect::Offer>(effect)) {
    offered_.insert(job);
    services_.queue.push(ref(job), share_of(job), request_.priority);
  } else if (const auto* again = std::get_if<effect::NewAttempt>(&effect)) {
    new_attempt(job, again->after);
  } else if (const auto* stop = std::get_if<effect::StopSteps>(&effect)) {
    const JobState& state = jobs_[job].state;
    (stop->kill ? batch_.kills : batch_.stops).push_back(job);
    batch_.effects.push_back({std::string(effect_name(effect)) + ":" + std::to_string(state.id),
                              std::string(effect_name(effect)), state.id, "", parts_.clock.now()});
  }
}

/// What the resource groups must know follows from the job's status alone.
void PipelineRun::track_resource(std::size_t job) {
  const JobStatus status = jobs_[job].state.status;
  if (status != JobStatus::pending) withdraw(job);
  if (planned(job).resource_group.empty()) return;
  if (status == JobStatus::created || status == JobStatus::scheduled) {
    services_.groups.expect(group_of(job), ref(job));
  } else if (status == JobStatus::manual || is_completed(status)) {
    services_.groups.leave(group_of(job), ref(job));
  }
}

void PipelineRun::withdraw(std::size_t job) {
  if (offered_.erase(job) != 0) services_.queue.remove(ref(job));
}

void PipelineRun::advance() {
  fire_timers();
  for (std::vector<Transition> due = ready_->take(); !due.empty(); due = ready_->take()) {
    std::vector<std::size_t> played;
    for (Transition& transition : due) {
      switch (transition.kind) {
        case Transition::Kind::skip:
          apply(transition.job, event::Skipped{std::move(transition.why)});
          break;
        case Transition::Kind::enqueue:
          enqueue(transition.job, false);
          break;
        case Transition::Kind::hold:
          apply(transition.job, event::Held{});
          if (play_[transition.job]) {
            enqueue(transition.job, true);
            played.push_back(transition.job);
          }
          break;
        case Transition::Kind::delay:
          delay(transition.job, planned(transition.job).start_in.value_or(std::chrono::milliseconds(0)));
          break;
      }
    }
    // What the same pass skipped because they waited.
    for (const std::size_t job : played) revive_after(job);
  }
}

void PipelineRun::revive_after(std::size_t played) {
  for (const std::size_t job : jobs_to_revive(request_.plan, ready_->jobs(), played)) {
    apply(job, event::Revived{});
  }
}

void PipelineRun::delay(std::size_t job, std::chrono::milliseconds wait) {
  if (apply(job, event::Delayed{parts_.clock.now() + wait}))
    timers_.emplace(parts_.clock.steady_now() + wait, job);
}

void PipelineRun::enqueue(std::size_t job, bool played) {
  std::erase_if(timers_, [job](const auto& timer) { return timer.second == job; });
  if (std::string why = refusal(job); !why.empty()) {
    apply(job, event::Refused{std::move(why)});
    return;
  }
  if (held(job)) {
    const auto& environment = planned(job).environment;
    apply(job, event::ResourceBusy{environment ? "environment '" + environment->name +
                                                     "' is protected: see " + "'runner deploy list'"
                                               : std::string()});
    return;
  }
  if (!planned(job).resource_group.empty() && !services_.groups.request(group_of(job), ref(job))) {
    apply(job, event::ResourceBusy{});
    return;
  }
  const JobStatus status = jobs_[job].state.status;
  if (played) {
    apply(job, event::Played{});
  } else if (status == JobStatus::scheduled) {
    apply(job, event::TimeCame{});
  } else {
    apply(job, event::Enqueued{});
  }
}

bool PipelineRun::held(std::size_t job) const {
  return parts_.holds &&
         parts_.holds({record_.id, job, jobs_[job].state.id, request_.scope, planned(job), request_.facts});
}

/// Of one that waits, and may begin but for its resource group.
void PipelineRun::request_resource(std::size_t job) {
  if (planned(job).resource_group.empty()) {
    apply(job, event::ResourceFree{});
  } else if (services_.groups.request(group_of(job), ref(job))) {
    resource_free(job);
  }
}

void PipelineRun::resource_free(std::size_t job) {
  if (!apply(job, event::ResourceFree{})) services_.groups.leave(group_of(job), ref(job));
}

void PipelineRun::new_attempt(std::size_t job, std::chrono::milliseconds after) {
  JobRun& run = jobs_[job];
  // A played job has no change of its own in this batch.
  if (batch_.replaced.erase(job) != 0) batch_.ended_attempts.push_back(run.state);
  JobState next;
  next.id = services_.ids.take();
  next.pipeline = run.state.pipeline;
  next.plan_index = job;
  next.attempt = run.state.attempt + 1;
  next.name = run.state.name;
  next.stage = run.state.stage;
  next.allow_failure = planned(job).allow_failure.always;
  next.created_at = parts_.clock.now();
  run.state = std::move(next);
  run.collected = {};
  run.coverage.reset();
  run.warnings.clear();
  run.environment_url.clear();
  run.archive.reset();
  run.reports.reset();
  run.archiving = false;
  run.started.reset();
  run.lost.clear();
  batch_.results.erase(job);
  batch_.inserted.insert(job);
  batch_.changed.insert(job);
  if (after.count() == 0) {
    enqueue(job, false);
  } else {
    delay(job, after);
  }
}

bool PipelineRun::claim(std::size_t job, std::size_t slot) {
  offered_.erase(job);
  if (!apply(job, event::Claimed{})) return false;
  running_.insert(job);
  jobs_[job].started = parts_.clock.steady_now();
  const JobState& state = jobs_[job].state;
  if (state.queued_at && state.started_at) services_.stats.job_started(*state.started_at - *state.queued_at);
  jobs_[job].slot = slot;
  batch_.results.insert(job);
  batch_.starts.push_back(job);
  return true;
}

JobPolicy PipelineRun::policy(std::size_t job) const {
  return {&planned(job).retry, &planned(job).allow_failure, services_.options.retry_after};
}

JobNow PipelineRun::now_of(std::size_t job) const {
  return {jobs_[job].state.status, jobs_[job].state.allow_failure, jobs_[job].exists};
}

std::string PipelineRun::refusal(std::size_t job) const {
  if (!planned(job).unsupported.empty()) return planned(job).unsupported;
  if (planned(job).trigger) return "downstream pipelines cannot be started here";
  if (!planned(job).foreign_needs.empty()) return "needs of other pipelines cannot be had here";
  return {};
}

}  // namespace runner::engine
