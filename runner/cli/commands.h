#pragma once
// The commands, one .cpp each. They print, and return the exit code of the process; what the machinery throws
// passes through to main.cpp. Main thread only.

#include "runner/cli/options.h"

namespace runner::cli {

/// What the process ends with.
enum ExitCode : int { exit_success = 0, exit_failed = 1, exit_usage = 2, exit_machinery = 3 };

/// Call while the process has one thread: it forks the process that starts the jobs' steps.
int run_exec(const ExecOptions& options);
/// Call while the process has one thread: it forks the process that starts those of the jobs.
int run_serve(const ServeOptions& options);
int run_lint(const LintOptions& options);
int run_cache(const CacheOptions& options);
int run_cache_transfer(const CacheTransferOptions& options);
int run_project(const ProjectOptions& options);
int run_pipeline(const PipelineOptions& options);
int run_schedule(const ScheduleOptions& options);
int run_variable(const VariableOptions& options);
int run_audit(const AuditOptions& options);
int run_keys(const KeyOptions& options);
int run_remote_job(const RemoteJobOptions& options);
int run_account(const AccountOptions& options);
int run_environment(const EnvironmentOptions& options);
int run_deploy(const DeployOptions& options);
int run_artifact(const ArtifactOptions& options);
/// Call while the process has one thread: it forks to try a mount.
int run_doctor(const DoctorOptions& options);
int run_version(const VersionOptions& options);
int run_completion(const CompletionOptions& options);

/// Parses, dispatches, and turns what is thrown into "runner: error: ..." and exit_machinery.
int run(int argc, const char* const* argv);

}  // namespace runner::cli
