// Planning, step by step: the table of contents of this folder.

#include <algorithm>
#include <utility>

#include "pipelines/conditions.h"
#include "pipelines/document.h"
#include "pipelines/globals.h"
#include "pipelines/instances.h"
#include "pipelines/job_planner.h"
#include "pipelines/plan.h"
#include "pipelines/predefined.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

/// "[ci skip]" or "[skip ci]", also with '_' or '-', in any case.
bool asks_to_skip(std::string_view message) {
  const std::string text = to_lower(message);
  for (const char* blank : {" ", "-", "_"})
    if (text.find("[ci" + std::string(blank) + "skip]") != std::string::npos ||
        text.find("[skip" + std::string(blank) + "ci]") != std::string::npos)
      return true;
  return false;
}

class Planner {
 public:
  Planner(std::string_view root_file, std::string_view root_text, const PipelineFacts& facts,
          IncludeReader& includes, RepositoryReader& repository)
      : root_file_(root_file),
        root_text_(root_text),
        facts_(facts),
        includes_(includes),
        repository_(repository),
        conditions_(facts, repository),
        out_(result_.diagnostics) {}

  PlanResult run() {
    auto sources = std::make_shared<Sources>();
    result_.sources = sources;
    const auto document = load(*sources);
    if (!document) return invalid();
    Globals globals = read_globals(*document, out_, no_effect_);
    JobReading shared{out_, no_effect_, globals.defaults, document->complete};
    for (const Variable& variable : facts_.variables) shared.settings.insert(variable.name);
    read_workflow(*document, shared, globals);
    if (const Node* defaults = document->root->find("default"); defaults != nullptr && defaults->is_map())
      check_defaults(*defaults, shared);
    const std::vector<JobDefinition> definitions = read_jobs(globals, shared);
    const InstanceTable instances(definitions, globals.stages, globals.unreadable, out_);
    check_logic(definitions, instances, globals, document->complete);
    if (out_.has_errors()) return invalid();

    const bool pushed = facts_.source == "push" || facts_.source == "merge_request_event";
    if (pushed && asks_to_skip(facts_.commit_message))
      return without_plan(PlanOutcome::skipped, "the commit message asks to skip");
    if (!apply_workflow(globals))
      return out_.has_errors() ? invalid()
                               : without_plan(PlanOutcome::filtered, "filtered out by workflow rules");
    plan_jobs(globals, instances);
    if (!globals.workflow.rules) warn_duplicate_pipelines(definitions);
    if (out_.has_errors()) return invalid();
    return finish(globals);
  }

 private:
  PlanResult invalid() {
    result_.plan.reset();
    return without_plan(PlanOutcome::invalid, {});
  }
  PlanResult without_plan(PlanOutcome outcome, std::string why) {
    result_.outcome = outcome;
    result_.why = std::move(why);
    return std::move(result_);
  }

  std::optional<ResolvedDocument> load(Sources& sources);
  std::vector<JobDefinition> read_jobs(const Globals& globals, JobReading& shared);
  void check_logic(const std::vector<JobDefinition>& definitions, const InstanceTable& instances,
                   const Globals& globals, bool complete);
  void check_stage(const JobDefinition& job, const Globals& globals, bool complete);
  void check_on_stop(const JobDefinition& job, const InstanceTable& instances);
  void warn_duplicate_pipelines(const std::vector<JobDefinition>& definitions);
  bool apply_workflow(const Globals& globals);
  void bind_variables(const Globals& globals, const RuleDefinition* matched);
  void plan_jobs(const Globals& globals, const InstanceTable& instances);
  void connect(std::vector<PlannedInstance>& planned, const InstanceTable& instances);
  void choose_artifacts(const JobDefinition& definition, const InstanceTable& instances,
                        const std::vector<std::size_t>& position, PlanJob& job);
  PlanResult finish(const Globals& globals);

  std::string_view root_file_;
  std::string_view root_text_;
  const PipelineFacts& facts_;
  IncludeReader& includes_;
  RepositoryReader& repository_;
  PlanResult result_;
  Conditions conditions_;
  Diagnostics& out_;
  NodeArena arena_;
  NoEffect no_effect_;
  PipelineVariables variables_;
  Plan plan_;
  std::shared_ptr<const std::vector<std::size_t>> producers_;  // jobs with something to upload, in order
};

