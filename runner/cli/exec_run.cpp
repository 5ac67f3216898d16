#include "runner/cli/exec_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "artifacts/retention.h"
#include "cache/caches.h"
#include "cache/housekeeper.h"
#include "cache/layer_store.h"
#include "cache/mount_point.h"
#include "cache/workspace.h"
#include "executors/containers/owner.h"
#include "executors/launcher.h"
#include "executors/shell_executor.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/cli/artifact_shelf.h"
#include "runner/cli/commands.h"
#include "runner/cli/container_setup.h"
#include "runner/cli/environment.h"
#include "runner/cli/failure_shell.h"
#include "runner/cli/kept_artifacts.h"
#include "runner/cli/kept_files.h"
#include "runner/cli/local_checkout.h"
#include "runner/cli/messages.h"
#include "runner/cli/presenter.h"
#include "runner/cli/run_directory.h"
#include "runner/cli/run_view.h"
#include "runner/cli/view.h"
#include "runner/cli/work_place.h"
#include "runner/engine/commit_sources.h"
#include "runner/engine/engine.h"
#include "runner/engine/local_jobs.h"
#include "runner/git/mask_layer.h"
#include "runner/git/mirror.h"
#include "runner/storage/store.h"

extern "C" char** environ;

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using pipelines::JobStatus;

// For the processes of a dead run to end.
constexpr std::chrono::seconds kEndDeadline{5};

std::vector<fs::path> work_tree_layers(Project& project, const fs::path& run, cache::MountMode mode) {
  std::vector<fs::path> lowers;
  const fs::path mask = run / "mask";
  const auto objects =
      mode == cache::MountMode::copy ? git::ObjectAccess::alternate : git::ObjectAccess::below;
  if (git::make_mask_layer(project.repository(), mask, objects)) lowers.push_back(mask);
  lowers.push_back(project.root());
  return lowers;
}

std::size_t capacity_of(const ExecOptions& options) {
  if (options.parallel > 0) return options.parallel;
  return std::max<std::size_t>(4, std::thread::hardware_concurrency());
}

void read_log(const fs::path& path, const std::function<void(std::string_view)>& sink) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return;
    throw_errno("cannot read the log '" + path.string() + "'");
  }
  std::array<char, 64U << 10U> buffer{};
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read the log '" + path.string() + "'");
    if (got == 0) return;
    sink(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  }
}

// Whether the layer store is wanted at all: most of what it costs is to open it.
bool leaves_layers(const pipelines::Plan& plan, const Chosen& chosen) {
  const auto leaves = [](const pipelines::PlanJob& job) { return !job.caches.empty() || job.hands_over(); };
  if (chosen.jobs.empty()) return std::any_of(plan.jobs.begin(), plan.jobs.end(), leaves);
  return std::any_of(chosen.jobs.begin(), chosen.jobs.end(),
                     [&](std::size_t job) { return leaves(plan.jobs[job]); });
}

int exit_code_of(const Outcome& outcome) {
  return outcome.status == "success" || outcome.status == "skipped" ? exit_success : exit_failed;
}

/// What the plan says about archives of a job; the plan itself moves into the engine.
struct KeepRule {
  std::optional<std::chrono::milliseconds> expire_in;  // nullopt = never
  std::string expose_as, access;
};

std::map<std::size_t, KeepRule> keep_rules(const pipelines::Plan& plan) {
  std::map<std::size_t, KeepRule> rules;
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    const pipelines::ArtifactsSpec& spec = plan.jobs[i].artifacts;
    if (!spec.wanted()) continue;
    KeepRule& rule = rules[i];
    if (!spec.never_expires) rule.expire_in = spec.expire_in.value_or(artifacts::kDefaultExpiry);
    rule.expose_as = spec.expose_as;
    rule.access = spec.access;
  }
  return rules;
}

