#pragma once
// One pipeline under way: its state in memory, how events change it, what is written and done because of it.
// Belongs to the engine thread, which takes all pipelines through the same steps (engine_loop.h): receive,
// advance, claim, write, act. The views are for everyone.

#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "runner/base/synchronized.h"
#include "runner/engine/decide.h"
#include "runner/engine/engine.h"
#include "runner/engine/job_host.h"
#include "runner/engine/job_order.h"
#include "runner/engine/job_queue.h"
#include "runner/engine/loop_stats.h"
#include "runner/engine/ready_jobs.h"
#include "runner/engine/resource_groups.h"
#include "runner/engine/stop_control.h"
#include "runner/engine/stored_pipeline.h"
#include "runner/engine/worker_threads.h"
#include "runner/storage/records.h"

namespace runner::storage {
class Tx;
}

namespace runner::engine {

namespace message {
struct Wake {};  // look at the deadlines again
struct JobDone {
  std::size_t job = 0;
  std::size_t slot = 0;
  JobOutcome outcome;
};
struct Archived {
  std::size_t job = 0;
  std::int64_t id = 0;
  int attempt = 0;
  Archives archives;
};
struct Cancel {
  bool kill = false;
};
struct Play {
  std::size_t job = 0;
};
struct CancelJob {
  std::size_t job = 0;
};
struct Pass {
  std::size_t job = 0;
};
struct TurnAway {
  std::size_t job = 0;
  std::string why;
};
struct RetryAll {};    // every job that failed or was canceled, once more
struct Superseded {};  // there is a newer pipeline of the same ref
}  // namespace message
using Message = std::variant<message::Wake, message::JobDone, message::Archived, message::Cancel,
                             message::Play, message::CancelJob, message::Pass, message::TurnAway,
                             message::RetryAll, message::Superseded>;

/// Where the files of a pipeline lie.
struct PipelinePaths {
  std::filesystem::path work, logs, archives;
};

/// Ids of attempts, taken from the store some at a time.
class JobIds {
 public:
  explicit JobIds(storage::Store& store) : store_(store) {}
  /// Blocks on the store when there is none left. Throws Error.
  std::int64_t take();
  /// Has at least so many. Blocks on the store when there are fewer. Throws Error.
  void reserve(std::size_t count);
  /// Gets more within a transaction that is made anyway; refilled() once that is committed.
  void refill(storage::Tx& tx);
  bool low() const noexcept { return end_ - next_ < kLow; }
  bool used() const noexcept { return end_ != 0; }
  void refilled() noexcept;

 private:
  static constexpr std::int64_t kLow = 32, kBlock = 64;
  storage::Store& store_;
  std::int64_t next_ = 0, end_ = 0, more_ = 0;
};

/// What all pipelines of an engine share. All but the threads belongs to the engine thread.
struct EngineServices {
  const EngineOptions& options;
  const EngineParts& parts;
  WorkerThreads& job_threads;
  WorkerThreads& archiver;
  JobQueue& queue;
  ResourceGroups& groups;
  JobIds& ids;
  LoopStats& stats;
  /// To the engine thread, from any.
  std::function<void(std::int64_t pipeline, Message message)> post;
};

class PipelineRun {
 public:
  /// Writes the pipeline and its jobs to the store. Any thread.
  PipelineRun(PipelineRequest request, const EngineServices& services);
  /// Goes on with what another engine left. Call claim_resources() of all, then resume() of all; engine
  /// thread.
  PipelineRun(StoredPipeline stored, const EngineServices& services);
  PipelineRun(const PipelineRun&) = delete;
  PipelineRun& operator=(const PipelineRun&) = delete;

  std::int64_t id() const noexcept { return record_.id; }
  const std::string& scope() const noexcept { return request_.scope; }
  PipelineEnd end() const { return {ready_->pipeline_status(), ready_->has_warnings()}; }
  /// Nothing runs or can run by itself, and all is written.
  bool idle() const;
  /// Whether another one may wait for what this one decides about resource groups.
  bool awaits_resource() const;
  /// None of its jobs has begun, and room is all they wait for: the store has all there is to know of it.
  /// True until it stays.
  bool may_step_back() const;
  void stay() noexcept { stays_ = true; }
  /// Of its jobs, those in the queue.
  std::size_t offered() const noexcept { return offered_.size(); }
  int priority() const noexcept { return request_.priority; }
  /// For whom a job of it counts while it runs.
  JobQueue::Share share_of(std::size_t job) const;
  /// Takes its jobs out of the queue, to be let go of.
  void step_back();

  /// Jobs that run, or ran when the engine before ended: their places.
  std::vector<std::size_t> used_slots() const;
  /// Takes the resource groups that its jobs had.
  void claim_resources();
  /// Takes up what was under way. What it decides is written and done as ever.
  void resume();

  void receive(Message message);
  /// At most so many new attempts follow from it.
  std::size_t attempts_of(const Message& message) const;
  /// Those that waited for a time that has come, and whatever follows from all changes so far.
  void advance();
  /// It has got the group it waited for.
  void resource_free(std::size_t job);
  /// Its turn came in the queue. False: it is not wanted any more.
  bool claim(std::size_t job, std::size_t slot);
  std::optional<SteadyPoint> next_timer() const;
  /// Stops jobs that are over their time.
  std::optional<SteadyPoint> check_deadlines(SteadyPoint now);

