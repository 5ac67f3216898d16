// rules of jobs and of the workflow, only and except.

#include <algorithm>
#include <array>
#include <string>

#include "pipelines/document.h"
#include "pipelines/job_model.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxPaths = 50;

std::optional<PathClause> read_paths(Shapes& in, const std::string& path, const Node& node,
                                     const KeywordTable& table) {
  PathClause clause;
  clause.where = node.range();
  const Node* list = &node;
  if (node.is_map()) {
    if (!in.check_keys(path, table, node)) return std::nullopt;
    list = in.get(table, node, "paths");
    const Node* regexp = in.get(table, node, "regexp");
    if ((list == nullptr) == (regexp == nullptr)) {
      in.error("missing-key", node.range(), path + " needs either paths or regexp");
      return std::nullopt;
    }
    const auto text = [&](std::string_view key) {
      const Node* value = in.get(table, node, key);
      return value == nullptr ? std::string() : std::string(value->text());
    };
    clause.compare_to = table.find("compare_to") != nullptr ? text("compare_to") : "";
    clause.project = table.find("project") != nullptr ? text("project") : "";
    clause.ref = table.find("ref") != nullptr ? text("ref") : "";
    if (regexp != nullptr) {
      std::string why;
      clause.regex_text = regexp->text();
      clause.regex = Regex::compile(regexp->text(), {}, why);
      if (!clause.regex) in.error("bad-pattern", regexp->range(), path + ":regexp is invalid: " + why);
      if (regexp->text().size() > 255)
        in.error("too-long", regexp->range(), path + ":regexp has more than 255 characters");
      return clause;
    }
  }
  clause.paths = in.strings(path, *list, "a list of paths");
  if (clause.paths.size() > kMaxPaths)
    in.error("too-many-paths", list->range(), path + ": at most 50 entries are allowed");
  return clause;
}

void read_rule_when(Shapes& in, const std::string& path, const Node& node, bool workflow,
                    RuleDefinition& rule) {
  rule.when = parse_when(node.text());
  if (workflow) {
    if (rule.when != When::always && rule.when != When::never)
      in.error("bad-when", node.range(),
               path + ":when must be 'always' or 'never', got '" + std::string(node.text()) + "'");
  } else if (!rule.when) {
    constexpr std::array<std::string_view, 6> kNames = {"on_success", "on_failure", "always",
                                                        "never",      "manual",     "delayed"};
    in.error("bad-when", node.range(),
             path + ":when: '" + std::string(node.text()) + "' is not one of " + alternatives(kNames),
             did_you_mean(node.text(), kNames));
  }
}

void read_rule_effects(Shapes& in, const std::string& path, const Node& node, RuleDefinition& rule) {
  const Node* start_in = in.get(kRuleKeys, node, "start_in");
  if (start_in != nullptr) {
    using namespace std::chrono_literals;
    rule.start_in = read_duration(in, path + ":start_in", *start_in);
    if (rule.start_in && (*rule.start_in < 1s || *rule.start_in > 24h * 7))
      in.error("bad-duration", start_in->range(), path + ":start_in must be between 1 second and 1 week");
    if (rule.when != When::delayed)
      in.error("bad-start-in", start_in->range(), path + ":start_in needs when: delayed in the same rule");
  } else if (rule.when == When::delayed) {
    in.error("bad-start-in", node.range(), path + ": when: delayed needs start_in in the same rule");
  }
  if (const Node* allow = in.get(kRuleKeys, node, "allow_failure"))
    rule.allow_failure = read_allow_failure_value(in, path + ":allow_failure", *allow);
  if (const Node* needs = in.get(kRuleKeys, node, "needs"))
    rule.needs = read_needs_list(in, path + ":needs", *needs, kRuleNeedKeys);
  if (const Node* interruptible = in.get(kRuleKeys, node, "interruptible"))
    rule.interruptible = interruptible->boolean();
}

