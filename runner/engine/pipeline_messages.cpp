// What a PipelineRun is told, and what that means for its jobs.
#include <utility>

#include "runner/engine/pipeline_run.h"

namespace runner::engine {

using pipelines::JobStatus;

void PipelineRun::receive(Message message) {
  std::visit([this](auto& known) { receive(std::move(known)); }, message);
}

std::size_t PipelineRun::attempts_of(const Message& message) const {
  if (std::holds_alternative<message::JobDone>(message) || std::holds_alternative<message::Play>(message))
    return 1;
  return std::holds_alternative<message::RetryAll>(message) ? jobs_.size() : 0;
}

void PipelineRun::receive(message::JobDone done) {
  JobRun& job = jobs_[done.job];
  running_.erase(done.job);
  job.control.reset();
  job.collected = std::move(done.outcome.collected);
  job.coverage = done.outcome.coverage;
  job.warnings = std::move(done.outcome.warnings);
  job.environment_url = std::move(done.outcome.environment_url);
  services_.stats.caches_restored(done.outcome.cache_hits, done.outcome.cache_misses);
  const int attempt = job.state.attempt;
  const std::int64_t id = job.state.id;
  job.lost = std::move(done.outcome.lost);
  job.archiving = job.collected.layer != nullptr || job.collected.reports != nullptr || done.outcome.reports;
  batch_.results.insert(done.job);
  apply(done.job, event::Finished{std::move(done.outcome.result)});
  if (job.state.attempt != attempt) {  // tried again: what this attempt left does not count
    batch_.settled.push_back(id);
    return;
  }
  if (job.archiving) {
    archive(done.job);
  } else {
    batch_.settled.push_back(id);
  }
  const bool counts = job.state.status == JobStatus::failed && !job.state.allow_failure;
  if (counts && request_.plan.cancel_on_job_failure) cancel_all(false);
}

void PipelineRun::receive(message::Archived archived) {
  --archiving_;
  JobRun& job = jobs_[archived.job];
  if (job.state.attempt != archived.attempt) {
    batch_.settled.push_back(archived.id);
    return;
  }
  Archives& archives = archived.archives;
  job.archive = std::move(archives.archive);
  job.reports = std::move(archives.reports);
  if (!archives.error.empty()) job.warnings.push_back("the archive cannot be written: " + archives.error);
  job.archiving = false;
  batch_.changed.insert(archived.job);
  batch_.results.insert(archived.job);
  batch_.settled.push_back(job.state.id);
}

void PipelineRun::receive(message::Cancel cancel) {
  if (cancel.kill) killed_ = true;
  cancel_all(cancel.kill);
}

void PipelineRun::receive(message::Play play) {
  if (play.job >= jobs_.size() || !jobs_[play.job].exists) return;
  const JobStatus status = jobs_[play.job].state.status;
  if (status == JobStatus::manual || status == JobStatus::scheduled) {
    enqueue(play.job, true);
  } else if (is_completed(status) && status != JobStatus::skipped) {
    new_attempt(play.job);
  } else {
    return;
  }
  revive_after(play.job);
}

void PipelineRun::cancel_all(bool kill) {
  const JobEvent event = kill ? JobEvent(event::KillRequested{}) : JobEvent(event::CancelRequested{});
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    if (jobs_[job].exists) apply(job, event);
  }
  forget_timers();
}

void PipelineRun::forget_timers() {
  std::erase_if(timers_, [this](const auto& timer) {
    return jobs_[timer.second].state.status != JobStatus::scheduled;
  });
}

void PipelineRun::receive(message::CancelJob cancel) {
  if (cancel.job >= jobs_.size() || !jobs_[cancel.job].exists) return;
  apply(cancel.job, event::CancelRequested{});
  forget_timers();
}

void PipelineRun::receive(message::Pass pass) {
  if (pass.job >= jobs_.size() || !jobs_[pass.job].exists) return;
  if (jobs_[pass.job].state.status == JobStatus::waiting_for_resource) request_resource(pass.job);
}

void PipelineRun::receive(message::TurnAway turned) {
  if (turned.job >= jobs_.size() || !jobs_[turned.job].exists) return;
  if (apply(turned.job, event::TurnedAway{std::move(turned.why)}) && request_.plan.cancel_on_job_failure &&
      !jobs_[turned.job].state.allow_failure)
    cancel_all(false);
}

void PipelineRun::receive(message::RetryAll) {
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    const JobStatus status = jobs_[job].state.status;
    if (jobs_[job].exists && (status == JobStatus::failed || status == JobStatus::canceled))
      receive(message::Play{job});
  }
}

void PipelineRun::receive(message::Superseded) {
  using pipelines::AutoCancelNewCommit;
  if (request_.plan.on_new_commit == AutoCancelNewCommit::none) return;
  const bool some = request_.plan.on_new_commit == AutoCancelNewCommit::interruptible;
  for (std::size_t job = 0; !some && job < jobs_.size(); ++job) {
    // Once such a job has started, the pipeline goes on as a whole.
    if (jobs_[job].exists && jobs_[job].state.started_at && !planned(job).interruptible) return;
  }
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    if (jobs_[job].exists && (!some || planned(job).interruptible)) apply(job, event::CancelRequested{});
  }
  forget_timers();
}

}  // namespace runner::engine
