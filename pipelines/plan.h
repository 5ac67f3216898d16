#pragma once
// A pipeline, planned: what the engine runs. Plain values with no YAML, no positions but for messages, no
// I/O. Frozen at creation: later edits of the file do not touch a pipeline that runs.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/facts.h"

namespace runner::pipelines {

enum class When : std::uint8_t { on_success, on_failure, always, manual, delayed, never };
std::string_view to_string(When when) noexcept;

/// `when` of artifacts and caches.
enum class SaveWhen : std::uint8_t { on_success, on_failure, always };

/// A list of commands that may hold `${{ job.inputs.x }}` no more: everything is resolved but variables.
using Script = std::vector<std::string>;

struct AllowFailure {
  bool always = false;
  std::vector<int> exit_codes;  // allowed when the script ends with one of these
};

struct Retry {
  int max = 0;                    // 0..2
  std::vector<std::string> when;  // failure reasons; may hold "always"
  std::vector<int> exit_codes;
  bool configured = false;  // the job or default has `retry`
};

struct CacheKey {
  std::string text;                // when `files` is empty; not expanded
  std::vector<std::string> files;  // cache:key:files (or files_commits)
  bool by_commit = false;          // files_commits
  std::string prefix;              // not expanded
};

struct CacheSpec {
  CacheKey key;
  std::vector<std::string> paths;  // not expanded
  bool untracked = false;
  std::string policy = "pull-push";  // may hold a variable
  SaveWhen when = SaveWhen::on_success;
  std::vector<std::string> fallback_keys;
  bool unprotect = false;
};

struct CoverageReport {
  std::string format;  // cobertura | jacoco
  std::string path;
};

struct ArtifactsSpec {
  std::vector<std::string> paths, exclude;  // not expanded
  bool untracked = false;
  std::string name;  // empty = "artifacts"; not expanded
  SaveWhen when = SaveWhen::on_success;
  std::optional<std::chrono::milliseconds> expire_in;  // nullopt = instance setting
  bool never_expires = false;
  std::string expose_as;
  std::string access;                                       // "", all, developer, maintainer, none
  std::map<std::string, std::vector<std::string>> reports;  // type -> paths, not expanded
  std::optional<CoverageReport> coverage_report;

  /// There is something to upload.
  bool wanted() const {
    return !paths.empty() || untracked || !reports.empty() || coverage_report.has_value();
  }
};

struct ImageSpec {
  std::string name;  // not expanded
  std::optional<std::vector<std::string>> entrypoint;
  std::vector<std::string> pull_policy;
  std::string platform, user;
};

struct ServiceSpec {
  ImageSpec image;
  std::vector<std::string> aliases;  // not expanded
  std::vector<std::string> command;
  std::vector<Variable> variables;
};

/// `build_image`: an image in place of a script. Texts are not expanded.
struct ImageBuildSpec {
  std::string context = ".", dockerfile, target;  // a dockerfile: below the context; "" = the usual names
  std::vector<Variable> args;
  std::map<std::string, std::string> secrets;  // id -> the variable that has it
  std::vector<std::string> platforms;
  std::vector<std::string> tags;  // none: from branch and commit, in the project's registry
  std::optional<bool> push;       // nullopt: when there is a registry
  bool cache = true;
  std::vector<std::string> cache_from;  // besides this branch's and the default branch's
  std::string cache_to;
};

struct EnvironmentSpec {
  std::string name;  // expanded
  std::string slug, tier;
  std::string url;  // expanded as far as known
  std::string action = "start";
  std::string on_stop;
  std::string auto_stop_in;
};

/// One edge of the job graph, after parallel expansion: a job of this plan.
struct Need {
  std::size_t job = 0;  // index into Plan::jobs
  bool artifacts = true;
};

/// A need of another pipeline or project; never delays the job.
struct ForeignNeed {
  std::string project, ref, pipeline, job;
  bool artifacts = true;
};

struct TriggerSpec {
  std::string project, branch;       // other project
  std::vector<std::string> include;  // child pipeline, one line per item for people
  std::string strategy;              // "", depend, mirror
  bool forward_yaml_variables = true;
  bool forward_pipeline_variables = false;
  std::map<std::string, std::string> inputs;  // values as JSON
};

/// Why a job is in the plan with this `when`: for --explain.
struct RuleTrace {
  SourceRange where;
  bool matched = false;
  std::vector<std::string> lines;  // "if: $A == \"x\" -> false ($A is unset)" ...
};

/// Indices of jobs. Copies share one list, and so do jobs that see a longer or shorter start of it: thousands
/// of jobs after thousands of others stay small.
class JobIndices {
 public:
  JobIndices() = default;
  JobIndices(std::initializer_list<std::size_t> jobs) : JobIndices(std::vector<std::size_t>(jobs)) {}
  explicit JobIndices(std::vector<std::size_t> jobs)
      : list_(std::make_shared<const std::vector<std::size_t>>(std::move(jobs))), size_(list_->size()) {}
  /// The first `size` of `list`.
  JobIndices(std::shared_ptr<const std::vector<std::size_t>> list, std::size_t size)
      : list_(std::move(list)), size_(size) {}

