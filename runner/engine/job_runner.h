#pragma once
// One attempt's life on its job thread: prepare, sources, cache, artifacts, script, after_script, save,
// collect, clean up. Blocks as long as the job runs.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "artifacts/reports.h"
#include "cache/workspace.h"
#include "executors/executor.h"
#include "runner/engine/engine.h"
#include "runner/engine/job_artifacts.h"
#include "runner/engine/job_caches.h"
#include "runner/engine/job_environment.h"
#include "runner/engine/job_host.h"
#include "runner/engine/job_log.h"
#include "runner/engine/job_order.h"
#include "runner/engine/shell_script.h"
#include "runner/engine/stop_control.h"

namespace runner::engine {

struct FailedJob;

/// What runs work with.
struct JobParts {
  executors::Executor& executor;
  cache::Workspaces& workspaces;
  /// Caches and artifacts. Null when no job has either: a run that needs no layer store opens none.
  cache::Caches* caches;
  const Clock& clock;
  Observer& observer;
  /// Told by job threads when something new is in the layer store; quick; may be empty.
  std::function<void()> on_commit = {};
  /// Called by the job's thread before anything of the job's own may run; throws, and nothing runs then. May
  /// be empty.
  std::function<void()> on_begin = {};
  /// A log that cannot be written, for want of room, waits until it can, or the job is to end.
  bool waits_for_room = false;
  /// For jobs with an image. Null: they run with the other one, and their log says so.
  executors::Executor* containers = nullptr;
  /// The program's own file, whose main() calls builds::image_build_main() and
  /// deployments::deploy_step_main(). Empty: no images are built, and nothing is deployed.
  std::string program = {};
  /// Called by the job's thread, before the after_script; its time limit does not count any more then. May be
  /// empty.
  std::function<void(const FailedJob& job)> on_failure = {};
};

/// A job whose script failed, while its sandbox is still there.
struct FailedJob {
  std::string name, why;
  std::filesystem::path log;
  executors::Sandbox& sandbox;
  executors::StepSpec shell;  // for a person to look around, with the job's environment
  std::stop_token stop;       // the job is to end
};

/// What all runs share.
struct JobContext {
  const EngineOptions& options;
  const JobParts& parts;
  const Shell& shell;
};

/// One run. One thread, but for `control`.
class JobRunner {
 public:
  JobRunner(const JobContext& context, const JobOrder& order, StopControl& control);
  /// Never throws: what fails becomes a failed result with a reason. Tells how it ended before it cleans up:
  /// that a mount is gone takes the kernel longer than many a job. See JobHost::run().
  void run(const JobHost::OnEnd& on_end) noexcept;

 private:
  void run_phases();
  bool misses_artifacts();
  bool is_contained() const { return executor_ == context_.parts.containers; }
  std::filesystem::path shared_dir() const { return order_.work_dir / "shared"; }
  std::filesystem::path seen_shared_dir() const;
  void make_environment(const std::filesystem::path& project_dir);
  void note_ignored_image();
  std::vector<std::filesystem::path> source_layers();
  std::vector<std::filesystem::path> asked_sources();
  void prepare_workspace();
  void prepare_sandbox();
  executors::ContainerSpec container_of();
  bool run_hook();
  void run_script();
  void run_image_build();
  void run_deployment();
  void set_deploy_result(const executors::StepEnd& end, const std::filesystem::path& dir);
  void set_build_result(const executors::StepEnd& end, const std::filesystem::path& dir);
  void show_failure();
  void run_after_script();
  void save();
  void tell_environment();
  void finish_log();
  void clean_up() noexcept;

  executors::StepEnd run_step(const char* id, const pipelines::Script& entries,
                              std::optional<std::chrono::milliseconds> limit, bool final_step);
  void set_stopped(StopCause cause, bool script);
  void set_script_result(const executors::StepEnd& end);
  void fail(pipelines::FailureReason reason, std::string why, std::optional<int> exit_code = {});
  cache::Caches& layer_store() const;
  TakenFrom taken_from() const;
  std::string origin() const;
  void take_what_is_left(bool success);
  std::vector<std::filesystem::path> artifact_layers();
  bool succeeded() const { return outcome_.result.kind == RunResult::Kind::success; }
  void print_warnings();
  void print_end();
  void mask_outcome();

  const JobContext& context_;
  const JobOrder& order_;
  StopControl& control_;
  const pipelines::PlanJob& job_;
  executors::Executor* const executor_;
  JobOutcome outcome_;
  TimePoint started_at_;
  std::optional<artifacts::CoverageScanner> coverage_;
  std::unique_ptr<JobLog> log_;
  std::optional<JobEnvironment> environment_;
  std::optional<JobCaches> caches_;
  NamedValues build_outputs_;            // what an image that was built is called
  std::shared_ptr<const void> sources_;  // before the workspace, which is made of them
  std::unique_ptr<cache::Workspace> workspace_;
  std::unique_ptr<executors::Sandbox> sandbox_;
  executors::SandboxId sandbox_id_;
  const std::filesystem::path work_dir_;
  const std::string name_;  // of the job
  bool prepared_ = false, script_started_ = false;
};

}  // namespace runner::engine
