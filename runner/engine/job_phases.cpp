// The phases of a JobRunner around its scripts: what a job starts from, and what it leaves.
#include <algorithm>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/engine/job_containers.h"
#include "runner/engine/job_runner.h"
#include "runner/engine/knobs.h"
#include "runner/engine/planned_caches.h"

namespace runner::engine {

using pipelines::FailureReason;

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
  if (is_contained()) {
    run.private_dir = shared_dir();
    run.seen_dir = seen_shared_dir();
    make_shared_directory(run.private_dir);
  }
  NamedValues dotenv;
  for (const Upstream& upstream : order_.upstream) {
    dotenv.insert(dotenv.end(), upstream.dotenv.begin(), upstream.dotenv.end());
  }
  // A container has an environment of its own below the job's.
  static const std::map<std::string, std::string> of_the_image;
  environment_.emplace(order_.request->plan, job_, order_.request->facts,
                       is_contained() ? of_the_image : order_.request->base_environment, dotenv, run);
  log_->mask(environment_->secrets());
}

void JobRunner::note_ignored_image() {
  if ((!job_.image && job_.services.empty()) || is_contained()) return;
  std::vector<std::string> ignored;
  if (job_.image) ignored.push_back("image '" + environment_->expand(job_.image->name) + "'");
  if (!job_.services.empty()) ignored.emplace_back("services");
  log_->warning(join(ignored, " and ") + (job_.services.empty() ? " is" : " are") +
                " ignored: this job runs in the shell of the machine");
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
  const std::string idle = knobs_without_effect(environment_->values(), checkout.sources != nullptr);
  if (!idle.empty()) log_->line("Without effect here: " + idle);
  const auto& facts = order_.request->facts;
  if (facts.sha.find_first_not_of('0') == std::string::npos) {
    log_->line("No commit: the files as they are");
    return checkout.lowers;
  }
  log_->line("Commit " + facts.sha.substr(0, 8) + (facts.ref_name.empty() ? "" : " of " + facts.ref_name));
  return checkout.sources ? asked_sources() : checkout.lowers;
}

std::vector<std::filesystem::path> JobRunner::asked_sources() {
  std::vector<std::string> warnings;
  const SourceKnobs knobs = source_knobs(environment_->values(), warnings);
  for (const std::string& warning : warnings) log_->warning(warning);
  Sources sources = order_.request->checkout.sources(knobs, control_.token());
  for (const std::string& notice : sources.notices) log_->warning(notice);
  sources_ = std::move(sources.held);
  return std::move(sources.lowers);
}

void JobRunner::prepare_workspace() {
  const bool overlay = context_.parts.workspaces.mode() != cache::MountMode::copy;
  cache::WorkspaceSpec spec;
  spec.directory = order_.work_dir / "workspace";
  spec.target = order_.request->checkout.project_dir;
  make_environment(overlay ? spec.target : spec.directory);
  print_warnings();
  for (std::string& warning :
       wrong_knobs(environment_->values(), order_.request->checkout.sources != nullptr)) {
    log_->warning(warning);
    outcome_.warnings.push_back(std::move(warning));
  }
  note_ignored_image();
  std::vector<std::filesystem::path> sources = source_layers();
  std::vector<std::filesystem::path> caches;
  if (!job_.caches.empty()) {
    caches_.emplace(
        layer_store(), order_.request->scope, job_.caches, *environment_,
        cache_key_facts(*environment_, order_.request->checkout, order_.request->facts.ref_protected),
        context_.parts.clock, *log_);
    caches = caches_->restore(sources);
    outcome_.cache_hits = caches_->hits();
    outcome_.cache_misses = caches_->misses();
  }
  spec.lowers = artifact_layers();
  // Caches may hide something of what they lie on, so they stay the layers they are.
  spec.linkable = spec.lowers.size();
  spec.lowers.insert(spec.lowers.end(), caches.begin(), caches.end());
  spec.owned = spec.lowers.size();
  spec.lowers.insert(spec.lowers.end(), sources.begin(), sources.end());
  workspace_ = context_.parts.workspaces.create(spec);
  // A copy may be seen elsewhere than assumed, and then every path of the environment changes.
  if (workspace_->path() != environment_->values().at("CI_PROJECT_DIR") && !overlay) {
    make_environment(workspace_->path());
    environment_->take_warnings();
  }
}

std::vector<std::filesystem::path> JobRunner::artifact_layers() {
  std::vector<std::filesystem::path> layers;
  const bool any = std::any_of(order_.upstream.begin(), order_.upstream.end(), [](const Upstream& upstream) {
    return upstream.layer != nullptr || (upstream.kept && !upstream.dotenv.empty());
  });
  if (!any) return layers;
  const LogSection section(*log_, "download_artifacts", "Taking artifacts");
  for (const Upstream& upstream : order_.upstream) {
    std::string line = "Artifacts of '" + upstream.name + "'";
    if (upstream.layer == nullptr) continue;
    if (upstream.kept) {
      const auto age =
          std::max(context_.parts.clock.now() - upstream.layer->saved_at, std::chrono::milliseconds(0));
      line += ": those left " + format_duration(age) + " ago by " + upstream.layer->facts.origin;
    }
    log_->line(line);
    std::vector<std::filesystem::path> own;
    for (const cache::Layer& layer : upstream.layer->layers) own.push_back(layer.tree);
    layers.insert(layers.begin(), own.begin(), own.end());
  }
  return layers;
}