std::optional<ResolvedDocument> Planner::load(Sources& sources) {
  const VariableSet usable = include_variables(facts_);
  const std::map<std::string, const Node*, std::less<>> no_defaults;
  JobReading reading{out_, no_effect_, no_defaults};
  LoadContext context{includes_};
  context.list_files = [this]() -> const std::vector<std::string>& { return repository_.tracked_files(); };
  context.variable = [&](std::string_view name) { return usable.find(name); };
  context.expand = [&](std::string_view text) { return usable.expand(text, Undefined::drop); };
  context.rule_matches = [&](const Node& node) -> std::optional<bool> {
    const std::size_t errors = out_.error_count();
    Shapes in(&out_, no_effect_, "include");
    const auto rule = read_rule(in, reading, "rules", node, kWorkflowRuleKeys);
    if (!rule || out_.error_count() != errors) return std::nullopt;
    RuleTrace trace;
    const Answer answer = conditions_.rule(*rule, usable, trace);
    if (answer.error.empty()) return answer.holds;
    out_.error("rule-failed", node.range(), "include: cannot evaluate rule: " + answer.error);
    return std::nullopt;
  };
  context.input_condition = [&](const Node& node, const InputLookup& inputs) -> std::optional<bool> {
    ExpressionError error;
    const auto expression = Expression::compile(node.text(), ExpressionDialect::inputs, error);
    if (!expression) {
      out_.error("bad-expression", node.range(), "inputs: rules: if: invalid expression: " + error.message);
      return std::nullopt;
    }
    ExpressionScope scope;
    scope.inputs = [&](std::string_view name) {
      const Node* value = inputs(name);
      if (value == nullptr || value->is_null()) return ExpressionValue{};
      if (value->kind() == NodeKind::boolean) return ExpressionValue::of(value->boolean());
      return ExpressionValue::of_text(value->text());
    };
    return expression->evaluate(scope);
  };
  context.inputs = facts_.inputs;
  context.server_host = std::string(usable.find("CI_SERVER_FQDN")->value);
  return load_document(root_file_, root_text_, context, sources, arena_, out_);
}

std::vector<JobDefinition> Planner::read_jobs(const Globals& globals, JobReading& shared) {
  std::vector<JobDefinition> definitions;
  definitions.reserve(globals.jobs.size());
  for (const MapEntry* entry : globals.jobs)
    if (auto job = read_job(*entry, shared)) definitions.push_back(std::move(*job));
  for (const auto& [key, where] : no_effect_)
    out_.notice("no-effect", where, "'" + key + "' is accepted but has no effect here");
  return definitions;
}

/// Parts of the file are missing, but the root file beats them: what it says itself is certain.
bool is_certain(const SourceRange& where) {
  constexpr FileId kRootFile = 1;
  return where.file == kRootFile;
}

void Planner::check_stage(const JobDefinition& job, const Globals& globals, bool complete) {
  const auto& stages = globals.stages;
  if (!globals.stages_known) return;
  if (!complete && !(is_certain(globals.stages_where) && job.has_stage && is_certain(job.stage_where)))
    return;
  if (std::find(stages.begin(), stages.end(), job.job.stage) != stages.end()) return;
  const std::vector<std::string_view> names(stages.begin(), stages.end());
  out_.error("unknown-stage", job.stage_where,
             "job '" + job.job.name + "': stage '" + job.job.stage + "' does not exist; stages are " +
                 join(stages, ", "),
             did_you_mean(job.job.stage, names));
}

void Planner::check_on_stop(const JobDefinition& job, const InstanceTable& instances) {
  if (!job.job.environment || job.job.environment->on_stop.empty()) return;
  const EnvironmentSpec& environment = *job.job.environment;
  const auto* found = instances.find(environment.on_stop);
  std::string wrong;
  if (found == nullptr) {
    wrong = "is not defined";
  } else {
    const auto& target = instances.all()[found->front()].definition->job.environment;
    if (!target) {
      wrong = "has no environment";
    } else if (target->name != environment.name) {
      wrong = "names another environment";
    } else if (target->action != "stop") {
      wrong = "must have action: stop";
    }
  }
  if (!wrong.empty())
    out_.error("bad-on-stop", job.on_stop_where,
               "job '" + job.job.name + "': on_stop job '" + environment.on_stop + "' " + wrong);
}

void Planner::check_logic(const std::vector<JobDefinition>& definitions, const InstanceTable& instances,
                          const Globals& globals, bool complete) {
  for (const JobDefinition& job : definitions) {
    check_stage(job, globals, complete);
    if (complete) check_on_stop(job, instances);
  }
  NeedsResolver(instances, complete, out_).check_all();
}

/// Once per pipeline, at the first job: most files that have one such job have many.
void Planner::warn_duplicate_pipelines(const std::vector<JobDefinition>& definitions) {
  for (const JobDefinition& job : definitions) {
    if (!job.rules || job.rules->empty()) continue;
    const RuleDefinition& last = *job.rules->back();
    const bool bare =
        last.when && *last.when != When::never && !last.condition && !last.changes && !last.exists;
    if (!bare) continue;
    out_.warning(
        "duplicate-pipelines", last.where,
        "job '" + job.job.name +
            "': without 'workflow: rules', a push to a branch with a merge request starts this job twice",
        "say with 'workflow: rules' for what pipelines are made");
    return;
  }
}

