#include "runner/engine/job_runner.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

using pipelines::FailureReason;

constexpr std::chrono::minutes kAfterScriptTimeout{5};
constexpr std::chrono::seconds kDestroyTimeout{30};

/// As a shell reports it: 128 + signal for a death by signal. nullopt when nothing ended by itself.
std::optional<int> exit_code_of(const executors::StepEnd& end) {
  if (const auto* exited = std::get_if<executors::Exited>(&end)) return exited->code;
  if (const auto* signaled = std::get_if<executors::Signaled>(&end)) return 128 + signaled->signo;
  if (std::holds_alternative<executors::OomKilled>(end)) return 137;
  return std::nullopt;
}

std::string status_text(RunResult::Kind kind) {
  switch (kind) {
    case RunResult::Kind::success:
      return "success";
    case RunResult::Kind::failed:
      return "failed";
    case RunResult::Kind::canceled:
      break;
  }
  return "canceled";
}

}  // namespace

JobRunner::JobRunner(const JobContext& context, const JobOrder& order, StopControl& control)
    : context_(context),
      order_(order),
      control_(control),
      job_(order.request->plan.jobs[order.state.plan_index]),
      started_at_(order.state.started_at.value_or(context.parts.clock.now())),
      sandbox_id_{order.work_dir.filename().string()},
      sandbox_dir_(order.work_dir / "sandbox") {}

JobOutcome JobRunner::run() noexcept {
  try {
    try {
      run_phases();
    } catch (const std::exception& e) {
      // A failure that the stop itself caused is told as the stop.
      if (control_.job_cause() != StopCause::none) {
        set_stopped(control_.job_cause(), false);
      } else {
        fail(FailureReason::runner_system_failure, e.what());
      }
    }
    clean_up();
  } catch (const std::exception& e) {
    outcome_.result = {RunResult::Kind::failed, FailureReason::runner_system_failure, {}, e.what()};
  }
  return std::move(outcome_);
}

void JobRunner::run_phases() {
  make_directories(order_.work_dir, 0700);
  if (!job_.coverage.empty()) coverage_.emplace(job_.coverage);
  JobLogSpec spec{order_.log_path, context_.options.log_limit, [this](std::string_view bytes) {
                    if (coverage_) coverage_->feed(bytes);
                    context_.parts.observer.job_output(order_.state.plan_index, order_.state.attempt, bytes);
                  }};
  log_ = std::make_unique<JobLog>(std::move(spec), context_.parts.clock);
  try {
    prepare_workspace();
    prepare_sandbox();
    if (run_hook()) {
      run_script();
      run_after_script();
    }
  } catch (const std::exception& e) {
    if (control_.job_cause() != StopCause::none) {
      set_stopped(control_.job_cause(), false);
    } else {
      fail(FailureReason::runner_system_failure, e.what());
    }
  }
  const StopCause cause = control_.job_cause();
  if (cause < StopCause::job_timeout && workspace_ != nullptr) save();
  print_end();
}

void JobRunner::make_environment(const std::filesystem::path& project_dir) {
  RunFacts run;
  run.pipeline = order_.state.pipeline;
  run.job = order_.state.id;
  run.started_at = started_at_;
  run.timeout = job_.timeout.value_or(context_.options.default_timeout);
  run.slot = order_.slot;
  run.project_dir = project_dir;
  run.builds_dir = order_.request->checkout.builds_dir;
  run.private_dir = order_.work_dir;
  NamedValues dotenv;
  for (const Upstream& upstream : order_.upstream) {
    dotenv.insert(dotenv.end(), upstream.dotenv.begin(), upstream.dotenv.end());
  }
  environment_.emplace(order_.request->plan, job_, order_.request->facts, order_.request->base_environment,
                       dotenv, run);
  log_->mask(environment_->secrets());
}