/// Whatever comes after the digest in the name of an archive, "zip" or "tar.zst".
std::string format_of(const fs::path& archive) {
  const std::string name = archive.filename().string();
  return name.substr(name.find('.') + 1);
}

/// Jobs see a workspace where the repository is; what lies in it cannot be a layer of it at the same time.
fs::path data_directory_of_run(const ExecOptions& options, const Project& project) {
  fs::path data = data_directory(options.data);
  if (lies_in(data, project.root())) {
    throw Error(ErrorCode::invalid_input, "the data directory " + in_quotes(data.native()) +
                                              " is inside the repository; name another by --data");
  }
  return data;
}

/// What one run is made of. Members are destroyed from the last to the first.
class LocalRun {
 public:
  LocalRun(const ExecOptions& options, const executors::Launcher& launcher, Project& project,
           const engine::ContainerSettings& containers)
      : options_(options),
        project_(project),
        data_(data_directory_of_run(options, project)),
        place_(choose_work_place(data_, project.root())),
        directory_(place_.parent),
        output_(STDOUT_FILENO),
        executor_(launcher, executors::StepLife::with_runner),
        containers_(launcher, containers, place_.parent),
        workspaces_(place_.mode),
        shelf_(data_, clock_),
        kept_(data_, project.root(), [this] { return last_recorded_run(); }),
        store_(storage::make_local_store()) {
    remove_dead_runs(place_.parent, [&](const fs::path& run) { end_steps(run); });
    containers_.begin_sweep();
  }

  int run(pipelines::PipelineFacts facts, pipelines::Plan plan, const Chosen& chosen) {
    const std::vector<std::size_t> absent = absent_sources(plan, chosen);
    KeptArtifacts artifacts;
    const bool leaves = leaves_layers(plan, chosen);
    if (!absent.empty() || leaves || of_commit()) {
      open_layers();
      artifacts = find_kept_artifacts(*layers_, scope(), plan, absent, clock_.now());
    }
    // Known by the time a job has something to save.
    if (leaves)
      name_ = std::async(std::launch::async, [this] { return "run " + std::to_string(kept_.number()); });
    tell_kept_artifacts(artifacts, plan, chosen);
    const Screen screen = detect_screen(STDOUT_FILENO, options_.no_color);
    Presenter presenter(make_view(options_, make_view_context(options_, plan, chosen, screen)), clock_,
                        output_, screen);
    engine::EngineOptions engine_options;
    engine_options.data_dir = directory_.path();
    engine_options.capacity = capacity_of(options_);
    engine_options.artifact_size_limit = options_.max_artifact_bytes;
    if (options_.timeout) engine_options.default_timeout = *options_.timeout;
    engine_options.containers = containers_.settings();
    engine_options.deployments.database = data_ / "runner.db";
    engine_options.deployments.places = data_ / "deployments";
    engine::JobParts parts{executor_, workspaces_, caches_ ? &*caches_ : nullptr,
                           clock_,    presenter,   [this] { housekeeper_->wake(); }};
    parts.containers = containers_.executor();
    parts.program = executors::own_program();
    FailureShell shell(presenter);
    if (options_.shell_on_failure)
      parts.on_failure = [&shell](const engine::FailedJob& job) { shell.open(job); };
    engine::LocalJobs jobs(engine_options, parts);
    engine::Engine engine(engine_options, {*store_, jobs, clock_, presenter});
    rules_ = keep_rules(plan);
    ref_ = facts.ref_name;
    sha_ = facts.sha;
    const std::int64_t pipeline =
        engine.create(make_request(std::move(facts), std::move(plan), chosen, std::move(artifacts)));
    const SteadyPoint started = clock_.steady_now();
    const engine::PipelineEnd end = run_watched(engine, pipeline, presenter);
    Outcome outcome = outcome_of(engine, pipeline, end);
    outcome.seconds = std::chrono::duration<double>(clock_.steady_now() - started).count();
    forget_failed_mounts(outcome);
    const std::string not_kept = keep_files(engine, pipeline, outcome);
    presenter.finish(outcome);
    write_reports(engine, pipeline, outcome);
    directory_.remove();
    if (!not_kept.empty()) throw Error(ErrorCode::unavailable, not_kept);
    const int code = exit_code_of(outcome);
    if (code == exit_success && output_.failed()) {
      throw Error(ErrorCode::unavailable, "cannot write to standard output");
    }
    return code;
  }