  /// Whether there is something to write. Computes the pipeline's own status.
  bool needs_write();
  /// Within a transaction, which may be repeated.
  void write(storage::Tx& tx);
  /// After the commit: tells and does what was decided.
  void act();

  /// Kills what runs, ends archives that are written. What has ended is told by messages as ever.
  void kill_all() noexcept;
  /// Threads that still work for it.
  bool busy() const { return !running_.empty() || archiving_ != 0; }
  /// Blocks until nothing is left of the attempts that have ended. None may be running.
  void wait_for_host() const { at_host_->wait_for_none(); }
  /// Takes note of the ends only, after kill_all().
  void bury(const Message& message);

  std::vector<JobView> views();
  std::filesystem::path log_path(std::size_t job);

 private:
  struct JobRun {
    bool exists = false;
    JobState state;  // newest attempt
    Collected collected;
    std::optional<double> coverage;
    std::vector<std::string> warnings;
    std::string environment_url;
    std::optional<ArchiveView> archive, reports;
    std::shared_ptr<StopControl> control;  // while it runs
    std::optional<SteadyPoint> started;    // when this engine started it
    std::size_t slot = 0;
    bool archiving = false;  // what it left is not yet in an archive
    std::string lost;        // why its artifacts are gone
  };
  /// What is decided and not yet written.
  struct Batch {
    std::map<std::size_t, std::int64_t> replaced;  // job -> version in the store
    std::vector<JobState> ended_attempts;          // followed by another attempt; version - 1 in the store
    std::set<std::size_t> inserted;                // new attempts
    std::vector<storage::EventRecord> events;
    std::vector<storage::OutboxRecord> effects;
    std::vector<std::size_t> stops, kills;  // to do after the commit
    std::vector<std::size_t> starts;
    std::set<std::size_t> changed;
    std::set<std::size_t> results;      // to be written, when durable
    std::vector<std::int64_t> settled;  // attempts: all they left is in the store with this
  };

  void insert_jobs();
  void make_places();
  void prepare_views();
  JobResult result_of(std::size_t job) const;
  void keep_archives(storage::Tx& tx, std::size_t job) const;
  std::filesystem::path log_place(std::size_t job) const {
    return paths_.logs / (std::to_string(jobs_[job].state.id) + ".log");
  }

  void receive(message::Wake) {}
  void receive(message::JobDone done);
  void receive(message::Archived archived);
  void receive(message::Cancel cancel);
  void receive(message::Play play);
  void receive(message::CancelJob cancel);
  void receive(message::Pass pass);
  void receive(message::TurnAway turned);
  void receive(message::RetryAll);
  void receive(message::Superseded);

  bool apply(std::size_t job, const JobEvent& event);
  void perform(std::size_t job, const Effect& effect);
  void track_resource(std::size_t job);
  void revive_after(std::size_t played);
  bool held(std::size_t job) const;
  void request_resource(std::size_t job);
  void fire_timers();
  void enqueue(std::size_t job, bool played);
  void delay(std::size_t job, std::chrono::milliseconds wait);
  void new_attempt(std::size_t job, std::chrono::milliseconds after = std::chrono::milliseconds(0));
  void cancel_all(bool kill);
  void forget_timers();
  std::chrono::milliseconds time_left(std::size_t job) const;
  void withdraw(std::size_t job);
  void start(std::size_t job);
  std::vector<Upstream> upstream_of(std::size_t job) const;
  void archive(std::size_t job);

  JobPolicy policy(std::size_t job) const;
  JobNow now_of(std::size_t job) const;
  JobView view(std::size_t job) const;
  void tell_observer();
  std::string refusal(std::size_t job) const;
  JobRef ref(std::size_t job) const { return {record_.id, job}; }
  ResourceGroups::Key group_of(std::size_t job) const {
    return {request_.scope, planned(job).resource_group};
  }
  const pipelines::PlanJob& planned(std::size_t job) const { return request_.plan.jobs[job]; }

  EngineServices services_;
  const EngineParts& parts_;
  const PipelineRequest request_;
  PipelinePaths paths_;
  storage::PipelineRecord record_;
  std::int64_t stored_version_ = 0;
  bool told_ = false;                        // the observer knows it
  std::optional<TimePoint> taken_up_again_;  // since it had ended
  std::vector<JobRun> jobs_;
  std::vector<bool> play_;  // start as soon as it waits for a person
  std::optional<ReadyJobs> ready_;
  std::set<std::size_t> offered_;  // waiting in the queue
  // A delay is a duration: by the steady clock, whatever people see of it. Of those that wait for a time.
  std::multimap<SteadyPoint, std::size_t> timers_;
  std::set<std::size_t> running_;
  std::shared_ptr<OpenCount> at_host_ = std::make_shared<OpenCount>();  // attempts, until they are cleaned up
  std::size_t archiving_ = 0;
  std::atomic<bool> killed_{false};  // archives that are being written end
  bool stays_ = false;               // once its place in the queue is sure
  Batch batch_;
  std::vector<std::string> performed_;  // outbox keys, removed with the next commit
  struct Views {
    std::map<std::size_t, JobView> jobs;
    std::map<std::size_t, std::filesystem::path> logs;
  };
  Synchronized<Views> views_;
};

}  // namespace runner::engine