void Planner::bind_variables(const Globals& globals, const RuleDefinition* matched) {
  variables_.yaml = globals.variables;
  if (matched != nullptr)
    variables_.yaml.insert(variables_.yaml.end(), matched->variables.begin(), matched->variables.end());
}

bool Planner::apply_workflow(const Globals& globals) {
  VariableSet scope = include_variables(facts_);
  for (Variable& variable : creation_predefined(facts_, {})) scope.add(std::move(variable));
  for (const Variable& variable : globals.variables) scope.add(variable);
  const RuleDefinition* matched = nullptr;
  if (globals.workflow.rules) {
    for (const auto& rule : *globals.workflow.rules) {
      const Answer answer = conditions_.rule(*rule, scope, result_.workflow_trace.emplace_back());
      if (!answer.odd.empty())
        out_.warning("substring-rule", rule->condition_where, "workflow: " + answer.odd, kSubstringHelp);
      if (!answer.error.empty()) {
        out_.error("rule-failed", rule->where, "workflow: cannot evaluate rule: " + answer.error);
        return false;
      }
      if (!answer.holds) continue;
      matched = rule.get();
      break;
    }
    if (matched == nullptr || matched->when == When::never) return false;
    for (const Variable& variable : matched->variables) scope.add(variable);
  }
  bind_variables(globals, matched);
  AutoCancel cancel = globals.workflow.auto_cancel;
  if (matched != nullptr && matched->auto_cancel.on_new_commit)
    cancel.on_new_commit = matched->auto_cancel.on_new_commit;
  if (matched != nullptr && matched->auto_cancel.on_job_failure)
    cancel.on_job_failure = matched->auto_cancel.on_job_failure;
  plan_.on_new_commit = cancel.on_new_commit.value_or(AutoCancelNewCommit::conservative);
  plan_.cancel_on_job_failure = cancel.on_job_failure.value_or(false);
  plan_.name = std::string(trim(scope.expand(globals.workflow.name, Undefined::drop)));

  variables_.plan = pipeline_predefined(facts_);
  for (Variable& variable : creation_predefined(facts_, plan_.name))
    variables_.plan.push_back(std::move(variable));
  variables_.plan.insert(variables_.plan.end(), facts_.variables.begin(), facts_.variables.end());
  for (const Variable& variable : variables_.plan) {
    if (variable.environment_scope == "*") variables_.base.add(variable);
    variables_.has_scoped = variables_.has_scoped || variable.environment_scope != "*";
  }
  variables_.with_yaml = VariableSet::over(variables_.base);
  for (const Variable& variable : variables_.yaml) variables_.with_yaml.add(variable);
  warn_self_references(variables_.with_yaml, variables_.yaml, {"variables", globals.variables_node, {}},
                       out_);
  variables_.yaml_cycle = variables_.with_yaml.find_cycle().has_value();
  return true;
}

void Planner::plan_jobs(const Globals& globals, const InstanceTable& instances) {
  JobPlanner jobs(variables_, conditions_, globals.workflow.rules.has_value(), out_);
  std::vector<PlannedInstance> planned;
  planned.reserve(instances.all().size());
  for (const Instance& instance : instances.all()) planned.push_back(jobs.plan(instance));
  connect(planned, instances);
}

const NeedsDefinition* needs_of(const JobDefinition& definition) {
  return definition.needs ? &*definition.needs : nullptr;
}

