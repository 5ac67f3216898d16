#pragma once
// Runs pipelines: decides which job may start (decide.h, ready_jobs.h: pure), commits to the store, then
// acts. `runner exec` and `runner serve` use this same class; exec gives it an in-memory store and one
// pipeline.
//
// Threads: one engine thread owns scheduling and takes messages from a mailbox; one thread per running job
// does the blocking work (job_runner.h) and talks to the engine by messages only.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/plan.h"
#include "pipelines/status.h"
#include "runner/base/clock.h"
#include "runner/base/histogram.h"
#include "runner/engine/resource_groups.h"
#include "runner/engine/sources.h"

namespace runner::cache {
struct Entry;
}  // namespace runner::cache
namespace runner::storage {
class Store;
class Tx;
struct JobRecord;
struct PipelineRecord;
}  // namespace runner::storage

namespace runner::engine {

/// The trees a job's workspace starts from. Immutable while the pipeline runs.
struct Checkout {
  std::vector<std::filesystem::path> lowers;  // top first
  std::filesystem::path project_dir;          // where jobs see it: CI_PROJECT_DIR
  std::filesystem::path builds_dir;           // CI_BUILDS_DIR
  /// What a job gets that asks for more or less (GIT_DEPTH, submodules ...). Empty: `lowers` for every job.
  /// Called by job threads; throws Error, and the job fails then. `stop`: the job is to end, do not wait.
  std::function<Sources(const SourceKnobs& knobs, const std::stop_token& stop)> sources;
  /// Blob id at the commit by path, for cache:key:files; nullopt = no such file.
  std::function<std::optional<std::string>(std::string_view path)> blob_id;
  /// Last commit that touched a path, for cache:key:files_commits.
  std::function<std::optional<std::string>(std::string_view path)> last_commit;
  /// Tracked by git at the commit; for `untracked: true`.
  std::function<bool(std::string_view path)> is_tracked;
};

struct PipelineRequest {
  pipelines::Plan plan;
  pipelines::PipelineFacts facts;
  Checkout checkout;
  std::string
      scope;  // the project, in the layer store; jobs of one share resource groups and the room there is
  int priority = 0;  // of its jobs, among those of the same project: the higher the sooner
  /// The executors of jobs that are not run by `kShell`, by job: whose room they take.
  std::map<std::size_t, std::string> executors;
  /// Names the run where what it left is spoken of later: "run 12". Asked by job threads, only when something
  /// is left; may be empty.
  std::function<std::string()> name;
  /// Environment every job starts from (PATH, HOME ...), below all variables.
  std::map<std::string, std::string> base_environment;
  /// Only these jobs run (indexes into plan.jobs), others do not exist; empty = all.
  std::vector<std::size_t> selection;
  /// Manual jobs to start as soon as they wait.
  std::vector<std::size_t> play;
  /// Artifacts of earlier runs, for jobs that take those of a job which is not selected.
  std::map<std::size_t, std::shared_ptr<const cache::Entry>> kept_artifacts;
  /// Of such jobs those whose artifacts are gone, and why: a job that takes them fails.
  std::map<std::size_t, std::string> lost_artifacts;
  /// Before the job's name in the key of its artifacts in the layer store. Empty: each run of a job takes the
  /// place of the one before it.
  std::string artifact_prefix;
  /// For a host in another process: what it needs to know to make `checkout` itself. Not looked at here.
  std::string recipe;
  /// Called in the transaction that makes the pipeline, before its row is written; may complete the row, and
  /// write what belongs to it. May be repeated. What it throws is thrown by create(), and nothing is made.
  std::function<void(storage::Tx& tx, storage::PipelineRecord& record)> on_insert;
  /// The same once the rows of the pipeline and its jobs are written.
  std::function<void(storage::Tx& tx, const storage::PipelineRecord& record)> after_insert;
};

/// What people see of an artifact archive.
struct ArchiveView {
  std::string name;  // artifacts:name, without extension
  std::filesystem::path path;
  std::string sha256;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
};

/// A job as it is now: newest attempt. A copy; never changes.
struct JobView {
  std::int64_t pipeline = 0;
  std::string project;    // as the pipeline has it
  std::size_t index = 0;  // into plan.jobs
  std::string name, stage;
  pipelines::JobStatus status = pipelines::JobStatus::created;
  bool allow_failure = false;  // as it counts: exit codes considered
  int attempt = 0;             // 0 = not started
  std::optional<int> exit_code;
  std::optional<pipelines::FailureReason> failure;
  std::string reason;  // one sentence for people
  std::optional<TimePoint> started_at, finished_at;
  std::optional<double> coverage;
  std::optional<std::uint64_t> tests_total, tests_failed;
  std::optional<ArchiveView> archive, reports;  // of artifacts:paths, of report files
  std::vector<std::string> warnings;
  std::string environment_url;  // where what it deployed is found; "" = unknown
};

/// A pipeline as it is now. A copy.
struct PipelineView {
  std::int64_t id = 0;
  std::string project;
  pipelines::JobStatus status = pipelines::JobStatus::created;
  /// False: this is no news, but this engine, or the observer, did not have it yet.
  bool changed = false;
  /// Of one that had ended and goes on: when it was taken up again.
  std::optional<TimePoint> started_at;
  std::optional<TimePoint> finished_at;
};

/// Told what happens, by the engine thread and by job threads, at the same time: implementations lock, are
/// quick and do not call back.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void job_changed(const JobView& job) = 0;
  /// Masked log bytes as they are stored; chunks of any size.
  virtual void job_output(std::size_t job, int attempt, std::string_view bytes) = 0;
  /// When its status changes, and when the engine begins with it. By the engine thread.
  virtual void pipeline_changed(const PipelineView& /*pipeline*/) {}
};