  const std::size_t* begin() const noexcept { return list_ ? list_->data() : nullptr; }
  const std::size_t* end() const noexcept { return begin() + size_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  std::shared_ptr<const std::vector<std::size_t>> list_;
  std::size_t size_ = 0;
};

struct PlanJob {
  std::string name;        // with the parallel suffix
  std::string group_name;  // CI_JOB_GROUP_NAME
  std::string stage;
  std::size_t stage_index = 0;  // into Plan::stages
  SourceRange where;            // the job's key

  Script before_script, script, after_script, pre_get_sources_script;
  When when = When::on_success;
  std::optional<std::chrono::milliseconds> start_in;  // for delayed
  bool manual_job = false;                            // a person starts it: CI_JOB_MANUAL
  std::string manual_confirmation;
  AllowFailure allow_failure;
  Retry retry;
  std::optional<std::chrono::milliseconds> timeout;
  bool interruptible = false;
  std::string resource_group;     // expanded
  std::vector<std::string> tags;  // expanded
  std::optional<ImageBuildSpec> image_build;
  std::string deploy;  // the block, as JSON (deploy_block.h); "" = none
  std::optional<ImageSpec> image;
  std::vector<ServiceSpec> services;
  std::vector<CacheSpec> caches;
  ArtifactsSpec artifacts;
  std::string coverage;  // RE2 pattern without slashes, empty = none
  std::optional<EnvironmentSpec> environment;
  std::optional<TriggerSpec> trigger;
  /// Not empty: the job exists but cannot run here; it fails with unsupported_feature and this sentence.
  std::string unsupported;

  bool dag = false;  // has a `needs` key: scheduled by needs, not by stages
  std::vector<Need> needs;
  std::vector<ForeignNeed> foreign_needs;
  /// Jobs whose artifacts and dotenv it takes, in unpacking order. Resolved from needs, dependencies or
  /// stages.
  JobIndices artifact_sources;

  std::size_t node_index = 0, node_total = 1;  // CI_NODE_INDEX (0 = no parallel), CI_NODE_TOTAL
  /// YAML ranks (rules, matrix, job, workflow_rules, root) and those predefined of phase C, not expanded.
  std::vector<Variable> variables;
  std::vector<RuleTrace> rule_trace;

  /// Later jobs may get something of it: files, or what its image is called.
  bool hands_over() const { return artifacts.wanted() || image_build.has_value(); }
};

enum class AutoCancelNewCommit : std::uint8_t { conservative, interruptible, none };

/// A job that the file defines and this pipeline does not have.
struct ExcludedJob {
  std::string name, stage;
  SourceRange where;
  std::string why;  // "no rule matched", "rule 2 says when: never" ...
  std::vector<RuleTrace> rule_trace;
};

struct Plan {
  std::string name;                 // workflow:name, expanded
  std::vector<std::string> stages;  // those with jobs, in order
  std::vector<PlanJob> jobs;        // by stage, then declaration, then parallel index
  std::vector<ExcludedJob> excluded;
  AutoCancelNewCommit on_new_commit = AutoCancelNewCommit::conservative;
  bool cancel_on_job_failure = false;
  /// Ranks other than the YAML ones, shared by all jobs: pipeline, project, group, instance, user, predefined
  /// (phases P and C of the pipeline). Not expanded.
  std::vector<Variable> variables;

  /// Index of a job by full name.
  std::optional<std::size_t> find(std::string_view job_name) const;
};

enum class PlanOutcome : std::uint8_t {
  planned,   // `plan` is set
  invalid,   // diagnostics hold errors
  filtered,  // workflow:rules say no
  no_jobs,   // no job's rules match, or only .pre/.post are left
  skipped,   // [skip ci]
};

/// Everything planning gives. `sources` holds the texts that the ranges point into.
struct PlanResult {
  PlanOutcome outcome = PlanOutcome::invalid;
  std::optional<Plan> plan;
  std::string why;  // for filtered, no_jobs, skipped: one sentence
  Diagnostics diagnostics;
  std::shared_ptr<const Sources> sources;  // shared: outlives the planner, read by views and reports
  std::vector<ExcludedJob> excluded;       // also when there is no plan
  std::vector<RuleTrace> workflow_trace;   // rules of the workflow up to the one that matched
};

/// Reads, resolves, validates and plans `root_file` (a path for messages and for includes) with `root_text`.
/// Pure but for the readers it is given: same text and facts, same plan. Blocks only as they do.
/// Errors of the user are diagnostics; throws only what a reader throws.
PlanResult make_plan(std::string_view root_file, std::string_view root_text, const PipelineFacts& facts,
                     IncludeReader& includes, RepositoryReader& repository);

}  // namespace runner::pipelines
