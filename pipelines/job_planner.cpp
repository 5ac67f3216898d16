#include "pipelines/job_planner.h"

#include <algorithm>
#include <array>

#include "pipelines/job_variables.h"
#include "pipelines/predefined.h"
#include "pipelines/variable_scan.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

struct TierWords {
  std::string_view tier;
  std::array<std::string_view, 12> words;
};
constexpr std::array<TierWords, 4> kTierWords = {{
    {"development", {"dev", "review", "trunk"}},
    {"testing", {"test", "tst", "int", "acpt", "accept", "qa", "qc", "control", "quality"}},
    {"staging", {"stg", "stag", "mdl", "model", "pre", "demo", "non"}},
    {"production", {"prd", "prod", "live"}},
}};

bool is_environment_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || name.front() == '/' || name.back() == '/') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(" -_/${}.").find(c) != std::string_view::npos;
  });
}

std::string rule_name(std::size_t index) {
  return "rule " + std::to_string(index + 1);
}

/// What the file alone says about failing: without a word, a job started by hand may fail.
AllowFailure static_allow_failure(const JobDefinition& definition) {
  if (definition.allow_failure) return *definition.allow_failure;
  AllowFailure value;
  value.always = definition.when == When::manual;
  return value;
}

}  // namespace

std::string_view guess_tier(std::string_view environment) noexcept {
  const std::string name = to_lower(environment);
  for (const TierWords& tier : kTierWords)
    for (std::string_view word : tier.words)
      if (!word.empty() && name.find(word) != std::string::npos) return tier.tier;
  return "other";
}

void warn_self_references(const VariableSet& scope, const std::vector<Variable>& own, const Place& place,
                          Diagnostics& diagnostics) {
  for (const Variable& variable : own) {
    if (variable.raw || variable.value.find_first_of("$%") == std::string::npos) continue;
    // Those are defined when the job starts.
    if (variable.name.starts_with("CI_") || variable.name.starts_with("GITLAB_")) continue;
    bool names_itself = false;
    scan_references(variable.value, ScanMode::creation, [&](const ScanPart& part) {
      names_itself = names_itself || (part.kind != ScanKind::text && part.name == variable.name);
    });
    if (!names_itself || scope.definitions(variable.name).back()->source > variable.source) continue;
    const MapEntry* entry =
        place.map != nullptr && place.map->is_map() ? place.map->find_entry(variable.name) : nullptr;
    diagnostics.warning("self-reference", entry == nullptr ? place.otherwise : entry->value->range(),
                        place.owner + ": '" + variable.name +
                            "' names itself, and nothing else defines it: it sees an empty text there",
                        "variables of the shell can be used in scripts only: export it there");
  }
}

const RuleDefinition* JobPlanner::match_rules(const RuleList& rules, const VariableSet& scope,
                                              PlannedInstance& planned) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    RuleTrace& trace = planned.job.rule_trace.emplace_back();
    const Answer answer = conditions_.rule(*rules[i], scope, trace);
    if (!answer.error.empty()) {
      diagnostics_.error(
          "rule-failed", rules[i]->where,
          "job '" + planned.job.name + "': cannot evaluate " + rule_name(i) + ": " + answer.error);
      return nullptr;
    }
    if (!answer.odd.empty())
      diagnostics_.warning("substring-rule", rules[i]->condition_where,
                           "job '" + planned.job.name + "': " + answer.odd, kSubstringHelp);
    if (!answer.holds) continue;
    planned.why = rule_name(i) + " says when: never";
    return rules[i].get();
  }
  planned.why = "no rule matched";
  return nullptr;
}

bool JobPlanner::match_policies(const JobDefinition& definition, const VariableSet& scope,
                                PlannedInstance& planned) {
  if (definition.only) {
    const bool fill = !definition.only->refs;
    if (!conditions_.all_of(*definition.only, scope, fill, planned.job.rule_trace.emplace_back())) {
      planned.why = "only does not match";
      return false;
    }
  } else if (!workflow_rules_ && !conditions_.is_branch_or_tag()) {
    planned.why = "jobs without rules run for branches and tags only";
    return false;
  }
  if (definition.except &&
      conditions_.any_of(*definition.except, scope, planned.job.rule_trace.emplace_back())) {
    planned.why = "except matches";
    return false;
  }
  return true;
}

void JobPlanner::apply_rule(const RuleDefinition& rule, PlannedInstance& planned) {
  PlanJob& job = planned.job;
  if (rule.when) {
    job.when = *rule.when;
    job.start_in = rule.start_in;
  }
  if (rule.allow_failure) job.allow_failure = *rule.allow_failure;
  if (rule.needs) planned.needs = &*rule.needs;
  if (rule.interruptible) job.interruptible = *rule.interruptible;
}

