#pragma once
// One attempt's life on its job thread: prepare, sources, cache, artifacts, script, after_script, save,
// collect, clean up. Blocks as long as the job runs.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/reports.h"
#include "cache/workspace.h"
#include "executors/executor.h"
#include "runner/engine/engine.h"
#include "runner/engine/job_artifacts.h"
#include "runner/engine/job_caches.h"
#include "runner/engine/job_environment.h"
#include "runner/engine/job_log.h"
#include "runner/engine/job_order.h"
#include "runner/engine/shell_script.h"
#include "runner/engine/stop_control.h"

namespace runner::engine {

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
  /// Never throws: what fails becomes a failed result with a reason.
  JobOutcome run() noexcept;

 private:
  void run_phases();
  bool misses_artifacts();
  void make_environment(const std::filesystem::path& project_dir);
  void note_ignored_image();
  std::vector<std::filesystem::path> source_layers();
  std::vector<std::filesystem::path> asked_sources();
  void prepare_workspace();
  void prepare_sandbox();
  bool run_hook();
  void run_script();
  void run_after_script();
  void save();
  void tell_environment();
  void clean_up();

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
  JobOutcome outcome_;
  TimePoint started_at_;
  std::optional<artifacts::CoverageScanner> coverage_;
  std::unique_ptr<JobLog> log_;
  std::optional<JobEnvironment> environment_;
  std::optional<JobCaches> caches_;
  std::shared_ptr<const void> sources_;  // before the workspace, which is made of them
  std::unique_ptr<cache::Workspace> workspace_;
  std::unique_ptr<executors::Sandbox> sandbox_;
  executors::SandboxId sandbox_id_;
  bool prepared_ = false, script_started_ = false;
};

}  // namespace runner::engine