 private:
  // Steps may outlive a runner that is killed; the next run ends them. An attempt's directory is its
  // sandbox's state directory.
  void end_steps(const fs::path& run) {
    std::error_code error;
    for (const fs::directory_entry& attempt : fs::directory_iterator(run / "work", error)) {
      const executors::SandboxId id{engine::sandbox_name(attempt.path())};
      executor_.destroy(id, attempt.path(), clock_.steady_now() + kEndDeadline);
      if (auto* containers = containers_.executor())
        containers->destroy(id, attempt.path(), clock_.steady_now() + kEndDeadline);
    }
  }
  void open_layers() {
    layers_ = cache::LayerStore::open(layers_directory(data_), clock_);
    caches_.emplace(*layers_);
    housekeeper_.emplace(*layers_, cache::HousekeepingOptions{});
    // What killed runs left, and what earlier ones had no time for.
    housekeeper_->wake();
  }

  // Two clones of one project are two scopes: what one leaves need not fit the other.
  std::string scope() const { return scope_of(project_.root()); }

  void tell_kept_artifacts(const KeptArtifacts& kept, const pipelines::Plan& plan,
                           const Chosen& chosen) const {
    if (options_.quiet && kept.lost.empty()) return;
    if (kept.found.empty() && kept.missing.empty() && kept.lost.empty()) return;
    const std::string command = exec_command_line(options_, with_their_sources(plan, chosen));
    for (const auto& [job, why] : kept.lost) {
      print_notice("the artifacts of " + in_quotes(plan.jobs[job].name) + " are gone: " + why +
                   "; fresh ones: " + command);
    }
    if (options_.quiet) return;
    const std::vector<std::string> taken = describe(kept, plan, clock_.now());
    for (const std::string& sentence : taken) {
      print_notice(sentence + (&sentence == &taken.back() ? "; fresh ones: " + command : ""));
    }
    if (kept.missing.empty()) return;
    std::vector<std::string> names;
    names.reserve(kept.missing.size());
    for (const std::size_t job : kept.missing) names.push_back(in_quotes(plan.jobs[job].name));
    print_notice("without artifacts of " + first_of(std::move(names)) + "; with them: " + command);
  }

  engine::PipelineRequest make_request(pipelines::PipelineFacts facts, pipelines::Plan plan,
                                       const Chosen& chosen, KeptArtifacts kept) {
    engine::PipelineRequest request;
    request.plan = std::move(plan);
    request.facts = std::move(facts);
    request.checkout = local_checkout(project_);
    if (of_commit()) {
      use_commit(request);
    } else {
      request.checkout.lowers = work_tree_layers(project_, directory_.path(), place_.mode);
    }
    request.scope = scope();
    request.name = [this] {
      const std::shared_future<std::string> name = name_;
      return name.get();
    };
    request.base_environment = base_environment(environ);
    request.selection = chosen.jobs;
    request.play = chosen.play;
    request.kept_artifacts = std::move(kept.found);
    request.lost_artifacts = std::move(kept.lost);
    return request;
  }

  bool of_commit() const { return !project_.repository().commit().empty(); }