void Planner::connect(std::vector<PlannedInstance>& planned, const InstanceTable& instances) {
  constexpr auto kAbsent = static_cast<std::size_t>(-1);
  std::vector<std::size_t> position(planned.size(), kAbsent);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < planned.size(); ++i)
    if (planned[i].kept) position[i] = kept++;
  NeedsResolver resolver(instances, true, out_);
  std::vector<std::vector<ResolvedNeed>> graph(planned.size());
  bool by_rules = false;  // some needs are not those that were checked for cycles before
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const Instance& instance = instances.all()[i];
    PlanJob& job = planned[i].job;
    if (!planned[i].kept) {
      result_.excluded.push_back({job.name, job.stage, job.where, planned[i].why, std::move(job.rule_trace)});
      continue;
    }
    job.stage_index = instance.stage;
    if (planned[i].needs == nullptr) continue;
    job.dag = true;
    job.foreign_needs = planned[i].needs->foreign;
    graph[i] = resolver.resolve(*planned[i].needs, instance, false);
    by_rules = by_rules || planned[i].needs != needs_of(*instance.definition);
    for (const ResolvedNeed& need : graph[i]) {
      if (position[need.target] != kAbsent) {
        job.needs.push_back({position[need.target], need.artifacts});
      } else if (!need.optional) {
        const std::string& target = instances.all()[need.target].name;
        out_.error(
            "need-removed", need.definition->where,
            "job '" + job.name + "' needs '" + target + "', but '" + target + "' is not in the pipeline",
            "its rules leave it out: add 'optional: true' to the need");
      }
    }
  }
  if (by_rules) resolver.check_cycles(graph);
  plan_.jobs.reserve(kept);
  for (std::size_t i = 0; i < planned.size(); ++i)
    if (planned[i].kept) plan_.jobs.push_back(std::move(planned[i].job));
  std::vector<std::size_t> producers;
  for (std::size_t i = 0; i < plan_.jobs.size(); ++i)
    if (plan_.jobs[i].hands_over()) producers.push_back(i);
  producers_ = std::make_shared<const std::vector<std::size_t>>(std::move(producers));
  for (std::size_t i = 0; i < planned.size(); ++i)
    if (planned[i].kept)
      choose_artifacts(*instances.all()[i].definition, instances, position, plan_.jobs[position[i]]);
}

void Planner::choose_artifacts(const JobDefinition& definition, const InstanceTable& instances,
                               const std::vector<std::size_t>& position, PlanJob& job) {
  if (!definition.dependencies && !job.dag) {
    const auto end = std::partition_point(producers_->begin(), producers_->end(), [&](std::size_t producer) {
      return plan_.jobs[producer].stage_index < job.stage_index;
    });
    job.artifact_sources = JobIndices(producers_, static_cast<std::size_t>(end - producers_->begin()));
    return;
  }
  constexpr auto kAbsent = static_cast<std::size_t>(-1);
  const auto in_order = [](std::vector<std::size_t>& jobs) {
    std::sort(jobs.begin(), jobs.end());
    jobs.erase(std::unique(jobs.begin(), jobs.end()), jobs.end());
  };
  std::vector<std::size_t> named;
  if (definition.dependencies) {
    for (const NameAt& dependency : *definition.dependencies)
      if (const auto* found = instances.find(dependency.name))
        for (std::size_t target : *found)
          if (position[target] != kAbsent) named.push_back(position[target]);
    in_order(named);
  }
  std::vector<std::size_t> needed;
  for (const Need& need : job.needs)
    if (need.artifacts) needed.push_back(need.job);
  in_order(needed);
  std::vector<std::size_t> chosen;
  if (!job.dag) {
    chosen = std::move(named);
  } else if (!definition.dependencies) {
    chosen = std::move(needed);
  } else {
    std::set_intersection(named.begin(), named.end(), needed.begin(), needed.end(),
                          std::back_inserter(chosen));
  }
  if (!chosen.empty()) job.artifact_sources = JobIndices(std::move(chosen));
}

PlanResult Planner::finish(const Globals& globals) {
  std::vector<std::size_t> used(globals.stages.size(), 0);
  for (const PlanJob& job : plan_.jobs) ++used[job.stage_index];
  const bool inner =
      std::any_of(used.begin() + 1, used.end() - 1, [](std::size_t count) { return count > 0; });
  if (!inner)
    return without_plan(PlanOutcome::no_jobs, plan_.jobs.empty() ? "no jobs matched this pipeline's rules"
                                                                 : "no jobs outside .pre and .post");
  std::vector<std::size_t> renumbered(globals.stages.size(), 0);
  for (std::size_t i = 0; i < globals.stages.size(); ++i) {
    if (used[i] == 0) continue;
    renumbered[i] = plan_.stages.size();
    plan_.stages.push_back(globals.stages[i]);
  }
  for (PlanJob& job : plan_.jobs) job.stage_index = renumbered[job.stage_index];
  plan_.variables = std::move(variables_.plan);
  plan_.excluded = result_.excluded;
  result_.plan = std::move(plan_);
  return without_plan(PlanOutcome::planned, {});
}

}  // namespace

std::optional<std::size_t> Plan::find(std::string_view job_name) const {
  const auto found =
      std::find_if(jobs.begin(), jobs.end(), [&](const PlanJob& job) { return job.name == job_name; });
  if (found == jobs.end()) return std::nullopt;
  return static_cast<std::size_t>(found - jobs.begin());
}

PlanResult make_plan(std::string_view root_file, std::string_view root_text, const PipelineFacts& facts,
                     IncludeReader& includes, RepositoryReader& repository) {
  return Planner(root_file, root_text, facts, includes, repository).run();
}

}  // namespace runner::pipelines