std::vector<std::filesystem::path> JobRunner::source_layers() {
  const Checkout& checkout = order_.request->checkout;
  const std::string strategy(environment_->value("GIT_STRATEGY"));
  const std::string submodules(environment_->value("GIT_SUBMODULE_STRATEGY"));
  const LogSection section(*log_, "get_sources", "Getting sources");
  if (!submodules.empty() && submodules != "none" && submodules != "normal" && submodules != "recursive") {
    throw Error(ErrorCode::invalid_input,
                "GIT_SUBMODULE_STRATEGY should be none, normal or recursive, not '" + submodules + "'");
  }
  if (strategy == "none" || strategy == "empty") {
    log_->line("No sources: GIT_STRATEGY is " + strategy);
    const std::filesystem::path empty = order_.work_dir / "empty";
    make_directories(empty);
    return {empty};
  }
  if (!strategy.empty() && strategy != "fetch" && strategy != "clone") {
    log_->warning("GIT_STRATEGY should be clone, fetch, none or empty, not '" + strategy +
                  "'; it is taken as fetch");
  }
  const auto& facts = order_.request->facts;
  if (facts.sha.find_first_not_of('0') == std::string::npos) {
    log_->line("No commit: the files as they are");
    return checkout.lowers;
  }
  log_->line("Commit " + facts.sha.substr(0, 8) + (facts.ref_name.empty() ? "" : " of " + facts.ref_name));
  return checkout.lowers;
}

void JobRunner::prepare_workspace() {
  const bool overlay = context_.parts.workspaces.mode() != cache::MountMode::copy;
  cache::WorkspaceSpec spec;
  spec.directory = order_.work_dir / "workspace";
  spec.target = order_.request->checkout.project_dir;
  make_environment(overlay ? spec.target : spec.directory);
  print_warnings();
  std::vector<std::filesystem::path> sources = source_layers();
  caches_.emplace(context_.parts.caches, order_.request->cache_scope, job_.caches, *environment_,
                  cache_key_facts(), context_.parts.clock, *log_);
  std::vector<std::filesystem::path> caches = caches_->restore();
  const bool downloads = std::any_of(order_.upstream.begin(), order_.upstream.end(),
                                     [](const Upstream& upstream) { return upstream.layer.has_value(); });
  if (downloads) {
    const LogSection section(*log_, "download_artifacts", "Taking artifacts");
    for (const Upstream& upstream : order_.upstream) {
      if (!upstream.layer) continue;
      log_->line("Artifacts of '" + upstream.name + "'");
      spec.lowers.insert(spec.lowers.begin(), *upstream.layer);
    }
  }
  spec.lowers.insert(spec.lowers.end(), caches.begin(), caches.end());
  spec.lowers.insert(spec.lowers.end(), sources.begin(), sources.end());
  workspace_ = context_.parts.workspaces.create(spec);
  // A copy may be seen elsewhere than assumed, and then every path of the environment changes.
  if (workspace_->path() != environment_->values().at("CI_PROJECT_DIR") && !overlay) {
    make_environment(workspace_->path());
    environment_->take_warnings();
  }
}

void JobRunner::prepare_sandbox() {
  executors::SandboxSpec spec;
  spec.id = sandbox_id_;
  spec.state_dir = sandbox_dir_;
  spec.workspace = workspace_->path();
  spec.file_size_bytes = context_.options.file_size_limit;
  spec.labels = {{"job", job_.name}, {"pipeline", std::to_string(order_.state.pipeline)}};
  if (const auto plan = workspace_->overlay()) {
    spec.overlay =
        executors::OverlayMount{plan->lowers, plan->upper, plan->work, plan->target, plan->user_namespace};
  }
  make_directories(sandbox_dir_, 0700);
  prepared_ = true;
  sandbox_ = context_.parts.executor.prepare(spec, *log_, control_.token());
}

executors::StepEnd JobRunner::run_step(const char* id, const pipelines::Script& entries,
                                       std::optional<std::chrono::milliseconds> limit, bool final_step) {
  ScriptOptions options;
  options.check_exit_code = environment_->flag("FF_ENABLE_BASH_EXIT_CODE_CHECK", false);
  options.sections = environment_->flag("FF_SCRIPT_SECTIONS", false);
  options.trace = environment_->flag("CI_DEBUG_TRACE", false);
  options.shell_only = environment_->oversized();
  print_warnings();
  const std::filesystem::path file = order_.work_dir / (std::string(id) + ".sh");
  write_file_atomic(file, shell_script(context_.shell, entries, options), 0600, false);
  executors::StepSpec spec;
  spec.id.value = id;
  spec.argv = {context_.shell.path, file.string()};
  spec.env = environment_->process();
  std::optional<SteadyPoint> deadline;
  if (limit) deadline = context_.parts.clock.steady_now() + *limit;
  return control_.run(*sandbox_, spec, *log_, deadline, final_step);
}

