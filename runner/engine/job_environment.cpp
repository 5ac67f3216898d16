#include "runner/engine/job_environment.h"

#include <algorithm>
#include <optional>

#include "pipelines/deploy_block.h"
#include "runner/base/duration.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/engine/knobs.h"

namespace runner::engine {
namespace {

using pipelines::Variable;
using pipelines::VariableSource;

constexpr std::size_t kShortestSecret = 8;
/// Linux refuses a single environment string of 128 KiB and more.
constexpr std::size_t kLargestExport = 96U << 10U;
#if defined(__aarch64__)
constexpr const char* kArchitecture = "linux/arm64";
#else
constexpr const char* kArchitecture = "linux/amd64";
#endif

bool exportable(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// Masked whatever its length.
bool always_masked(std::string_view name) {
  return name == "CI_JOB_TOKEN" || name == "CI_REGISTRY_PASSWORD" || name == "CI_DEPENDENCY_PROXY_PASSWORD" ||
         name == "CI_DEPLOY_PASSWORD" || name == "CI_REPOSITORY_URL";
}

bool fits_environment(std::string_view name, std::string_view value) {
  return name.size() + value.size() < kLargestExport;
}

Variable own(std::string name, std::string value, VariableSource source = VariableSource::predefined) {
  Variable variable;
  variable.name = std::move(name);
  variable.value = std::move(value);
  variable.source = source;
  variable.raw = true;
  return variable;
}

}  // namespace

JobEnvironment::JobEnvironment(const pipelines::Plan& plan, const pipelines::PlanJob& job,
                               const pipelines::PipelineFacts& facts,
                               const std::map<std::string, std::string>& base, const NamedValues& dotenv,
                               const RunFacts& run)
    : base_(base), hand_over_file_(run.private_dir / "job_env") {
  for (const Variable& variable : plan.variables) add(variable, run);
  for (const Variable& variable : job.variables) add(variable, run);
  for (const auto& [name, value] : dotenv) {
    Variable variable = own(name, value, VariableSource::dotenv);
    variable.raw = false;
    set_.add(std::move(variable));
  }
  add_run_variables(job, facts, run);
  std::string cycle;
  values_ = set_.expand_all(&cycle);
  if (!cycle.empty())
    warnings_.push_back("circular variable reference: " + cycle + "; their values are empty");
  for (const auto& [name, value] : values_) {
    if (!exportable(name))
      warnings_.push_back("variable '" + name + "' is left out: a shell cannot export this name");
    if (value.find('\0') != std::string::npos) {
      warnings_.push_back("variable '" + name + "' is left out: its value has a zero byte");
    }
    if (!fits_environment(name, value)) {
      warnings_.push_back("variable '" + name +
                          "' is too large for an environment: only the shell itself sees it");
    }
  }
  // What an image may not hold is not for the log either, masked or not.
  if (job.image_build) {
    for (const auto& [id, name] : job.image_build->secrets) {
      if (auto secret = content(name)) masked_[name] = std::move(*secret);
    }
  }
  if (!job.deploy.empty()) {
    for (const std::string& name : pipelines::deploy_secrets(pipelines::parse_deploy_block(job.deploy))) {
      if (auto secret = content(name)) masked_[name] = std::move(*secret);
    }
  }
  collect_secrets();
}

void JobEnvironment::add(Variable variable, const RunFacts& run) {
  if (variable.masked || always_masked(variable.name)) masked_[variable.name] = variable.value;
  if (variable.file) {
    const bool shared = !run.seen_dir.empty();
    const std::filesystem::path directory = run.private_dir / "files";
    make_directories(directory, shared ? 0755 : 0700);
    if (variable.name.empty() || variable.name.find('/') != std::string::npos || variable.name[0] == '.') {
      throw Error(ErrorCode::invalid_input,
                  "variable '" + variable.name + "' cannot be a file: not a file name");
    }
    write_file_atomic(directory / variable.name, variable.value, shared ? 0644 : 0600, false);
    file_contents_[variable.name] = variable.value;
    variable.value = ((shared ? run.seen_dir / "files" : directory) / variable.name).string();
    variable.raw = true;
  }
  set_.add(std::move(variable));
}

void JobEnvironment::add_run_variables(const pipelines::PlanJob& job, const pipelines::PipelineFacts& facts,
                                       const RunFacts& run) {
  const std::string pipeline_id = std::to_string(run.pipeline);
  const std::string job_id = std::to_string(run.job);
  set_.add(own("CI_PIPELINE_ID", pipeline_id));
  set_.add(own("CI_JOB_ID", job_id));
  set_.add(own("CI_JOB_STARTED_AT", format_iso8601(run.started_at)));
  if (!facts.project_url.empty()) {
    set_.add(own("CI_PIPELINE_URL", facts.project_url + "/-/pipelines/" + pipeline_id));
    set_.add(own("CI_JOB_URL", facts.project_url + "/-/jobs/" + job_id));
  }
  if (!facts.repository_url.empty()) set_.add(own("CI_REPOSITORY_URL", facts.repository_url));
  if (job.image) {
    Variable image = own("CI_JOB_IMAGE", job.image->name, VariableSource::runner_base);
    image.raw = false;
    set_.add(std::move(image));
  }
  set_.add(own("CI_BUILDS_DIR", run.builds_dir.string(), VariableSource::runner_base));
  set_.add(own("CI_PROJECT_DIR", run.project_dir.string(), VariableSource::runner_base));
  set_.add(own("CI_CONCURRENT_ID", std::to_string(run.slot), VariableSource::runner_base));
  set_.add(own("CI_CONCURRENT_PROJECT_ID", std::to_string(run.slot), VariableSource::runner_base));
  set_.add(own("CI_SERVER", "yes", VariableSource::runner_base));
  set_.add(own("CI_JOB_STATUS", "running", VariableSource::runner_base));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(run.timeout).count();
  set_.add(own("CI_JOB_TIMEOUT", std::to_string(seconds), VariableSource::runner_base));
  const std::filesystem::path hand_over =
      run.seen_dir.empty() ? hand_over_file_ : run.seen_dir / hand_over_file_.filename();
  set_.add(own("GITLAB_ENV", hand_over.string(), VariableSource::runner_base));
  set_.add(own("CI_SHARED_ENVIRONMENT", "true", VariableSource::runner_forced));
  set_.add(own("CI_RUNNER_ID", "1", VariableSource::runner_forced));
  set_.add(own("CI_RUNNER_DESCRIPTION", "runner", VariableSource::runner_forced));
  std::string tags;
  for (const std::string& tag : job.tags) tags += (tags.empty() ? "" : ",") + tag;
  set_.add(own("CI_RUNNER_TAGS", tags, VariableSource::runner_forced));
  set_.add(own("CI_RUNNER_VERSION", RUNNER_VERSION, VariableSource::runner_forced));
  set_.add(own("CI_RUNNER_REVISION", RUNNER_VERSION, VariableSource::runner_forced));
  set_.add(own("CI_RUNNER_EXECUTABLE_ARCH", kArchitecture, VariableSource::runner_forced));
  set_.add(own("CI_RUNNER_SHORT_TOKEN", "", VariableSource::runner_forced));
}

void JobEnvironment::collect_secrets() {
  for (const auto& [name, written] : masked_) {
    for (const std::string& text : {written, std::string(value(name))}) {
      if (text.empty()) continue;
      if (text.size() >= kShortestSecret || always_masked(name)) {
        secrets_.push_back(text);
      } else {
        warnings_.push_back("variable '" + name +
                            "' is too short to be masked; give it at least 8 characters");
      }
    }
  }
  std::sort(secrets_.begin(), secrets_.end());
  secrets_.erase(std::unique(secrets_.begin(), secrets_.end()), secrets_.end());
  std::sort(warnings_.begin(), warnings_.end());
  warnings_.erase(std::unique(warnings_.begin(), warnings_.end()), warnings_.end());
}

std::string_view JobEnvironment::value(std::string_view name) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::string_view{} : std::string_view(found->second);
}

std::optional<std::string> JobEnvironment::content(const std::string& name) const {
  if (const auto file = file_contents_.find(name); file != file_contents_.end()) return file->second;
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

void JobEnvironment::warn(std::string text) {
  if (told_.insert(text).second) warnings_.push_back(std::move(text));
}

bool JobEnvironment::flag(std::string_view name, bool otherwise) {
  const std::string_view text = value(name);
  if (text.empty()) return otherwise;
  if (const auto known = parse_flag(text)) return *known;
  warn("'" + std::string(name) + "' should be true or false, not '" + std::string(text) +
       "'; it is taken as " + (otherwise ? "true" : "false"));
  return otherwise;
}

std::optional<std::chrono::milliseconds> JobEnvironment::duration(std::string_view name) {
  std::string_view text = value(name);
  if (text.empty()) return std::nullopt;
  std::optional<std::chrono::milliseconds> parsed;
  if (text.size() > 2 && text.substr(text.size() - 2) == "ms") {
    if (const auto count = parse_integer(text.substr(0, text.size() - 2)); count && *count > 0) {
      parsed = std::chrono::milliseconds(*count);
    }
  } else {
    parsed = parse_duration(text);
  }
  if (!parsed) {
    warn("'" + std::string(name) + "' is not a duration: '" + std::string(text) + "'; it is ignored");
  }
  return parsed;
}

std::string JobEnvironment::expand(std::string_view text) const {
  return set_.expand(text, pipelines::Undefined::empty);
}

std::string JobEnvironment::expand_with(std::string_view text, const NamedValues& dotenv) const {
  pipelines::VariableSet set = set_;
  for (const auto& [name, value] : dotenv) {
    Variable variable = own(name, value, VariableSource::dotenv);
    variable.raw = false;
    set.add(std::move(variable));
  }
  return set.expand(text, pipelines::Undefined::keep);
}

std::vector<std::string> JobEnvironment::expand_paths(const std::vector<std::string>& paths) const {
  std::vector<std::string> expanded;
  expanded.reserve(paths.size());
  for (const std::string& path : paths) expanded.push_back(pipelines::expand_shell_word(path, values_));
  return expanded;
}

void JobEnvironment::set_job_status(std::string_view status) {
  const Variable* current = set_.find("CI_JOB_STATUS");
  if (current != nullptr && current->source == VariableSource::runner_base) values_["CI_JOB_STATUS"] = status;
}

void JobEnvironment::read_hand_over_file() {
  // A container may not see what a link of its own would name here.
  if (std::filesystem::is_symlink(std::filesystem::symlink_status(hand_over_file_))) {
    warn("what $GITLAB_ENV names is a symbolic link now: it is not read");
    return;
  }
  const auto text = read_file(hand_over_file_);
  if (!text) return;
  for (std::string_view line : split(*text, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || !exportable(line.substr(0, equals))) continue;
    values_[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
}

std::map<std::string, std::string> JobEnvironment::for_service(const std::vector<Variable>& own) const {
  const auto is_public = [](VariableSource source) {
    switch (source) {
      case VariableSource::rules:
      case VariableSource::matrix:
      case VariableSource::job:
      case VariableSource::workflow_rules:
      case VariableSource::root:
      case VariableSource::predefined:
      case VariableSource::runner_base:
      case VariableSource::runner_forced:
        return true;
      default:
        return false;
    }
  };
  std::map<std::string, std::string> environment;
  for (const Variable* variable : set_.all()) {
    if (!is_public(variable->source) || variable->masked || always_masked(variable->name)) continue;
    const auto value = values_.find(variable->name);
    if (value == values_.end() || !exportable(variable->name)) continue;
    if (value->second.find('\0') != std::string::npos || !fits_environment(value->first, value->second))
      continue;
    environment.insert(*value);
  }
  for (const Variable& variable : own) {
    if (exportable(variable.name))
      environment[variable.name] = variable.raw ? variable.value : expand(variable.value);
  }
  return environment;
}

std::map<std::string, std::string> JobEnvironment::process() const {
  std::map<std::string, std::string> environment = base_;
  for (const auto& [name, text] : values_) {
    if (!exportable(name) || text.find('\0') != std::string::npos) continue;
    if (fits_environment(name, text)) {
      environment[name] = text;
    } else {
      environment.erase(name);
    }
  }
  return environment;
}

std::map<std::string, std::string> JobEnvironment::oversized() const {
  std::map<std::string, std::string> large;
  for (const auto& [name, text] : values_) {
    if (exportable(name) && !fits_environment(name, text) && text.find('\0') == std::string::npos) {
      large.emplace(name, text);
    }
  }
  return large;
}

}  // namespace runner::engine