void JobRunner::prepare_sandbox() {
  executors::SandboxSpec spec;
  spec.id = sandbox_id_;
  spec.state_dir = order_.work_dir;
  spec.workspace = workspace_->path();
  spec.file_size_bytes = context_.options.file_size_limit;
  spec.labels = {{"job", job_.name}, {"pipeline", std::to_string(order_.state.pipeline)}};
  if (is_contained()) {
    spec.container = container_of();
    spec.memory_bytes = context_.options.containers.memory_bytes;
    spec.cpu_millis = context_.options.containers.cpu_millis;
  }
  if (const auto plan = workspace_->overlay()) {
    spec.overlay =
        executors::OverlayMount{plan->lowers, plan->upper, plan->work, plan->target, plan->user_namespace};
  }
  prepared_ = true;
  if (context_.parts.on_begin) context_.parts.on_begin();
  sandbox_ = executor_->prepare(spec, *log_, control_.token());
}

/// As the reference has it: beside the project's directory.
std::filesystem::path JobRunner::seen_shared_dir() const {
  return order_.request->checkout.project_dir.native() + ".tmp";
}

executors::ContainerSpec JobRunner::container_of() {
  std::vector<std::string> notices;
  executors::ContainerSpec spec =
      container_spec(job_, *environment_, context_.options.containers, control_.token(), notices);
  print_warnings();
  for (const std::string& notice : notices) log_->warning(notice);
  spec.binds.push_back({shared_dir(), seen_shared_dir(), false});
  spec.engine_socket = gets_engine_socket(context_.options.containers, order_.request->facts.project_title);
  return spec;
}

void JobRunner::save() {
  const bool success = succeeded();
  try {
    if (script_started_ || !success) take_what_is_left(success);
    tell_environment();
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

// Reports, then artifacts, then caches: whoever shares files with one that comes later links them, and the
// last one moves them. The log has the caches first, as people know it.
void JobRunner::take_what_is_left(bool success) {
  environment_->read_hand_over_file();
  if (!std::filesystem::exists(workspace_->upper())) {
    log_->warning("the job removed its workspace: there is nothing to save");
    make_directories(workspace_->upper());
  }
  const TakenFrom from = taken_from();
  const bool has_caches = caches_ && !caches_->empty();
  const auto name = [this] { return origin(); };
  std::optional<JobArtifacts> artifacts;
  std::exception_ptr not_taken;
  if ((job_.artifacts.wanted() || !build_outputs_.empty()) && script_started_) {
    artifacts.emplace(job_.artifacts, *environment_, *log_,
                      ArtifactPlace{layer_store().layers(),
                                    {cache::Space::artifact, order_.request->scope,
                                     order_.request->artifact_prefix + job_.name},
                                    name,
                                    context_.options.artifact_size_limit,
                                    build_outputs_});
    try {
      outcome_.collected =
          artifacts->collect(workspace_->tree(), from,
                             has_caches ? caches_->to_save(success) : std::vector<std::string>(), success);
    } catch (...) {
      not_taken = std::current_exception();  // the caches are none the worse for it
    }
  }
  const bool saved = has_caches && caches_->save(from, name, success);
  if ((saved || outcome_.collected.committed) && context_.parts.on_commit) context_.parts.on_commit();
  if (not_taken) std::rethrow_exception(not_taken);
  if (artifacts) artifacts->print(success);
}

cache::Caches& JobRunner::layer_store() const {
  if (context_.parts.caches == nullptr)
    throw Error(ErrorCode::internal, "there is no store for caches and artifacts");
  return *context_.parts.caches;
}

std::string JobRunner::origin() const {
  const auto& name = order_.request->name;
  return "job '" + job_.name + "' of " +
         (name ? name() : "pipeline " + std::to_string(order_.state.pipeline));
}

// The address may hold what the job itself has handed over.
void JobRunner::tell_environment() {
  if (!job_.environment || job_.environment->url.empty() || !succeeded()) return;
  outcome_.environment_url = environment_->expand_with(job_.environment->url, outcome_.collected.dotenv);
  log_->line("Environment '" + job_.environment->name + "': " + outcome_.environment_url);
}

void JobRunner::print_warnings() {
  for (std::string& warning : environment_->take_warnings()) {
    log_->warning(warning);
    outcome_.warnings.push_back(std::move(warning));
  }
}

// What is told outside of the log may quote values as well.
void JobRunner::mask_outcome() {
  if (!environment_) return;
  Masker masker(environment_->secrets());
  const auto mask = [&masker](std::string& text) {
    if (text.empty()) return;
    std::string shown;
    masker.feed(text, shown);
    masker.finish(shown);
    text = std::move(shown);
  };
  mask(outcome_.result.reason);
  mask(outcome_.environment_url);
  mask(outcome_.collected.name);
  for (std::string& warning : outcome_.warnings) mask(warning);
}

TakenFrom JobRunner::taken_from() const {
  return {workspace_->tree().layers(), order_.request->checkout.is_tracked, workspace_->path().string()};
}

}  // namespace runner::engine
