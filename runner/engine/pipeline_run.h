#pragma once
// One pipeline under way: its state in memory, how events change it, what is written and done because of it.
// Belongs to the engine thread; the mailbox and the views are for everyone.

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
#include "runner/engine/job_runner.h"
#include "runner/engine/mailbox.h"
#include "runner/engine/ready_jobs.h"
#include "runner/engine/stop_control.h"
#include "runner/engine/worker_threads.h"
#include "runner/storage/records.h"

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
  int attempt = 0;
  std::optional<ArchiveView> archive, reports;
  std::string error;
};
struct Cancel {
  bool kill = false;
};
struct Play {
  std::size_t job = 0;
};
}  // namespace message
using Message =
    std::variant<message::Wake, message::JobDone, message::Archived, message::Cancel, message::Play>;

/// Where the files of a pipeline lie.
struct PipelinePaths {
  std::filesystem::path work, logs, archives;
};

/// The threads and services all pipelines of an engine share.
struct EngineServices {
  const JobContext& context;
  WorkerThreads& job_threads;
  WorkerThreads& archiver;
};

class PipelineRun {
 public:
  /// Writes the pipeline and its jobs to the store.
  PipelineRun(PipelineRequest request, const EngineServices& services);
  PipelineRun(const PipelineRun&) = delete;
  PipelineRun& operator=(const PipelineRun&) = delete;

  std::int64_t id() const noexcept { return record_.id; }
  /// Until nothing runs or can run by itself. On an exception everything that ran has ended.
  PipelineEnd run();
  void post(Message message) { mailbox_.post(std::move(message)); }

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
  };
  struct ResourceGroup {
    std::optional<std::size_t> holder;
    std::deque<std::size_t> waiting;  // in order of arrival
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
  };

  void insert_jobs();
  bool idle() const;
  void step(std::vector<Message> messages);
  std::optional<SteadyPoint> next_deadline();

  void receive(message::Wake) {}
  void receive(message::JobDone done);
  void receive(message::Archived archived);
  void receive(message::Cancel cancel);
  void receive(message::Play play);

  bool apply(std::size_t job, const JobEvent& event);
  void perform(std::size_t job, const Effect& effect);
  void advance();
  void revive_after(std::size_t played);
  void fire_timers();
  void enqueue(std::size_t job, bool played);
  void release_resource(std::size_t job);
  void new_attempt(std::size_t job);
  void cancel_all(bool kill);
  void claim();
  void commit();
  void act();
  void start(std::size_t job);
  std::vector<Upstream> upstream_of(std::size_t job) const;
  void archive(std::size_t job);
  void end_everything() noexcept;

  JobPolicy policy(std::size_t job) const;
  JobNow now_of(std::size_t job) const;
  JobView view(std::size_t job) const;
  std::string refusal(std::size_t job) const;
  const pipelines::PlanJob& planned(std::size_t job) const { return request_.plan.jobs[job]; }

  EngineServices services_;
  const EngineParts& parts_;
  const PipelineRequest request_;
  PipelinePaths paths_;
  storage::PipelineRecord record_;
  std::int64_t stored_version_ = 0;
  std::vector<JobRun> jobs_;
  std::vector<bool> play_;  // start as soon as it waits for a person
  std::optional<ReadyJobs> ready_;
  std::deque<std::size_t> offered_;
  std::multimap<TimePoint, std::size_t> timers_;
  std::map<std::string, ResourceGroup> groups_;
  std::vector<std::size_t> free_slots_;
  std::set<std::size_t> running_;
  std::size_t archiving_ = 0;
  std::atomic<bool> killed_{false};  // archives that are being written end
  Batch batch_;
  std::vector<std::string> performed_;  // outbox keys, removed with the next commit
  Mailbox<Message> mailbox_;
  struct Views {
    std::map<std::size_t, JobView> jobs;
    std::map<std::size_t, std::filesystem::path> logs;
  };
  Synchronized<Views> views_;
};

}  // namespace runner::engine
