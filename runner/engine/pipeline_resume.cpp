// PipelineRun between two engines: what the store has of it, and how it goes on.
#include <algorithm>
#include <utility>

#include "runner/base/error.h"
#include "runner/engine/pipeline_run.h"
#include "runner/storage/result_table.h"
#include "runner/storage/store.h"
#include "runner/storage/tables.h"

namespace runner::engine {

using pipelines::JobStatus;

StoredPipeline load_pipeline(storage::Tx& tx, std::int64_t pipeline, const FindEntry& find) {
  StoredPipeline stored;
  auto record = storage::Pipelines(tx).find(pipeline);
  if (!record) throw Error(ErrorCode::not_found, "no pipeline " + std::to_string(pipeline));
  stored.record = std::move(*record);
  stored.attempts = storage::Jobs(tx).of_pipeline(pipeline);
  for (const auto& [attempt, text] : storage::JobResults(tx).of_pipeline(pipeline))
    stored.results.emplace(attempt, thaw_result(text, find));
  stored.effects = storage::Outbox(tx).of_pipeline(pipeline);
  return stored;
}

std::vector<std::int64_t> attempts_at_host(const StoredPipeline& stored) {
  std::vector<std::int64_t> attempts;
  for (std::size_t i = 0; i < stored.attempts.size(); ++i) {
    const storage::JobRecord& attempt = stored.attempts[i];
    const bool newest =
        i + 1 == stored.attempts.size() || stored.attempts[i + 1].plan_index != attempt.plan_index;
    if (!newest) continue;
    const auto result = stored.results.find(attempt.id);
    const bool archiving = result != stored.results.end() && result->second.archiving;
    if (attempt.status == JobStatus::running || attempt.status == JobStatus::canceling || archiving)
      attempts.push_back(attempt.id);
  }
  return attempts;
}

PipelineRun::PipelineRun(StoredPipeline stored, const EngineServices& services)
    : services_(services),
      parts_(services.parts),
      request_(std::move(stored.request)),
      record_(std::move(stored.record)),
      stored_version_(record_.version),
      jobs_(request_.plan.jobs.size()),
      play_(request_.plan.jobs.size(), false) {
  for (const std::size_t job : request_.play) play_.at(job) = true;
  for (storage::JobRecord& attempt : stored.attempts) {
    if (attempt.plan_index >= jobs_.size()) {
      throw Error(ErrorCode::corrupt, "job " + std::to_string(attempt.id) +
                                          " is not in the plan of pipeline " + std::to_string(record_.id));
    }
    JobRun& run = jobs_[attempt.plan_index];
    run = {};  // a later attempt takes the place of one before it
    run.exists = true;
    if (const auto found = stored.results.find(attempt.id); found != stored.results.end()) {
      JobResult& result = found->second;
      run.slot = result.slot;
      run.archiving = result.archiving;
      run.collected = std::move(result.collected);
      run.lost = std::move(result.lost);
      run.coverage = result.coverage;
      run.warnings = std::move(result.warnings);
      run.environment_url = std::move(result.environment_url);
      run.archive = std::move(result.archive);
      run.reports = std::move(result.reports);
    }
    run.state = std::move(attempt);
  }
  // Whatever they are for, what follows is decided from the jobs' rows, and done again.
  for (const storage::OutboxRecord& effect : stored.effects) {
    performed_.push_back(effect.key);
    for (std::size_t job = 0; job < jobs_.size(); ++job) {
      if (jobs_[job].exists && jobs_[job].state.id == effect.job &&
          effect.kind == effect_name(effect::StopSteps{true}))
        batch_.kills.push_back(job);
    }
  }
  make_places();
  prepare_views();
  auto views = views_.lock();
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    if (jobs_[job].state.started_at) views->logs[job] = log_place(job);
  }
}

std::vector<std::size_t> PipelineRun::used_slots() const {
  std::vector<std::size_t> slots;
  for (const JobRun& run : jobs_) {
    const JobStatus status = run.state.status;
    if (run.exists && (status == JobStatus::running || status == JobStatus::canceling))
      slots.push_back(run.slot);
  }
  return slots;
}

bool PipelineRun::awaits_resource() const {
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    if (jobs_[job].exists && !planned(job).resource_group.empty() && !is_completed(jobs_[job].state.status))
      return true;
  }
  return false;
}

void PipelineRun::claim_resources() {
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    if (!jobs_[job].exists || planned(job).resource_group.empty()) continue;
    switch (jobs_[job].state.status) {
      case JobStatus::pending:
      case JobStatus::running:
      case JobStatus::canceling:
        services_.groups.restore(group_of(job), ref(job));
        break;
      case JobStatus::created:
      case JobStatus::scheduled:
        services_.groups.expect(group_of(job), ref(job));
        break;
      default:
        break;
    }
  }
}

/// Never more than it was to wait in all: the clock may have been set back since.
std::chrono::milliseconds PipelineRun::time_left(std::size_t job) const {
  const TimePoint now = parts_.clock.now();
  const auto whole = planned(job).start_in.value_or(std::chrono::milliseconds(0));
  return std::clamp(jobs_[job].state.scheduled_at.value_or(now) - now, std::chrono::milliseconds(0), whole);
}

void PipelineRun::resume() {
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    JobRun& run = jobs_[job];
    if (!run.exists) continue;
    switch (run.state.status) {
      case JobStatus::running:
      case JobStatus::canceling:
        running_.insert(job);
        batch_.changed.insert(job);  // observers do not know it
        services_.queue.add_running(share_of(job), 1);
        batch_.starts.push_back(job);
        if (run.state.status == JobStatus::canceling) batch_.stops.push_back(job);
        break;
      case JobStatus::pending:
        offered_.insert(job);
        batch_.changed.insert(job);
        services_.queue.push(ref(job), share_of(job), request_.priority);
        break;
      case JobStatus::waiting_for_resource:
        if (!held(job)) request_resource(job);
        break;
      case JobStatus::scheduled:
        timers_.emplace(parts_.clock.steady_now() + time_left(job), job);
        break;
      default:
        if (run.archiving) archive(job);
        break;
    }
  }
}

JobResult PipelineRun::result_of(std::size_t job) const {
  const JobRun& run = jobs_[job];
  JobResult result;
  result.slot = run.slot;
  result.archiving = run.archiving;
  result.collected = run.collected;
  result.lost = run.lost;
  result.coverage = run.coverage;
  result.warnings = run.warnings;
  result.environment_url = run.environment_url;
  result.archive = run.archive;
  result.reports = run.reports;
  return result;
}

}  // namespace runner::engine
