#pragma once
// A job as the file defines it, read and checked, before parallel expansion and rules. Internal to planning.

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/expression.h"
#include "pipelines/node.h"
#include "pipelines/plan.h"
#include "pipelines/regex.h"
#include "pipelines/shapes.h"

namespace runner::pipelines {

/// A name the user wrote, with its place.
struct NameAt {
  std::string name;
  SourceRange where;
};

/// One map of a matrix: keys with their values, in order.
using MatrixMap = std::vector<std::pair<std::string, std::vector<std::string>>>;
/// One instance of a matrix: keys with one value each, in order.
using MatrixTuple = std::vector<std::pair<std::string, std::string>>;

struct ParallelDefinition {
  int count = 0;                  // parallel: N
  std::vector<MatrixMap> matrix;  // parallel: {matrix: ...}
  SourceRange where;
};

struct NeedDefinition {
  std::string job;
  bool artifacts = true;
  bool optional = false;
  std::vector<MatrixMap> matrix;  // selects instances; values may hold $[[ matrix.KEY ]]
  SourceRange where;
};

struct NeedsDefinition {
  std::vector<NeedDefinition> jobs;
  std::vector<ForeignNeed> foreign;
  SourceRange where;
};

/// `changes` or `exists` of a rule.
struct PathClause {
  std::vector<std::string> paths;
  std::shared_ptr<const Regex> regex;
  std::string regex_text;
  std::string compare_to;
  std::string project, ref;
  SourceRange where;
};

struct AutoCancel {
  std::optional<AutoCancelNewCommit> on_new_commit;
  std::optional<bool> on_job_failure;
};

/// One rule of a job or of the workflow.
struct RuleDefinition {
  SourceRange where;
  std::shared_ptr<const Expression> condition;
  SourceRange condition_where;
  std::optional<PathClause> changes, exists;
  std::optional<When> when;
  std::optional<std::chrono::milliseconds> start_in;
  std::optional<AllowFailure> allow_failure;
  std::vector<Variable> variables;
  std::optional<NeedsDefinition> needs;
  std::optional<bool> interruptible;
  AutoCancel auto_cancel;  // workflow only
};
using RuleList = std::vector<std::shared_ptr<const RuleDefinition>>;

/// One entry of `only` or `except`.
struct RefPattern {
  std::string text;                    // keyword or name, without the project
  std::shared_ptr<const Regex> regex;  // for /.../
  std::string project;                 // after '@'; empty = any
};

struct PolicyDefinition {
  std::optional<std::vector<RefPattern>> refs;
  std::optional<std::vector<std::shared_ptr<const Expression>>> variables;
  std::optional<PathClause> changes;
  bool kubernetes = false;
  SourceRange where;
};

/// Either everything, nothing, or these names.
struct Inheritance {
  bool everything = true;
  std::set<std::string, std::less<>> names;  // when not everything
  bool includes(std::string_view name) const { return everything || names.find(name) != names.end(); }
};

struct JobDefinition {
  /// What is fixed by the file alone; copied into every instance.
  PlanJob job;
  const Node* node = nullptr;
  SourceRange stage_where;
  bool has_stage = false;  // has the key, not the default
  std::optional<When> when;
  std::optional<AllowFailure> allow_failure;
  std::optional<ParallelDefinition> parallel;
  std::optional<NeedsDefinition> needs;
  std::optional<std::vector<NameAt>> dependencies;
  std::optional<RuleList> rules;
  std::optional<PolicyDefinition> only, except;
  Inheritance inherit_variables;
  std::vector<Variable> variables;        // own ones, rank job
  std::vector<Variable> extra_variables;  // of id_tokens
  std::string pages_publish;              // directory that joins artifacts:paths; empty = no pages
  SourceRange on_stop_where;
  bool has_script = false;
};

/// What reading jobs shares between them.
struct JobReading {
  Diagnostics& diagnostics;
  NoEffect& no_effect;
  const std::map<std::string, const Node*, std::less<>>& defaults;  // `default:` and its old spellings
  bool complete = true;  // false: parts of the file are missing, so that a job may lack its script
  ExpressionCache expressions = {};
  /// Rules by node: aliases, references and extends share them between jobs.
  std::unordered_map<const Node*, std::shared_ptr<const RuleDefinition>> rules = {};
  /// Variables of the project by name, for `secrets` without a provider.
  std::set<std::string, std::less<>> settings = {};
};

/// One job while it is read.
struct JobBuild {
  Shapes& in;
  JobDefinition& job;
  JobReading& shared;
};

/// Reads the value of one key that has the right shape and is not null.
using SectionReader = void (*)(JobBuild& build, const MapEntry& entry);

// Readers of single keys; each file of job_*.cpp has those of one topic.
void read_script(JobBuild& build, const MapEntry& entry);
void read_before_script(JobBuild& build, const MapEntry& entry);
void read_after_script(JobBuild& build, const MapEntry& entry);
void read_hooks(JobBuild& build, const MapEntry& entry);
void read_run(JobBuild& build, const MapEntry& entry);
void read_stage(JobBuild& build, const MapEntry& entry);
void read_when(JobBuild& build, const MapEntry& entry);
void read_start_in(JobBuild& build, const MapEntry& entry);
void read_allow_failure(JobBuild& build, const MapEntry& entry);
void read_retry(JobBuild& build, const MapEntry& entry);
void read_timeout(JobBuild& build, const MapEntry& entry);
void read_interruptible(JobBuild& build, const MapEntry& entry);
void read_resource_group(JobBuild& build, const MapEntry& entry);
void read_manual_confirmation(JobBuild& build, const MapEntry& entry);
void read_tags(JobBuild& build, const MapEntry& entry);
void read_coverage(JobBuild& build, const MapEntry& entry);
void read_image(JobBuild& build, const MapEntry& entry);
void read_services(JobBuild& build, const MapEntry& entry);
void read_cache(JobBuild& build, const MapEntry& entry);
void read_artifacts(JobBuild& build, const MapEntry& entry);
void read_parallel(JobBuild& build, const MapEntry& entry);
void read_needs(JobBuild& build, const MapEntry& entry);
void read_dependencies(JobBuild& build, const MapEntry& entry);
void read_rules(JobBuild& build, const MapEntry& entry);
void read_only(JobBuild& build, const MapEntry& entry);
void read_except(JobBuild& build, const MapEntry& entry);
void read_inherit(JobBuild& build, const MapEntry& entry);
void read_job_variables(JobBuild& build, const MapEntry& entry);
void read_environment(JobBuild& build, const MapEntry& entry);
void read_release(JobBuild& build, const MapEntry& entry);
void read_pages(JobBuild& build, const MapEntry& entry);
void read_publish(JobBuild& build, const MapEntry& entry);
void read_trigger(JobBuild& build, const MapEntry& entry);
void read_id_tokens(JobBuild& build, const MapEntry& entry);
void read_secrets(JobBuild& build, const MapEntry& entry);
void read_identity(JobBuild& build, const MapEntry& entry);
void read_dast(JobBuild& build, const MapEntry& entry);
void read_build_image(JobBuild& build, const MapEntry& entry);
void read_deploy(JobBuild& build, const MapEntry& entry);
void read_not_yet(JobBuild& build, const MapEntry& entry);
void read_nothing(JobBuild& build, const MapEntry& entry);

// Parts that several keys share.
enum class VariableForm : std::uint8_t { root, job, rule };
std::vector<Variable> read_variables(Shapes& in, std::string_view path, const Node& map, VariableForm form,
                                     VariableSource source);
std::vector<MatrixMap> read_matrix(Shapes& in, std::string_view path, const Node& list);
std::optional<NeedsDefinition> read_needs_list(Shapes& in, std::string_view path, const Node& list,
                                               const KeywordTable& table);
std::optional<std::chrono::milliseconds> read_duration(Shapes& in, std::string_view path, const Node& node);
std::optional<AllowFailure> read_allow_failure_value(Shapes& in, std::string_view path, const Node& node);
std::optional<When> parse_when(std::string_view text) noexcept;
std::optional<ImageSpec> read_image_value(Shapes& in, std::string_view path, const Node& node,
                                          const KeywordTable& table);
/// The rules of a job or (with the workflow's table) of the workflow, nested lists spread. Empty: reported.
std::optional<RuleList> read_rule_list(Shapes& in, JobReading& shared, std::string_view path,
                                       const Node& list, const KeywordTable& table);
/// One rule by itself; null when it was reported.
std::shared_ptr<const RuleDefinition> read_rule(Shapes& in, JobReading& shared, std::string_view path,
                                                const Node& node, const KeywordTable& table);
std::shared_ptr<const Expression> read_condition(Shapes& in, JobReading& shared, std::string_view path,
                                                 const Node& node);
std::optional<AutoCancel> read_auto_cancel(Shapes& in, std::string_view path, const Node& map);

/// Texts of the job's inputs by name: their defaults.
using JobInputs = std::map<std::string, std::string, std::less<>>;
JobInputs read_job_inputs(Shapes& in, const Node& job);

/// Reads and checks one job, defaults included. nullopt when it is no mapping; other mistakes are reported
/// and what could be read is given.
std::optional<JobDefinition> read_job(const MapEntry& entry, JobReading& shared);
/// Reports what is wrong in `default:` itself (its values are read again, silently, for every job).
void check_defaults(const Node& defaults, JobReading& shared);

}  // namespace runner::pipelines
