#pragma once
// Attempts that run in processes of their own (job_process.h) and outlive the daemon: another one that is
// asked for an attempt finds its process, or what that left, and never starts one twice.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "cache/layer_store.h"
#include "cache/workspace.h"
#include "executors/launcher.h"
#include "pipelines/facts.h"
#include "runner/daemon/base_environment.h"
#include "runner/engine/job_host.h"
#include "runner/engine/outcome_text.h"

namespace runner::daemon {

struct ProcessJobsOptions {
  engine::EngineOptions engine;
  cache::MountMode mount_mode = cache::MountMode::copy;
  /// The machine went down since the daemon before this one: nothing lives that it knows of.
  bool rebooted = false;
  /// See engine::JobHost. May be empty.
  std::function<bool()> accepts = {};
  /// What is withheld by now, jobs of pipelines that were made before are not given either. May be null.
  const BaseEnvironment* base_environment = nullptr;
  /// More variables of the job, asked for when its process is about to start, and nowhere kept. What it
  /// throws fails the job; Error{unavailable} is asked again for a while. Called by threads of jobs. May be
  /// empty.
  std::function<std::vector<pipelines::Variable>(const engine::JobOrder& order)> variables = {};
};

/// What the processes use beside DATA/layers lies in DATA/jobs/ATTEMPT/. Any thread.
class ProcessJobs final : public engine::JobHost {
 public:
  /// The launcher's main calls run_job_process(). References must outlive it. `on_commit`: see
  /// engine::JobParts.
  ProcessJobs(ProcessJobsOptions options, const executors::Launcher& launcher, cache::LayerStore& layers,
              std::function<void()> on_commit);
  ~ProcessJobs() override;

  void run(const engine::JobOrder& order, engine::StopControl& control,
           const OnEnd& on_end) noexcept override;
  engine::Archives archive(const engine::ArchiveOrder& order, const engine::Collected& collected,
                           const std::function<bool()>& stop) noexcept override;
  void settle(std::int64_t attempt) noexcept override;
  bool accepts() const noexcept override { return !options_.accepts || options_.accepts(); }
  bool keeps_time() const noexcept override { return true; }

  /// Tells which attempts of daemons before this one are going to be asked for; all others are settled.
  /// Before the engine serves.
  void take_over(std::set<std::int64_t> wanted);
  /// Nobody waits any more: run() and archive() return at once, with nothing that counts. Processes go on.
  void release() noexcept;

 private:
  struct Connection;
  using Shared = std::shared_ptr<Connection>;

  engine::JobOutcome run_or_throw(const engine::JobOrder& order, engine::StopControl& control);
  Shared reach(const engine::JobOrder& order, bool& ended);
  std::vector<pipelines::Variable> late_variables(const engine::JobOrder& order,
                                                  const engine::StopControl& control);
  Shared spawn(const engine::JobOrder& order, const engine::StopControl& control, UniqueFd lock);
  Shared wait_for_connection(std::int64_t attempt);
  Shared remember(std::int64_t attempt, UniqueFd socket);
  Shared known(std::int64_t attempt);
  void forget(std::int64_t attempt);
  engine::JobOutcome read_outcome(std::int64_t attempt) const;
  bool lost_with_machine(std::int64_t attempt) const {
    return options_.rebooted && earlier_.contains(attempt);
  }
  void end_leftovers(std::int64_t attempt) const;
  void clear(std::int64_t attempt) const;
  std::filesystem::path place_of(std::int64_t attempt) const { return root_ / std::to_string(attempt); }
  engine::FindEntry finder() const;

  const ProcessJobsOptions options_;
  const executors::Launcher& launcher_;
  cache::LayerStore& layers_;
  const std::function<void()> on_commit_;
  const std::filesystem::path root_;
  std::mutex mutex_;
  std::map<std::int64_t, Shared> connections_;
  std::set<std::int64_t> earlier_;  // attempts of the daemon before this one
  bool released_ = false;
};

}  // namespace runner::daemon