std::vector<RefPattern> read_refs(Shapes& in, const std::string& path, const Node& list) {
  std::vector<RefPattern> refs;
  Diagnostics nesting;
  for (const Node* item : flatten(list, nesting)) {
    if (!item->is_string()) {
      in.error("wrong-type", item->range(), path + " must be a list of strings or /regex/");
      continue;
    }
    RefPattern ref;
    std::string_view text = item->text();
    const std::size_t at = text.rfind('@');
    if (at != std::string_view::npos && at > 0) {
      // Inside a pattern '@' is written \x40, so the last one always starts the project.
      ref.project = text.substr(at + 1);
      text = text.substr(0, at);
    }
    ref.text = text;
    SlashedPattern parts;
    if (split_slashed(text, parts)) {
      std::string why;
      ref.regex = Regex::compile(parts.pattern, parts.flags, why);
      if (!ref.regex)
        in.error("bad-pattern", item->range(), path + ": the pattern '" + ref.text + "' is invalid: " + why);
    }
    refs.push_back(std::move(ref));
  }
  return refs;
}

std::optional<PolicyDefinition> read_policy(JobBuild& build, const std::string& path, const Node& node) {
  PolicyDefinition policy;
  policy.where = node.range();
  if (node.is_list()) {
    policy.refs = read_refs(build.in, path, node);
    return policy;
  }
  if (!build.in.check_keys(path, kPolicyKeys, node)) return std::nullopt;
  if (const Node* refs = build.in.get(kPolicyKeys, node, "refs"))
    policy.refs = read_refs(build.in, path + ":refs", *refs);
  if (const Node* changes = build.in.get(kPolicyKeys, node, "changes"))
    policy.changes = read_paths(build.in, path + ":changes", *changes, kChangesKeys);
  if (const Node* kubernetes = build.in.get(kPolicyKeys, node, "kubernetes")) {
    policy.kubernetes = true;
    if (kubernetes->text() != "active")
      build.in.error("bad-value", kubernetes->range(), path + ":kubernetes must be 'active'");
  }
  if (const Node* variables = build.in.get(kPolicyKeys, node, "variables")) {
    policy.variables.emplace();
    Diagnostics nesting;
    for (const Node* item : flatten(*variables, nesting)) {
      if (!item->is_string()) {
        build.in.wrong_type(path + ":variables", *item, "an expression in a string");
      } else if (auto expression = read_condition(build.in, build.shared, path + ":variables", *item)) {
        policy.variables->push_back(std::move(expression));
      }
    }
  }
  return policy;
}

}  // namespace

namespace {

/// The word at `offset` of a text that stands on one line as it is read; else the whole of it.
SourceRange word_at(const SourceRange& whole, std::string_view text, std::size_t offset) {
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  const std::size_t width = whole.end_column - whole.column;
  const std::size_t quotes = width - text.size();  // wraps around when escapes make the text shorter
  if (!ascii || whole.line != whole.end_line || (quotes != 0 && quotes != 2) || offset > text.size())
    return whole;
  const std::size_t end = std::min(text.find_first_of(" \t", offset), text.size());
  SourceRange word = whole;
  word.column = static_cast<std::uint32_t>(whole.column + quotes / 2 + offset);
  word.end_column = static_cast<std::uint32_t>(word.column + std::max<std::size_t>(end - offset, 1));
  return word;
}

}  // namespace