PlannedInstance JobPlanner::plan(const Instance& instance) {
  const JobDefinition& definition = *instance.definition;
  PlannedInstance planned;
  PlanJob& job = planned.job;
  job = definition.job;
  job.name = instance.name;
  job.node_index = instance.node_index;
  job.node_total = instance.node_total;
  job.when = definition.when.value_or(When::on_success);
  job.allow_failure = static_allow_failure(definition);
  planned.needs = definition.needs ? &*definition.needs : nullptr;

  const bool everything = definition.inherit_variables.everything;
  VariableSet scope = VariableSet::over(everything ? variables_.with_yaml : variables_.base);
  const auto add = [&](const Variable& variable) {
    scope.add(variable);
    job.variables.push_back(variable);
  };
  for (const Variable& variable : variables_.yaml) {
    if (everything) {
      job.variables.push_back(variable);
    } else if (definition.inherit_variables.includes(variable.name)) {
      add(variable);
    }
  }
  for (const Variable& variable : definition.variables) add(variable);
  for (const auto& [name, value] : instance.values) {
    Variable variable;
    variable.name = name;
    variable.value = value;
    variable.source = VariableSource::matrix;
    add(variable);
  }
  for (const Variable& variable : job_predefined(job)) add(variable);
  if (variables_.has_scoped && job.environment)
    add_scoped_variables(scope, variables_.plan, scope.expand(job.environment->name, Undefined::keep));

  if (!definition.variables.empty())
    warn_self_references(
        scope, definition.variables,
        {"job '" + definition.job.name + "'", definition.node->find("variables"), definition.job.where},
        diagnostics_);
  if (definition.rules) {
    const RuleDefinition* rule = match_rules(*definition.rules, scope, planned);
    if (rule == nullptr) return planned;
    apply_rule(*rule, planned);
    if (job.when == When::never) return planned;
    for (const Variable& variable : rule->variables) add(variable);
    warn_self_references(scope, rule->variables, {"job '" + definition.job.name + "'", nullptr, rule->where},
                         diagnostics_);
  } else if (!match_policies(definition, scope, planned)) {
    return planned;
  }
  planned.kept = true;
  planned.why.clear();
  finish(definition, scope, job);
  return planned;
}

void JobPlanner::finish(const JobDefinition& definition, VariableSet& scope, PlanJob& job) {
  const auto expand = [&](const std::string& text) { return scope.expand(text, Undefined::keep); };
  job.manual_job = job.when == When::manual;
  if (job.when == When::manual || job.when == When::delayed) {
    Variable manual;
    manual.name = "CI_JOB_MANUAL";
    manual.value = "true";
    job.variables.push_back(std::move(manual));
  }
  if (job.environment) {
    EnvironmentSpec& environment = *job.environment;
    environment.name = expand(environment.name);
    if (!is_environment_name(environment.name))
      diagnostics_.error("bad-environment", job.where,
                         "job '" + job.name + "': invalid environment name '" + environment.name + "'",
                         "letters, digits, blanks and '-_/${}.', no '/' at the ends");
    environment.slug = environment_slug(environment.name);
    environment.tier =
        environment.tier.empty() ? std::string(guess_tier(environment.name)) : expand(environment.tier);
    environment.auto_stop_in = expand(environment.auto_stop_in);
    std::vector<Variable> predefined = environment_predefined(environment);
    for (const Variable& variable : predefined) scope.add(variable);
    environment.url = expand(environment.url);
    for (Variable& variable : predefined) {
      if (variable.name == "CI_ENVIRONMENT_URL") variable.value = environment.url;
      job.variables.push_back(std::move(variable));
    }
  }
  job.resource_group = expand(job.resource_group);
  for (std::string& tag : job.tags) tag = expand(tag);
  if (job.trigger) {
    job.trigger->project = scope.expand(job.trigger->project, Undefined::drop);
    job.trigger->branch = scope.expand(job.trigger->branch, Undefined::drop);
    for (std::string& line : job.trigger->include) line = scope.expand(line, Undefined::drop);
  }
  for (const Variable& variable : definition.extra_variables) job.variables.push_back(variable);
  if (!definition.pages_publish.empty()) job.artifacts.paths.push_back(definition.pages_publish);
  check_cycles(scope, job);
}

void JobPlanner::check_cycles(const VariableSet& scope, const PlanJob& job) {
  std::optional<std::string> cycle;
  if (variables_.yaml_cycle) {
    cycle = scope.find_cycle();
  } else {
    std::vector<std::string_view> from;
    for (const Variable& variable : job.variables)
      if (!variable.raw && variable.source != VariableSource::root &&
          variable.source != VariableSource::workflow_rules &&
          variable.value.find_first_of("$%") != std::string::npos)
        from.emplace_back(variable.name);
    if (!from.empty()) cycle = scope.find_cycle(from);
  }
  if (cycle)
    diagnostics_.error("variable-cycle", job.where,
                       "job '" + job.name + "': circular variable reference: " + *cycle);
}

}  // namespace runner::pipelines