  void use_commit(engine::PipelineRequest& request) {
    const bool tag = request.facts.ref_kind == pipelines::RefKind::tag;
    git::LocalRepository& repository = project_.repository();
    const git::LocalFacts& known = repository.facts();
    engine::CommitPlace place;
    place.scope = scope();
    place.commit = repository.commit();
    place.ref = (tag ? "refs/tags/" : "refs/heads/") + request.facts.ref_name;
    place.default_branch = known.default_branch;
    place.mirrors = fs::canonical(data_) / "git";
    auto mirror = git::Mirror::open(engine::mirror_directory(place.mirrors, repository.root().string()));
    mirror->take_local(repository.common_dir(), repository.commit());
    place.origin_url = known.origin_url.empty() ? repository.root().string() : known.origin_url;
    // Where the repository is, jobs see their workspace; and nothing of theirs is to get into the repository.
    if (known.origin_url.empty()) place.fetch_from = mirror->directory().string();
    place.submodule_access = [](const std::string&) {
      git::RemoteAccess access;
      access.own_ssh = true;  // as `git submodule update` would
      return access;
    };
    commit_sources_.emplace(std::move(mirror), *layers_, std::move(place));
    usual_sources_ = commit_sources_->make({});
    request.checkout.lowers = usual_sources_.lowers;
    request.checkout.sources = [this](const engine::SourceKnobs& knobs, const std::stop_token& stop) {
      return commit_sources_->make(knobs, stop);
    };
  }

  engine::PipelineEnd run_watched(engine::Engine& engine, std::int64_t pipeline, Presenter& presenter) {
    const SignalThread signals(presenter, [&](int request) {
      stopped_ = true;
      // A reader of our output that hangs must not hold up the end.
      output_.give_up();
      if (request == 1) {
        presenter.note("stopping all jobs; once more kills them");
        engine.cancel(pipeline);
      } else {
        engine.kill(pipeline);
      }
    });
    return engine.run(pipeline);
  }

  Outcome outcome_of(const engine::Engine& engine, std::int64_t pipeline,
                     const engine::PipelineEnd& end) const {
    Outcome outcome;
    outcome.jobs = engine.jobs(pipeline);
    outcome.blocked = end.status == JobStatus::manual || end.status == JobStatus::scheduled;
    outcome.warnings = end.warnings;
    outcome.status = report_status(end, outcome.jobs);
    const bool canceled =
        std::any_of(outcome.jobs.begin(), outcome.jobs.end(),
                    [](const engine::JobView& job) { return job.status == JobStatus::canceled; });
    if (stopped_ && canceled) outcome.status = "canceled";
    return outcome;
  }

  // Archives and the logs of failed jobs outlive the run. "" or why they do not: told after the summary.
  std::string keep_files(const engine::Engine& engine, std::int64_t pipeline, Outcome& outcome) {
    std::vector<storage::ArtifactRecord> records;
    try {
      for (engine::JobView& job : outcome.jobs) {
        using storage::ArtifactKind;
        if (job.archive) records.push_back(keep_archive(job, *job.archive, ArtifactKind::archive));
        if (job.reports) records.push_back(keep_archive(job, *job.reports, ArtifactKind::reports));
        if (job.status != JobStatus::failed) continue;
        const fs::path log = engine.job_log_path(pipeline, job.index);
        if (fs::exists(log)) outcome.logs[job.index] = kept_.keep(log, job.name, "job.log");
      }
      shelf_.add(records);
    } catch (const std::exception& error) {
      return error.what();
    }
    tidy(!records.empty() || !outcome.logs.empty(), !records.empty());
    return {};
  }

  storage::ArtifactRecord keep_archive(const engine::JobView& job, engine::ArchiveView& archive,
                                       storage::ArtifactKind kind) {
    storage::ArtifactRecord record;
    record.format = format_of(archive.path);
    record.name = archive.name + "." + record.format;
    archive.path = kept_.keep(archive.path, job.name, record.name);
    record.project = project_.root().string();
    record.run = static_cast<std::int64_t>(kept_.number());
    record.ref = ref_;
    record.sha = sha_;
    record.job = job.name;
    record.job_status = job.status;
    record.kind = kind;
    record.path = archive.path.string();
    record.sha256 = archive.sha256;
    record.bytes = archive.bytes;
    record.files = archive.files;
    record.created_at = job.finished_at.value_or(clock_.now());
    const KeepRule& rule = rules_.at(job.index);
    if (rule.expire_in) record.expires_at = record.created_at + *rule.expire_in;
    if (kind == storage::ArtifactKind::archive) record.expose_as = rule.expose_as;
    record.access = rule.access;
    return record;
  }