std::shared_ptr<const RuleDefinition> read_rule(Shapes& in, JobReading& shared, std::string_view where,
                                                const Node& node, const KeywordTable& table) {
  const std::string path(where);
  const auto known = shared.rules.find(&node);
  if (known != shared.rules.end()) return known->second;
  if (!node.is_map() || node.entries().empty()) {
    if (node.is_map()) {
      in.error("empty-rule", node.range(), path + " must not be empty");
    } else {
      in.wrong_type(path, node, "a mapping with if, changes, exists, when ...");
    }
    return nullptr;
  }
  in.check_keys(path, table, node);
  const bool workflow = &table == &kWorkflowRuleKeys;
  auto rule = std::make_shared<RuleDefinition>();
  rule->where = node.range();
  const auto get = [&](std::string_view key) { return in.get(table, node, key); };
  if (const Node* condition = get("if")) {
    rule->condition = read_condition(in, shared, path + ":if", *condition);
    rule->condition_where = condition->range();
  }
  if (const Node* changes = get("changes"))
    rule->changes = read_paths(in, path + ":changes", *changes, kChangesKeys);
  if (const Node* exists = get("exists"))
    rule->exists = read_paths(in, path + ":exists", *exists, kExistsKeys);
  if (const Node* when = get("when")) read_rule_when(in, path, *when, workflow, *rule);
  if (const Node* variables = get("variables"))
    rule->variables = read_variables(in, path + ":variables", *variables, VariableForm::rule,
                                     workflow ? VariableSource::workflow_rules : VariableSource::rules);
  if (workflow) {
    if (const Node* cancel = get("auto_cancel"))
      rule->auto_cancel = read_auto_cancel(in, path + ":auto_cancel", *cancel).value_or(AutoCancel{});
  } else {
    read_rule_effects(in, path, node, *rule);
  }
  shared.rules.emplace(&node, rule);
  return rule;
}

std::shared_ptr<const Expression> read_condition(Shapes& in, JobReading& shared, std::string_view path,
                                                 const Node& node) {
  const ExpressionCache::Entry& entry = shared.expressions.find(node.text());
  if (!entry.expression) {
    const std::string& why = entry.error.message;
    const bool named = why.starts_with("invalid expression");
    in.error("bad-expression", word_at(node.range(), node.text(), entry.error.offset),
             std::string(path) + (named ? ": " : ": invalid expression: ") + why);
  }
  return entry.expression;
}

std::optional<AutoCancel> read_auto_cancel(Shapes& in, std::string_view path, const Node& map) {
  constexpr std::array<std::string_view, 3> kCommit = {"conservative", "interruptible", "none"};
  constexpr std::array<std::string_view, 2> kFailure = {"none", "all"};
  if (!in.check_keys(path, kAutoCancelKeys, map)) return std::nullopt;
  AutoCancel cancel;
  if (const Node* commit = in.get(kAutoCancelKeys, map, "on_new_commit")) {
    const auto text = in.one_of(std::string(path) + ":on_new_commit", *commit, kCommit);
    if (text)
      cancel.on_new_commit = *text == "none"            ? AutoCancelNewCommit::none
                             : *text == "interruptible" ? AutoCancelNewCommit::interruptible
                                                        : AutoCancelNewCommit::conservative;
  }
  if (const Node* failure = in.get(kAutoCancelKeys, map, "on_job_failure")) {
    const auto text = in.one_of(std::string(path) + ":on_job_failure", *failure, kFailure);
    if (text) cancel.on_job_failure = *text == "all";
  }
  return cancel;
}

std::optional<RuleList> read_rule_list(Shapes& in, JobReading& shared, std::string_view path,
                                       const Node& list, const KeywordTable& table) {
  Diagnostics nesting;
  const std::vector<const Node*> items = flatten(list, nesting);
  for (const Diagnostic& one : nesting.all())
    in.error(one.id, one.where, std::string(path) + ": " + one.message);
  if (items.empty()) in.error("empty-rules", list.range(), std::string(path) + " must not be empty");
  RuleList rules;
  rules.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i)
    if (auto rule = read_rule(in, shared, std::string(path) + ":" + std::to_string(i + 1), *items[i], table))
      rules.push_back(std::move(rule));
  return rules;
}

void read_rules(JobBuild& build, const MapEntry& entry) {
  build.job.rules = read_rule_list(build.in, build.shared, "rules", *entry.value, kRuleKeys);
}

void read_only(JobBuild& build, const MapEntry& entry) {
  build.job.only = read_policy(build, "only", *entry.value);
}

void read_except(JobBuild& build, const MapEntry& entry) {
  build.job.except = read_policy(build, "except", *entry.value);
}

}  // namespace runner::pipelines