bool JobRunner::run_hook() {
  const std::string_view strategy = environment_->value("GIT_STRATEGY");
  if (job_.pre_get_sources_script.empty() || strategy == "none" || strategy == "empty") return true;
  const executors::StepEnd end = run_step("pre_get_sources", job_.pre_get_sources_script, {}, false);
  if (exit_code_of(end) == 0) return true;
  const StopCause cause = control_.step_cause();
  if (cause != StopCause::none) {
    set_stopped(cause, false);
  } else {
    fail(FailureReason::runner_system_failure, "the pre_get_sources_script hook failed", exit_code_of(end));
  }
  return false;
}

void JobRunner::run_script() {
  if (const StopCause cause = control_.job_cause(); cause != StopCause::none) {
    set_stopped(cause, false);
    return;
  }
  pipelines::Script entries = job_.before_script;
  entries.insert(entries.end(), job_.script.begin(), job_.script.end());
  const auto limit = environment_->duration("RUNNER_SCRIPT_TIMEOUT");
  if (environment_->flag("CI_DEBUG_TRACE", false)) {
    log_->warning("CI_DEBUG_TRACE is on: the log may show secrets");
  }
  const LogSection section(*log_, "step_script", "Running script");
  script_started_ = true;
  set_script_result(run_step("script", entries, limit, false));
}

void JobRunner::set_script_result(const executors::StepEnd& end) {
  const StopCause cause = control_.step_cause();
  const auto* exited = std::get_if<executors::Exited>(&end);
  if (exited != nullptr && exited->code == 0 && cause == StopCause::none) {
    outcome_.result = {RunResult::Kind::success, {}, 0, {}};
  } else if (cause != StopCause::none) {
    set_stopped(cause, true);
  } else if (const auto* lost = std::get_if<executors::Lost>(&end)) {
    fail(FailureReason::runner_system_failure, "the script was lost: " + lost->why);
  } else if (std::holds_alternative<executors::OomKilled>(end)) {
    fail(FailureReason::script_failure, "out of memory: the kernel ended the script", 137);
  } else if (const auto* signaled = std::get_if<executors::Signaled>(&end)) {
    fail(FailureReason::script_failure, "the script died of signal " + std::to_string(signaled->signo),
         128 + signaled->signo);
  } else if (exited != nullptr) {
    fail(FailureReason::script_failure, "exit code " + std::to_string(exited->code), exited->code);
  } else {
    fail(FailureReason::runner_system_failure, "the script was stopped by no one we know");
  }
}

void JobRunner::set_stopped(StopCause cause, bool script) {
  switch (cause) {
    case StopCause::none:
      break;
    case StopCause::phase_timeout:
      fail(FailureReason::job_execution_timeout,
           script ? "the script took longer than RUNNER_SCRIPT_TIMEOUT allows"
                  : "a step took longer than allowed");
      break;
    case StopCause::job_timeout:
      fail(FailureReason::job_execution_timeout,
           "took longer than " + format_duration(job_.timeout.value_or(context_.options.default_timeout)));
      break;
    case StopCause::cancel:
    case StopCause::kill:
      outcome_.result = {RunResult::Kind::canceled, {}, {}, cause == StopCause::kill ? "killed" : "canceled"};
      break;
  }
}

void JobRunner::run_after_script() {
  if (!script_started_ || job_.after_script.empty() || control_.job_cause() >= StopCause::job_timeout) return;
  const bool script_timeout = control_.step_cause() == StopCause::phase_timeout;
  environment_->set_job_status(script_timeout ? "timedout" : status_text(outcome_.result.kind));
  environment_->read_hand_over_file();
  const auto limit = environment_->duration("RUNNER_AFTER_SCRIPT_TIMEOUT").value_or(kAfterScriptTimeout);
  const bool ignore = environment_->flag("AFTER_SCRIPT_IGNORE_ERRORS", true);
  const LogSection section(*log_, "after_script", "Running after_script");
  const executors::StepEnd end = run_step("after_script", job_.after_script, limit, true);
  const StopCause cause = control_.step_cause();
  if (cause == StopCause::job_timeout || cause == StopCause::kill) {
    set_stopped(cause, false);
    return;
  }
  const auto code = exit_code_of(end);
  if (cause == StopCause::none && code == 0) return;
  const std::string why =
      cause == StopCause::phase_timeout
          ? "after_script took longer than " + format_duration(limit)
          : "after_script failed" + (code ? ": exit code " + std::to_string(*code) : std::string());
  log_->warning(why);
  if (!ignore && succeeded()) fail(FailureReason::script_failure, why, code);
}