inline constexpr std::string_view kShell = "shell";
inline constexpr std::string_view kContainer = "container";

/// How jobs with an image run.
struct ContainerSettings {
  std::filesystem::path socket;  // of the engine; empty: there are no containers
  std::string owner;             // what marks our containers as ours, see executors::ContainerOptions
  std::string default_image;     // of jobs that name none; empty: those run in the shell
  std::string pull_policy = "always";
  std::vector<std::string> allowed_pull_policies = {"always", "if-not-present", "never"};
  std::vector<std::filesystem::path> login_files;  // of this user or the administrator; the first that knows
  std::chrono::milliseconds service_wait{30'000};  // negative: services are not waited for
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> ulimits;  // soft, hard
  std::uint64_t memory_bytes = 0, shm_bytes = 0;                           // of each container; 0: no limit
  std::uint32_t cpu_millis = 0;
  bool privileged = false;
  bool shell_only = false;  // jobs run in the shell, image or not: the engine builds images only
  /// HOST[:PORT] of those that need no certificate that is trusted, or have no TLS.
  std::vector<std::string> insecure_registries;
  bool engine_socket = false;                       // jobs get the socket of the engine
  std::vector<std::string> engine_socket_projects;  // then only those of the projects so named; empty: all
  std::filesystem::path images;                     // where is kept which images were pulled; empty: nowhere
  std::uint64_t image_budget = 0, build_cache_budget = 0;  // bytes; 0: no limit
};

/// Where jobs with `deploy:` keep their journal.
struct DeploySettings {
  std::filesystem::path database;  // empty: they fail
  std::filesystem::path places;    // a directory for what is kept of each environment
  bool gated = false;              // EngineParts::holds has made the deployment
};

struct EngineOptions {
  std::filesystem::path data_dir;                        // work/, logs/, artifacts/ are made below it
  std::size_t capacity = 4;                              // jobs at the same time
  std::map<std::string, std::size_t> executor_capacity;  // of these, at most so many of an executor's
  std::chrono::milliseconds cancel_grace{10'000};        // between SIGTERM and SIGKILL
  std::chrono::milliseconds default_timeout{3'600'000};
  /// Before the second attempt of a job that failed because of the machine, four times that before the third.
  /// Failures of scripts are tried again at once.
  std::chrono::milliseconds retry_after{5'000};
  std::uint64_t log_limit = 0;            // bytes of one job's log, 0 = none
  std::uint64_t file_size_limit = 0;      // RLIMIT_FSIZE of steps, 0 = none
  std::uint64_t artifact_size_limit = 0;  // bytes of one job's artifacts, 0 = none
  bool durable = false;                   // another engine may go on with what is in the store
  ContainerSettings containers;
  DeploySettings deployments;
};

class JobHost;

/// A job whose turn has come.
struct AtGate {
  std::int64_t pipeline = 0;
  std::size_t index = 0;
  std::int64_t attempt_id = 0;
  const std::string& scope;
  const pipelines::PlanJob& job;
  const pipelines::PipelineFacts& facts;
};

/// What one transaction changes of a pipeline.
struct StoredChange {
  const storage::PipelineRecord& pipeline;      // as it is then
  bool pipeline_changed = false;                // its status did
  std::vector<const storage::JobRecord*> jobs;  // those whose status did: their newest attempts
};

struct EngineParts {
  storage::Store& store;
  JobHost& host;
  const Clock& clock;
  Observer& observer;
  /// Called in the transaction that writes a change, by the engine thread; may write what follows from it.
  /// May be repeated. What it throws is a failure of the store. May be empty.
  std::function<void(storage::Tx& tx, const StoredChange& change)> on_write = {};
  /// Whether a job waits (waiting_for_resource) until pass() or turn_away() says more of it. Asked by the
  /// engine thread when its turn comes and, of one that waits, after a restart; must not block. May be empty.
  std::function<bool(const AtGate& job)> holds = {};
};

struct PipelineEnd {
  pipelines::JobStatus status = pipelines::JobStatus::created;  // composite; manual = blocked
  bool warnings = false;
};

struct StoredPipeline;  // stored_pipeline.h

/// A pipeline whose jobs wait for room and for nothing else. Only its place is known: it is read from the
/// store when its turn comes near.
struct WaitingPipeline {
  std::int64_t id = 0;
  std::string scope;
  int priority = 0;
};

/// What an engine that serves is told beside its options. Called on the engine thread.
struct ServeOptions {
  /// A pipeline that it has let go of, for a message to it or because its turn comes; nullopt: there is none.
  /// Throws Error. Without it pipelines that wait stay in memory.
  std::function<std::optional<StoredPipeline>(std::int64_t pipeline)> reload;
  /// "" when the store can be written again, else why it cannot. May be empty.
  std::function<void(const std::string& trouble)> on_store;
  /// Between two tries to write, doubled each time up to the second one.
  std::chrono::milliseconds retry_after{100}, retry_at_most{5'000};
};

/// What an engine counted since it was made.
struct EngineStats {
  HistogramCounts turns;   // of its loop: how long one took
  HistogramCounts lag;     // how late timers were served
  HistogramCounts queued;  // from a job's turn to its start
  std::size_t timers_overdue = 0;
  std::uint64_t cache_hits = 0, cache_misses = 0;  // of jobs that ended
};

class Engine {
 public:
  /// References must outlive the engine.
  Engine(EngineOptions options, const EngineParts& parts);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Stores the frozen plan and its jobs. Returns the pipeline's id. Any thread. It begins when the engine
  /// thread takes notice of it.
  std::int64_t create(PipelineRequest request);
  /// Runs on the calling thread, which becomes the engine thread, until nothing of the pipeline runs or can
  /// run any more: completed, or waiting for a person. Leaves no process, mount or directory of its jobs
  /// behind. Other pipelines go on meanwhile, and stay where they are when this one ends.
  PipelineEnd run(std::int64_t pipeline);
  /// Goes on with what an engine before this one left in the store. Before serve(). Throws Error.
  void resume(std::vector<StoredPipeline> pipelines, const std::vector<WaitingPipeline>& waiting = {});
  /// Runs on the calling thread until `stop`: takes every pipeline through its turns, and lets go of those
  /// that are idle, or wait behind more jobs of their project than will have room soon. When the store cannot
  /// be written, nothing new starts, what was decided waits, and it is tried again and again. Ends nothing:
  /// what runs is the host's. Throws Error when it cannot go on; the store is right then, and another engine
  /// can resume.
  void serve(const std::stop_token& stop, const ServeOptions& options);
  /// Any thread, async: created and waiting jobs are canceled, running ones are stopped (after_script still
  /// runs).
  void cancel(std::int64_t pipeline);
  /// As cancel, but kills at once and runs no after_script.
  void kill(std::int64_t pipeline);
  /// Any thread, async: starts a job that waits for a person or a time, or runs a finished one once more, and
  /// brings back what was skipped because of it. When run() has returned already, call it again.
  void play(std::int64_t pipeline, std::size_t job);
  /// As the three above, for pipelines that need not be in memory.
  void cancel_stored(std::int64_t pipeline, bool kill = false);
  void play_stored(std::int64_t pipeline, std::size_t job);
  void cancel_job(std::int64_t pipeline, std::size_t job);
  /// Every job that failed or was canceled runs once more.
  void retry(std::int64_t pipeline);
  /// A newer pipeline of the same ref is there: does what the plan says of that (workflow:auto_cancel).
  void supersede(std::int64_t pipeline);

  /// Any thread, async: a job that EngineParts::holds goes on, or fails. Fine when it does not wait any more.
  void pass(std::int64_t pipeline, std::size_t job);
  void turn_away(std::int64_t pipeline, std::size_t job, std::string why);

  /// Any thread, async: how a group is handed on from the next time on. Not remembered by the engine.
  void set_resource_mode(const ResourceGroups::Key& group, ResourceMode mode);

  /// Any thread. Does not block.
  EngineStats stats() const;
  /// Any thread, never blocks: how long ago the engine thread did something of what it has to do; nullopt
  /// while it has nothing to do, or waits for the store.
  std::optional<std::chrono::duration<double>> since_step() const noexcept;

  std::vector<JobView> jobs(std::int64_t pipeline) const;
  /// The whole masked log of a job's newest attempt. Empty when it never started.
  std::string job_log(std::int64_t pipeline, std::size_t job) const;
  std::filesystem::path job_log_path(std::int64_t pipeline, std::size_t job) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::engine