  std::uint64_t last_recorded_run() {
    std::int64_t last = 0;
    for (const auto& record : shelf_.list(project_.root().string())) last = std::max(last, record.run);
    return static_cast<std::uint64_t>(last);
  }

  // What is too old goes. Not doing so is no reason to fail.
  void tidy(bool files, bool archives) noexcept {
    kept_.remove_empty();
    if (!files) return;
    try {
      if (archives) shelf_.tidy(project_.root().string(), kKeptRuns);
      std::set<std::uint64_t> with_archives;
      for (const auto& record : shelf_.list(project_.root().string())) {
        with_archives.insert(static_cast<std::uint64_t>(record.run));
      }
      kept_.remove_old(with_archives);
    } catch (const std::exception& error) {
      log_warn("exec", std::string("cannot remove what older runs left: ") + error.what());
    }
  }

  // Whatever the machinery failed at: trying the mount again costs little, a wrong answer every further run.
  void forget_failed_mounts(const Outcome& outcome) const {
    for (const engine::JobView& job : outcome.jobs) {
      if (job.failure == pipelines::FailureReason::runner_system_failure) remove_tree(mount_memory(data_));
    }
  }

  void write_reports(const engine::Engine& engine, std::int64_t pipeline, const Outcome& outcome) {
    const LogReader log = [&](std::size_t job, const std::function<void(std::string_view)>& sink) {
      read_log(engine.job_log_path(pipeline, job), sink);
    };
    if (options_.json) {
      JsonWriter json([&](std::string_view text) { output_.write(text); });
      write_report(json, outcome, log, true);
      output_.write("\n");
    }
    if (!options_.report.empty()) write_report_file(options_.report, outcome, log);
  }

  const ExecOptions& options_;
  Project& project_;
  const SystemClock clock_;
  const fs::path data_;
  const WorkPlace place_;
  const BlockedSignals signals_;
  RunDirectory directory_;
  Output output_;
  executors::ShellExecutor executor_;
  LocalContainers containers_;
  cache::Workspaces workspaces_;
  std::unique_ptr<cache::LayerStore> layers_;            // null: no job has caches or artifacts
  std::optional<engine::CommitSources> commit_sources_;  // for --commit
  engine::Sources usual_sources_;
  std::optional<cache::Caches> caches_;
  std::optional<cache::Housekeeper> housekeeper_;
  ArtifactShelf shelf_;
  KeptFiles kept_;
  std::shared_future<std::string> name_;   // of this run, once it may leave something
  std::map<std::size_t, KeepRule> rules_;  // by job
  std::string ref_, sha_;
  std::unique_ptr<storage::Store> store_;
  std::atomic<bool> stopped_{false};
};

}  // namespace

int run_pipeline(const ExecOptions& options, const executors::Launcher& launcher, Project& project,
                 pipelines::PipelineFacts facts, pipelines::Plan plan, const Chosen& chosen,
                 const engine::ContainerSettings& containers) {
  try {
    LocalRun run(options, launcher, project, containers);
    return run.run(std::move(facts), std::move(plan), chosen);
  } catch (Error& error) {
    // The index of layers says so itself.
    const std::string full = cache::full_disk_context(error.system(), data_directory(options.data));
    if (!full.empty() && std::string_view(error.what()).find(cache::kFullDiskMend) == std::string_view::npos)
      error.add_context(full + "; " + cache::kFullDiskMend);
    throw;
  }
}

}  // namespace runner::cli
