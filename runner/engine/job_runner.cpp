#include "runner/engine/job_runner.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "cache/mount_point.h"
#include "runner/base/digest.h"
#include "runner/base/disk_space.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/engine/job_containers.h"

namespace runner::engine {
namespace {

using pipelines::FailureReason;

constexpr std::chrono::minutes kAfterScriptTimeout{5};
constexpr std::chrono::seconds kDestroyTimeout{30};

// The image's best one, for a person.
constexpr const char* kAnyShell =
    "if command -v bash >/dev/null 2>&1; then exec bash -i; else exec sh -i; fi";

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

std::string sandbox_name(const std::filesystem::path& work_dir) {
  constexpr std::size_t kEnough = 16;
  const std::filesystem::path place = std::filesystem::absolute(work_dir).lexically_normal();
  return place.filename().native() + "-" + sha256_hex(place.native()).substr(0, kEnough);
}

JobRunner::JobRunner(const JobContext& context, const JobOrder& order, StopControl& control)
    : context_(context),
      order_(order),
      control_(control),
      job_(order.request->plan.jobs[order.state.plan_index]),
      executor_(context.parts.containers != nullptr && wants_container(job_, context.options.containers)
                    ? context.parts.containers
                    : &context.parts.executor),
      started_at_(order.state.started_at.value_or(context.parts.clock.now())),
      sandbox_id_{sandbox_name(order.work_dir)},
      work_dir_(order.work_dir),
      name_(job_.name) {}

void JobRunner::run(const JobHost::OnEnd& on_end) noexcept {
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
    finish_log();
  } catch (const std::exception& e) {
    outcome_.result = {RunResult::Kind::failed, FailureReason::runner_system_failure, {}, e.what()};
  }
  // Whoever is told may need what this still holds: room, or the resource, which a service may still use.
  const bool first = !job_.resource_group.empty() || is_short_of_space(work_dir_);
  if (first) clean_up();
  on_end(std::move(outcome_));
  if (!first) clean_up();
}

void JobRunner::run_phases() {
  make_directories(order_.work_dir, 0700);
  if (!job_.coverage.empty()) coverage_.emplace(job_.coverage);
  JobLogSpec spec{order_.log_path,
                  context_.options.log_limit,
                  [this](std::string_view bytes) {
                    if (coverage_) coverage_->feed(bytes);
                    context_.parts.observer.job_output(order_.state.plan_index, order_.state.attempt, bytes);
                  },
                  {}};
  if (context_.parts.waits_for_room)
    spec.may_wait = [this] { return control_.job_cause() == StopCause::none; };
  log_ = std::make_unique<JobLog>(std::move(spec), context_.parts.clock);
  try {
    if (!misses_artifacts()) {
      prepare_workspace();
      prepare_sandbox();
      if (job_.image_build) {
        run_image_build();
      } else if (!job_.deploy.empty()) {
        run_deployment();
      } else if (run_hook()) {
        run_script();
        show_failure();
        run_after_script();
      }
    }
  } catch (const std::exception& e) {
    if (control_.job_cause() != StopCause::none) {
      set_stopped(control_.job_cause(), false);
    } else {
      fail(FailureReason::runner_system_failure, e.what());
    }
  }
  if (control_.job_cause() != StopCause::kill && workspace_ != nullptr) save();
  if (const std::string lost = log_->failure(); !lost.empty() && succeeded())
    fail(FailureReason::runner_system_failure, lost);
  print_end();
  mask_outcome();
}

bool JobRunner::misses_artifacts() {
  const auto lost = std::find_if(order_.upstream.begin(), order_.upstream.end(),
                                 [](const Upstream& upstream) { return !upstream.lost.empty(); });
  if (lost == order_.upstream.end()) return false;
  fail(FailureReason::missing_dependency_failure,
       "the artifacts of '" + lost->name + "' are gone: " + lost->lost);
  return true;
}

executors::StepEnd JobRunner::run_step(const char* id, const pipelines::Script& entries,
                                       std::optional<std::chrono::milliseconds> limit, bool final_step) {
  ScriptOptions options;
  options.check_exit_code = environment_->flag("FF_ENABLE_BASH_EXIT_CODE_CHECK", false);
  options.sections = environment_->flag("FF_SCRIPT_SECTIONS", false);
  options.trace = environment_->flag("CI_DEBUG_TRACE", false);
  options.shell_only = environment_->oversized();
  print_warnings();
  const std::string file = std::string(id) + ".sh";
  executors::StepSpec spec;
  spec.id.value = id;
  if (is_contained()) {
    write_file_atomic(shared_dir() / file, shell_script(unknown_shell(), entries, options), 0644, false);
    spec.argv = find_and_run((seen_shared_dir() / file).string());
  } else {
    write_file_atomic(order_.work_dir / file, shell_script(context_.shell, entries, options), 0600, false);
    spec.argv = {context_.shell.path, (order_.work_dir / file).string()};
  }
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

// Whoever looks around has all the time.
void JobRunner::show_failure() {
  if (!context_.parts.on_failure || outcome_.result.kind != RunResult::Kind::failed || !script_started_ ||
      control_.job_cause() != StopCause::none)
    return;
  control_.forget_deadline();
  executors::StepSpec shell;
  shell.id.value = "shell";
  shell.argv = is_contained() ? std::vector<std::string>{"sh", "-c", kAnyShell}
                              : std::vector<std::string>{context_.shell.path, "-i"};
  shell.env = environment_->process();
  context_.parts.on_failure(
      {name_, outcome_.result.reason, order_.log_path, *sandbox_, std::move(shell), control_.token()});
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

void JobRunner::finish_log() {
  if (log_) {
    const std::string lost = log_->finish();
    if (!lost.empty() && succeeded()) fail(FailureReason::runner_system_failure, lost);
  }
  if (coverage_) outcome_.coverage = coverage_->result();
}

// The order may be gone by now.
void JobRunner::clean_up() noexcept {
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
      executor_->destroy(sandbox_id_, work_dir_, std::chrono::steady_clock::now() + kDestroyTimeout);
    });
  }
  if (workspace_) attempt([&] { workspace_->remove(); });
  attempt([&] { remove_tree(work_dir_); });
  // The job's result stands; that something stayed behind is for the operator.
  if (!trouble.empty()) log_error("engine", "cannot clean up after job '" + name_ + "': " + trouble);
}

void JobRunner::fail(FailureReason reason, std::string why, std::optional<int> exit_code) {
  outcome_.result = {RunResult::Kind::failed, reason, exit_code, std::move(why)};
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
      // The script, or whatever it was, may have said so; where that is it did not.
      if (const std::string full = cache::full_disk_warning(order_.work_dir); !full.empty())
        log_->warning(full);
      log_->line("\x1b[31;1mERROR: Job failed: " + outcome_.result.reason + "\x1b[0;m");
      break;
  }
}

}  // namespace runner::engine
