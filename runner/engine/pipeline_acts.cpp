// How a PipelineRun writes what was decided, and does it.
#include <algorithm>
#include <utility>

#include "artifacts/retention.h"
#include "runner/base/error.h"
#include "runner/engine/event_text.h"
#include "runner/engine/pipeline_run.h"
#include "runner/storage/event_table.h"
#include "runner/storage/job_archive_table.h"
#include "runner/storage/result_table.h"
#include "runner/storage/store.h"
#include "runner/storage/tables.h"

namespace runner::engine {
namespace {

using pipelines::JobStatus;

void must_hold(bool replaced, std::string_view what, std::int64_t id) {
  if (replaced) return;
  throw Error(ErrorCode::conflict,
              std::string(what) + " " + std::to_string(id) + " was changed by someone else");
}

}  // namespace

bool PipelineRun::needs_write() {
  JobStatus status = ready_->pipeline_status();
  // It has ended, or waits for a person, once all is there that people may ask of it. Until then another
  // engine would take it up.
  if (archiving_ != 0 && services_.options.durable && (is_completed(status) || status == JobStatus::manual))
    status = JobStatus::running;
  if (status != record_.status) {
    const TimePoint now = parts_.clock.now();
    if (is_completed(record_.status)) taken_up_again_ = now;
    record_.status = status;
    if (record_.version == stored_version_) ++record_.version;
    if (!record_.started_at && !batch_.starts.empty()) record_.started_at = std::max(now, record_.created_at);
    record_.finished_at.reset();
    if (is_completed(status)) {
      // Not before its jobs, where the clock was set back.
      record_.finished_at = std::max(now, record_.started_at.value_or(record_.created_at));
      for (const JobRun& job : jobs_) {
        if (job.exists && job.state.finished_at)
          record_.finished_at = std::max(*record_.finished_at, *job.state.finished_at);
      }
    }
  }
  return !batch_.changed.empty() || record_.version != stored_version_ || !performed_.empty() ||
         (services_.options.durable && !batch_.results.empty());
}

void PipelineRun::write(storage::Tx& tx) {
  const TimePoint now = parts_.clock.now();
  storage::Jobs table(tx);
  for (const JobState& ended : batch_.ended_attempts) {
    // Several changes in one batch are one row: the version in the store is the one before all of them.
    const auto stored = table.find(ended.id);
    must_hold(stored && table.replace(ended, stored->version), "job", ended.id);
  }
  for (const std::size_t job : batch_.inserted) table.insert(jobs_[job].state);
  for (const auto& [job, version] : batch_.replaced) {
    must_hold(table.replace(jobs_[job].state, version), "job", jobs_[job].state.id);
  }
  storage::Events events(tx);
  for (const storage::EventRecord& event : batch_.events) events.append(event);
  storage::Outbox outbox(tx);
  for (const storage::OutboxRecord& effect : batch_.effects) outbox.append(effect);
  for (const std::string& key : performed_) outbox.remove(key);
  if (services_.options.durable) {
    storage::JobResults results(tx);
    for (const std::size_t job : batch_.results) {
      results.put(jobs_[job].state.id, freeze(result_of(job)));
      keep_archives(tx, job);
    }
    storage::EventLog log(tx);
    for (const std::size_t job : batch_.changed) {
      // Some changed only in what is known of them.
      if (batch_.replaced.contains(job) || batch_.inserted.contains(job))
        log.append(event_of(record_, jobs_[job].state, now));
    }
    if (record_.version != stored_version_) log.append(event_of(record_, now));
  }
  if (record_.version != stored_version_) {
    must_hold(storage::Pipelines(tx).replace(record_, stored_version_), "pipeline", record_.id);
  }
  if (!parts_.on_write) return;
  StoredChange change{record_, record_.version != stored_version_, {}};
  for (const std::size_t job : batch_.changed) {
    if (batch_.replaced.contains(job) || batch_.inserted.contains(job))
      change.jobs.push_back(&jobs_[job].state);
  }
  if (change.pipeline_changed || !change.jobs.empty()) parts_.on_write(tx, change);
}

/// Archives of a server's jobs have rows, which say how long their files stay.
void PipelineRun::keep_archives(storage::Tx& tx, std::size_t job) const {
  if (!record_.project_id) return;
  const JobRun& run = jobs_[job];
  const pipelines::ArtifactsSpec& spec = planned(job).artifacts;
  storage::JobArchiveRecord record;
  record.job = run.state.id;
  record.project = *record_.project_id;
  record.pipeline = record_.id;
  record.ref = record_.ref;
  record.name = run.state.name;
  record.success = run.state.status == JobStatus::success;
  record.created_at = parts_.clock.now();
  if (!spec.never_expires)
    record.expires_at = record.created_at + spec.expire_in.value_or(artifacts::kDefaultExpiry);
  const auto put = [&](storage::ArtifactKind kind, const std::optional<ArchiveView>& archive) {
    if (!archive) return;
    record.kind = kind;
    record.path = archive->path.lexically_proximate(services_.options.data_dir).native();
    storage::JobArchives(tx).put(record);
  };
  put(storage::ArtifactKind::archive, run.archive);
  put(storage::ArtifactKind::reports, run.reports);
}

void PipelineRun::act() {
  tell_observer();
  stored_version_ = record_.version;
  performed_.clear();
  const Batch done = std::exchange(batch_, {});
  for (const std::size_t job : done.changed) {
    const JobView now = view(job);
    views_.lock()->jobs[job] = now;
    parts_.observer.job_changed(now);
  }
  for (const std::int64_t attempt : done.settled) parts_.host.settle(attempt);
  // Before the stops: several turns may have been one transaction.
  for (const std::size_t job : done.starts) start(job);
  for (const std::size_t job : done.stops) {
    if (jobs_[job].control) jobs_[job].control->cancel();
  }
  for (const std::size_t job : done.kills) {
    if (jobs_[job].control) jobs_[job].control->kill();
  }
  for (const storage::OutboxRecord& effect : done.effects) performed_.push_back(effect.key);
}

void PipelineRun::tell_observer() {
  PipelineView view;
  view.changed = record_.version != stored_version_;
  if (told_ && !view.changed) return;
  view.id = id();
  view.project = record_.project;
  view.status = record_.status;
  view.started_at = taken_up_again_ ? taken_up_again_ : record_.started_at;
  view.finished_at = record_.finished_at;
  parts_.observer.pipeline_changed(view);
  told_ = true;
}

void PipelineRun::start(std::size_t job) {
  JobRun& run = jobs_[job];
  const std::string place = std::to_string(job) + "-" + std::to_string(run.state.attempt);
  auto order = std::make_shared<JobOrder>();
  order->request = &request_;
  order->state = run.state;
  order->slot = run.slot;
  order->work_dir = paths_.work / (std::to_string(id()) + "-" + place);
  order->log_path = log_place(job);
  order->archive_root = paths_.archives;
  order->upstream = upstream_of(job);
  std::optional<SteadyPoint> deadline;
  if (!parts_.host.keeps_time())
    deadline = parts_.clock.steady_now() + planned(job).timeout.value_or(services_.options.default_timeout);
  run.control = std::make_shared<StopControl>(services_.options.cancel_grace, deadline,
                                              [this] { services_.post(id(), message::Wake{}); });
  views_.lock()->logs[job] = order->log_path;
  // What is posted may be the end of this object.
  at_host_->begin();
  services_.job_threads.run(
      [job, order, control = run.control, &host = parts_.host, post = services_.post, at_host = at_host_] {
        host.run(*order, *control, [&](JobOutcome outcome) {
          post(order->state.pipeline, message::JobDone{job, order->slot, std::move(outcome)});
        });
        at_host->end();
      });
}

std::vector<Upstream> PipelineRun::upstream_of(std::size_t job) const {
  std::vector<Upstream> found;
  for (const std::size_t source : planned(job).artifact_sources) {
    const JobRun& upstream = jobs_[source];
    if (upstream.exists) {
      if (!is_completed(upstream.state.status)) continue;
      found.push_back(
          {planned(source).name, upstream.collected.layer, upstream.collected.dotenv, false, upstream.lost});
    } else if (const auto kept = request_.kept_artifacts.find(source);
               kept != request_.kept_artifacts.end()) {
      found.push_back({planned(source).name, kept->second, kept->second->facts.inputs, true, {}});
    } else if (const auto lost = request_.lost_artifacts.find(source);
               lost != request_.lost_artifacts.end()) {
      found.push_back({planned(source).name, nullptr, {}, true, lost->second});
    }
  }
  return found;
}

void PipelineRun::archive(std::size_t job) {
  ++archiving_;
  const JobRun& run = jobs_[job];
  const ArchiveOrder order{run.state.id, paths_.archives};
  services_.archiver.run([this, job, order, pipeline = id(), attempt = run.state.attempt,
                          collected = run.collected, &host = parts_.host, post = services_.post] {
    Archives archives = host.archive(order, collected, [this] { return killed_.load(); });
    post(pipeline, message::Archived{job, order.attempt, attempt, std::move(archives)});
  });
}

void PipelineRun::kill_all() noexcept {
  killed_ = true;
  for (const std::size_t job : running_) {
    if (jobs_[job].control) jobs_[job].control->kill();
  }
  // Those decided on but not started have no thread to wait for.
  std::erase_if(running_, [this](std::size_t job) { return jobs_[job].control == nullptr; });
}

void PipelineRun::bury(const Message& message) {
  if (const auto* done = std::get_if<message::JobDone>(&message)) {
    running_.erase(done->job);
    jobs_[done->job].control.reset();
  } else if (std::holds_alternative<message::Archived>(message)) {
    --archiving_;
  }
}

std::int64_t JobIds::take() {
  reserve(1);
  return next_++;
}

void JobIds::reserve(std::size_t count) {
  const auto wanted = static_cast<std::int64_t>(count);
  if (end_ - next_ >= wanted) return;
  const std::int64_t block = std::max(wanted, kBlock);
  std::int64_t first = 0;
  store_.write([&](storage::Tx& tx) { first = tx.take_ids("jobs", block); });
  next_ = first;
  end_ = first + block;
}

void JobIds::refill(storage::Tx& tx) {
  more_ = tx.take_ids("jobs", kBlock);
}

void JobIds::refilled() noexcept {
  // What was left is given up: ids need not be without gaps.
  next_ = more_;
  end_ = more_ + kBlock;
}

JobView PipelineRun::view(std::size_t job) const {
  const JobRun& run = jobs_[job];
  JobView view;
  view.pipeline = id();
  view.project = record_.project;
  view.index = job;
  view.name = run.state.name;
  view.stage = run.state.stage;
  view.status = run.state.status;
  view.allow_failure = run.state.allow_failure;
  view.attempt = run.state.started_at ? run.state.attempt : run.state.attempt - 1;
  view.exit_code = run.state.exit_code;
  view.failure = run.state.failure;
  view.reason = run.state.reason;
  view.started_at = run.state.started_at;
  view.finished_at = run.state.finished_at;
  view.coverage = run.coverage;
  view.tests_total = run.collected.tests_total;
  view.tests_failed = run.collected.tests_failed;
  view.archive = run.archive;
  view.reports = run.reports;
  view.warnings = run.warnings;
  view.environment_url = run.environment_url;
  return view;
}

std::vector<JobView> PipelineRun::views() {
  auto views = views_.lock();
  std::vector<JobView> jobs;
  for (const auto& [index, job] : views->jobs) jobs.push_back(job);
  return jobs;
}

std::filesystem::path PipelineRun::log_path(std::size_t job) {
  auto views = views_.lock();
  const auto found = views->logs.find(job);
  return found == views->logs.end() ? std::filesystem::path() : found->second;
}

}  // namespace runner::engine
