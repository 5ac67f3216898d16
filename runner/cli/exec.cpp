// `runner exec`: plan, choose, run, tell.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "executors/launcher.h"
#include "runner/base/open_files.h"
#include "runner/base/text.h"
#include "runner/cli/commands.h"
#include "runner/cli/container_setup.h"
#include "runner/cli/exec_run.h"
#include "runner/cli/failure_shell.h"
#include "runner/cli/kept_artifacts.h"
#include "runner/cli/local_checkout.h"
#include "runner/cli/messages.h"
#include "runner/cli/plan_view.h"
#include "runner/cli/project.h"
#include "runner/cli/report.h"
#include "runner/cli/selection.h"

namespace runner::cli {
namespace {

using pipelines::PlanOutcome;
using pipelines::PlanResult;
using pipelines::Variable;
using pipelines::VariableSource;

// The dialect's rule for values that can be masked at all; nullopt when this one can.
std::optional<std::string> cannot_mask(std::string_view value) {
  constexpr std::size_t kShortest = 8;
  if (value.size() < kShortest) return "it is shorter than 8 characters";
  if (value.find('\n') != std::string_view::npos) {
    // A key, a certificate: each line is masked by itself.
    for (const std::string_view line : split(value, '\n'))
      if (trim(line).size() >= kShortest) return std::nullopt;
    return "none of its lines has 8 characters";
  }
  if (value.find_first_of(" \t\r\v\f") != std::string_view::npos) return "it holds blanks";
  return std::nullopt;
}

// --var and --secret. nullopt: said why, exit_usage.
std::optional<std::vector<Variable>> given_variables(const ExecOptions& options) {
  std::vector<Variable> out;
  for (const SecretOption& secret : options.secrets) {
    Variable variable;
    variable.name = secret.name;
    variable.source = VariableSource::project;
    variable.masked = true;
    if (secret.value) {
      variable.value = *secret.value;
    } else if (const char* value = std::getenv(secret.name.c_str()); value != nullptr) {
      variable.value = value;
    } else {
      print_error("secret '" + secret.name + "' is not in the environment",
                  "set it there, or write --secret " + secret.name + "=VALUE");
      return std::nullopt;
    }
    if (const auto why = cannot_mask(variable.value)) {
      print_error("secret '" + secret.name + "' cannot be masked: " + *why,
                  "pass it by --var when it need not be hidden");
      return std::nullopt;
    }
    out.push_back(std::move(variable));
  }
  for (Variable& variable : plain_variables(options)) out.push_back(std::move(variable));
  return out;
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
}

int explain(const ExecOptions& options, const Screen& screen, const PlanResult& result) {
  const auto text =
      options.json ? explain_json(result, *options.explain) : explain_text(screen, result, *options.explain);
  if (text) {
    print(*text);
    return exit_success;
  }
  const std::vector<std::string> names{*options.explain};
  const pipelines::Plan none;
  const Chosen chosen = choose_jobs(result.plan ? *result.plan : none, result.excluded, names, {});
  print_error(chosen.problem.value_or("no job is called '" + *options.explain + "'"), chosen.help);
  return exit_usage;
}

int show(const ExecOptions& options, const PlanResult& result) {
  const Screen screen = detect_screen(STDOUT_FILENO, options.no_color);
  if (options.list) {
    print(options.json ? list_json(*result.plan) : list_text(screen, *result.plan, options.quiet));
  } else if (options.plan) {
    print(options.json ? plan_json(result) : plan_text(screen, result));
  }
  return exit_success;
}

// A run of an hour must not end with a report that has no place. False: said so.
bool check_report(const ExecOptions& options) {
  if (options.report.empty() || options.only_shows()) return true;
  const std::filesystem::path parent = std::filesystem::absolute(options.report).parent_path();
  if (::access(parent.c_str(), W_OK | X_OK) == 0) return true;
  print_error("cannot write the report '" + options.report.string() + "': " + std::strerror(errno),
              "its directory must be there, and yours to write to");
  return false;
}

// Before anything runs. False: said so.
bool check_shell(const ExecOptions& options) {
  if (!options.shell_on_failure || options.only_shows()) return true;
  const std::string why = no_terminal_for_shell();
  if (why.empty()) return true;
  print_error("--shell-on-failure needs a terminal: " + why, "leave it out where nobody sits at one");
  return false;
}

// filtered, no_jobs, skipped: no failure, and nothing to do.
int tell_nothing_to_run(const ExecOptions& options, const PlanResult& result) {
  if (!(options.quiet && options.list)) {
    print_notice("nothing to run: " + result.why);
  }
  Outcome outcome;
  outcome.why = result.why;
  const LogReader no_logs = [](std::size_t, const std::function<void(std::string_view)>&) {};
  if (options.json) {
    JsonWriter json([](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); });
    write_report(json, outcome, no_logs, true);
    print("\n");
  }
  if (!options.report.empty() && !options.only_shows()) write_report_file(options.report, outcome, no_logs);
  return exit_success;
}

/// What a job needs of a container engine.
enum class EngineUse : std::uint8_t { none, image, build };

EngineUse use_of(const pipelines::PlanJob& job) {
  if (job.image_build) return EngineUse::build;
  return job.image ? EngineUse::image : EngineUse::none;
}

/// Of the jobs that would run.
std::vector<std::string> jobs_that_use(const pipelines::Plan& plan, const Chosen& chosen, EngineUse use) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    const pipelines::PlanJob& job = plan.jobs[i];
    const bool selected =
        chosen.jobs.empty() || std::binary_search(chosen.jobs.begin(), chosen.jobs.end(), i);
    const bool played = std::binary_search(chosen.play.begin(), chosen.play.end(), i);
    if (selected && use_of(job) == use && job.unsupported.empty() && (!job.manual_job || played)) {
      names.push_back("'" + job.name + "'");
    }
  }
  return names;
}