void JobRunner::save() {
  const bool success = succeeded();
  try {
    JobArtifacts artifacts(job_.artifacts, *environment_, *log_);
    if (script_started_ || !success) {
      environment_->read_hand_over_file();
      if (!std::filesystem::exists(workspace_->upper())) {
        log_->warning("the job removed its workspace: there is nothing to save");
        make_directories(workspace_->upper());
      }
      const SelectSpec base = selection_base();
      // Caches may take files out of the workspace, so artifacts are gathered first and printed after.
      if (job_.artifacts.wanted() && script_started_) {
        outcome_.collected =
            artifacts.collect(workspace_->tree(), workspace_->upper(), base, order_.layer, success);
      }
      if (caches_ && !caches_->empty()) {
        const std::filesystem::path scratch = order_.work_dir / "scratch";
        make_directories(scratch, 0700);
        caches_->save(workspace_->tree(), workspace_->upper(), base, scratch, success);
      }
    }
    artifacts.print(success);
    outcome_.warnings.insert(outcome_.warnings.end(), outcome_.collected.warnings.begin(),
                             outcome_.collected.warnings.end());
    if (!outcome_.collected.error.empty()) {
      log_->line("ERROR: " + outcome_.collected.error);
      if (success) fail(FailureReason::script_failure, outcome_.collected.error, 1);
    }
  } catch (const std::exception& e) {
    log_->line("ERROR: " + std::string(e.what()));
    if (success) fail(FailureReason::runner_system_failure, e.what());
  }
}

void JobRunner::clean_up() {
  std::string trouble;
  const auto attempt = [&](const auto& act) {
    try {
      act();
    } catch (const std::exception& e) {
      if (trouble.empty()) trouble = e.what();
    }
  };
  sandbox_.reset();
  if (prepared_) {
    attempt([&] {
      context_.parts.executor.destroy(sandbox_id_, sandbox_dir_,
                                      std::chrono::steady_clock::now() + kDestroyTimeout);
    });
  }
  if (workspace_) attempt([&] { workspace_->remove(); });
  attempt([&] { remove_tree(order_.work_dir); });
  if (log_) {
    const std::string lost = log_->finish();
    if (!lost.empty() && succeeded()) fail(FailureReason::runner_system_failure, lost);
  }
  if (coverage_) outcome_.coverage = coverage_->result();
  // The job's result stands; that something stayed behind is for the operator.
  if (!trouble.empty()) log_error("engine", "cannot clean up after job '" + job_.name + "': " + trouble);
}

void JobRunner::fail(FailureReason reason, std::string why, std::optional<int> exit_code) {
  outcome_.result = {RunResult::Kind::failed, reason, exit_code, std::move(why)};
}

void JobRunner::print_warnings() {
  for (std::string& warning : environment_->take_warnings()) {
    log_->warning(warning);
    outcome_.warnings.push_back(std::move(warning));
  }
}

void JobRunner::print_end() {
  switch (outcome_.result.kind) {
    case RunResult::Kind::success:
      log_->line("\x1b[32;1mJob succeeded\x1b[0;m");
      break;
    case RunResult::Kind::canceled:
      log_->line("\x1b[0;33mJob canceled\x1b[0;m");
      break;
    case RunResult::Kind::failed:
      log_->line("\x1b[31;1mERROR: Job failed: " + outcome_.result.reason + "\x1b[0;m");
      break;
  }
}

CacheKeyFacts JobRunner::cache_key_facts() const {
  const Checkout& checkout = order_.request->checkout;
  CacheKeyFacts facts;
  facts.expand = [this](std::string_view text) { return environment_->expand(text); };
  facts.blob_id = checkout.blob_id;
  facts.last_commit = checkout.last_commit;
  facts.ref_protected = order_.request->facts.ref_protected;
  facts.fallback_key = environment_->value("CACHE_FALLBACK_KEY");
  facts.tracked = [&checkout](std::string_view pattern) {
    std::vector<std::string> paths;
    const std::string one[] = {std::string(pattern)};
    for (TreeEntry& entry : select_paths(LayeredTree(checkout.lowers), one, {}, "").entries) {
      if (checkout.is_tracked && checkout.is_tracked(entry.path)) paths.push_back(std::move(entry.path));
    }
    return paths;
  };
  return facts;
}

SelectSpec JobRunner::selection_base() const {
  SelectSpec base;
  base.is_tracked = order_.request->checkout.is_tracked;
  base.root = workspace_->path().string();
  return base;
}

}  // namespace runner::engine