void tell_no_engine(const std::string& why, const std::vector<std::string>& images,
                    const std::vector<std::string>& builds) {
  std::string who;
  if (!images.empty()) who = " for jobs with an image: " + first_of(images);
  if (!builds.empty())
    who += (who.empty() ? " for " : "; for ") + ("jobs that build one: " + first_of(builds));
  print_error("no container engine" + who + " (" + why + ")",
              builds.empty()
                  ? "start docker or podman; '--executor shell' runs them on this machine, without "
                    "their image"
                  : "start docker or podman, or leave those jobs out by naming others");
}

// How jobs with an image run, and what builds images. nullopt: refused, and said so.
std::optional<engine::ContainerSettings> choose_executor(const ExecOptions& options,
                                                         const pipelines::Plan& plan, const Chosen& chosen) {
  const std::vector<std::string> names = jobs_that_use(plan, chosen, EngineUse::image);
  const std::vector<std::string> builds = jobs_that_use(plan, chosen, EngineUse::build);
  const bool shell = options.executor == ExecutorChoice::shell;
  const bool all = !shell && (options.executor == ExecutorChoice::container || !options.image.empty());
  if (shell && !names.empty() && !options.quiet)
    print_notice("image is ignored, as --executor shell asks: " + first_of(names));
  const std::vector<std::string> others = jobs_that_use(plan, chosen, EngineUse::none);
  if (all && options.image.empty() && !others.empty()) {
    print_error("jobs without an image: " + first_of(others),
                "name one for them by '--image', or let them run on this machine by '--executor auto'");
    return std::nullopt;
  }
  if (builds.empty() && !all && (names.empty() || shell)) return engine::ContainerSettings();
  ContainerSetup setup = find_containers();
  if (setup.settings.socket.empty() || !setup.why_not.empty()) {
    tell_no_engine(setup.why_not, shell ? std::vector<std::string>() : names, builds);
    return std::nullopt;
  }
  setup.settings.shell_only = shell;
  setup.settings.default_image = options.image;
  setup.settings.engine_socket = options.engine_socket;
  setup.settings.pull_policy = options.pull_policy.empty() ? "if-not-present" : options.pull_policy;
  return setup.settings;
}

}  // namespace

int run_exec(const ExecOptions& options) {
  // First of all: it must be forked while this process is small and has one thread.
  std::optional<executors::Launcher> launcher;
  if (!options.only_shows()) launcher.emplace(executors::Launcher::start());
  allow_many_open_files();  // after it: jobs keep the limit they are given
  enter_directory(options.directory);
  auto variables = given_variables(options);
  if (!variables) return exit_usage;
  if (!check_report(options) || !check_shell(options)) return exit_usage;
  Project project = Project::open(options.commit);
  const auto file = project.find_file(options.file);
  if (!file) {
    print_error(no_file_message(options.file));
    return exit_usage;
  }
  if (!file->notice.empty() && !options.quiet) print_notice(file->notice);
  pipelines::PipelineFacts facts = project.facts(options, file->name, std::move(*variables));
  PlanResult result = project.plan(*file, facts);
  print_diagnostics(result, options.no_color, !options.quiet);
  if (result.outcome == PlanOutcome::invalid) return exit_usage;
  if (options.explain) {
    return explain(options, detect_screen(STDOUT_FILENO, options.no_color), result);
  }
  if (result.outcome != PlanOutcome::planned) return tell_nothing_to_run(options, result);
  if (options.only_shows()) return show(options, result);

  const std::vector<pipelines::ExcludedJob>& excluded =
      result.plan->excluded.empty() ? result.excluded : result.plan->excluded;
  const Chosen chosen = choose_jobs(*result.plan, excluded, options.jobs, options.manual);
  if (chosen.problem) {
    print_error(*chosen.problem, chosen.help);
    return exit_usage;
  }
  for (const std::string& notice : chosen.notices) {
    if (!options.quiet) print_notice(notice);
  }
  const auto containers = choose_executor(options, *result.plan, chosen);
  if (!containers) return exit_machinery;
  return run_pipeline(options, *launcher, project, std::move(facts), std::move(*result.plan), chosen,
                      *containers);
}

}  // namespace runner::cli
