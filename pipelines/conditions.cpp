#include "pipelines/conditions.h"

#include <algorithm>
#include <set>

#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxComparisons = 50'000;

std::vector<std::string> expanded(const std::vector<std::string>& texts, const VariableSet& variables) {
  std::vector<std::string> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) out.push_back(variables.expand(text, Undefined::keep));
  return out;
}

std::string answer_key(char kind, const PathClause& clause, const std::vector<std::string>& patterns,
                       const std::string& more) {
  std::string key(1, kind);
  key.append(more).append(1, '\0').append(clause.regex_text).append(1, '\0');
  for (const std::string& pattern : patterns) key.append(pattern).append(1, '\n');
  return key;
}

std::string yes_no(bool value) {
  return value ? " -> true" : " -> false";
}

}  // namespace

Answer Conditions::condition(const Expression& expression, const VariableSet& variables) {
  ExpressionScope scope;
  scope.variables = &variables;
  scope.regexes = &regexes_;
  Answer answer;
  answer.holds = expression.evaluate(scope);
  answer.line = "if: " + expression.text() + yes_no(answer.holds);
  if (const std::string seen = expression.explain(scope); !seen.empty()) answer.line += " (" + seen + ")";
  if (expression.text().find('~') != std::string::npos) answer.odd = expression.suspicious(scope);
  if (!answer.odd.empty()) answer.line += "; " + answer.odd;
  return answer;
}

const std::optional<Conditions::Paths>& Conditions::changed(const std::string& compare_to) {
  const auto [place, added] = changed_.try_emplace(compare_to);
  if (added)
    place->second = compare_to.empty() ? repository_.changed_files() : repository_.changed_since(compare_to);
  return place->second;
}

const Glob& Conditions::glob(const std::string& pattern) {
  const auto found = globs_.find(pattern);
  if (found != globs_.end()) return found->second;
  return globs_.emplace(pattern, Glob(pattern, GlobDialect::rules)).first->second;
}

Answer Conditions::match_changes(const PathClause& clause, const Paths& patterns,
                                 const std::string& compare_to) {
  const std::optional<Paths>& files = changed(compare_to);
  if (!files) {
    if (compare_to.empty()) return {true, "changes -> true (what changed is unknown)", {}};
    return {false, {}, "compare_to names the unknown ref '" + compare_to + "'"};
  }
  const auto hit = [&](const std::string& pattern, const std::string& path) {
    return Answer{true, "changes -> true ('" + pattern + "' matches '" + path + "')", {}};
  };
  if (clause.regex) {
    for (const std::string& path : *files)
      if (clause.regex->found_in(path)) return hit(clause.regex_text, path);
  } else {
    if (files->size() * patterns.size() > kMaxComparisons)
      return {true, "changes -> true (more than 50000 comparisons)", {}};
    for (const std::string& pattern : patterns) {
      const Glob& compiled = glob(pattern);
      for (const std::string& path : *files)
        if (compiled.matches(path)) return hit(pattern, path);
    }
  }
  return {
      false, "changes -> false (none of " + std::to_string(files->size()) + " changed files matches)", {}};
}

Answer Conditions::changes(const PathClause& clause, const VariableSet& variables) {
  const Paths patterns = expanded(clause.paths, variables);
  const std::string compare_to = variables.expand(clause.compare_to, Undefined::keep);
  const auto [place, added] = answers_.try_emplace(answer_key('c', clause, patterns, compare_to));
  if (added) place->second = match_changes(clause, patterns, compare_to);
  return place->second;
}

const Conditions::Paths& Conditions::directories() {
  if (directories_) return *directories_;
  std::set<std::string> all;
  for (const std::string& path : repository_.tracked_files())
    for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = path.rfind('/', slash - 1))
      if (!all.insert(path.substr(0, slash)).second) break;
  directories_.emplace(all.begin(), all.end());
  return *directories_;
}

bool Conditions::path_exists(const std::string& pattern) {
  const auto [place, added] = exists_.try_emplace(pattern, false);
  if (!added) return place->second;
  const Paths& files = repository_.tracked_files();
  const bool directory = pattern.ends_with('/');
  const std::string wanted = directory ? pattern.substr(0, pattern.size() - 1) : pattern;
  const auto from = std::lower_bound(files.begin(), files.end(), pattern);
  if (from != files.end() && (*from == pattern || (directory && from->starts_with(pattern)))) {
    place->second = true;
  } else if (const Glob& compiled = glob(wanted); !compiled.is_literal()) {
    const Paths& candidates = directory ? directories() : files;
    place->second = std::any_of(candidates.begin(), candidates.end(),
                                [&](const std::string& path) { return compiled.matches(path); });
  }
  return place->second;
}

Answer Conditions::match_exists(const PathClause& clause, const Paths& patterns) {
  const Paths& files = repository_.tracked_files();
  if (clause.regex) {
    for (const std::string& path : files)
      if (clause.regex->found_in(path)) return {true, "exists -> true ('" + path + "')", {}};
    return {false, "exists -> false (no file matches '" + clause.regex_text + "')", {}};
  }
  std::size_t magic = 0;
  for (const std::string& pattern : patterns)
    if (!pattern.empty() && !glob(pattern).is_literal()) ++magic;
  if (magic * files.size() > kMaxComparisons) {
    // Plain names are still answered by name; only patterns are too many to try.
    return {true, "exists -> true (more than 50000 comparisons)", {}};
  }
  for (const std::string& pattern : patterns)
    if (!pattern.empty() && path_exists(pattern)) return {true, "exists -> true ('" + pattern + "')", {}};
  return {false, "exists -> false (no tracked file matches)", {}};
}

Answer Conditions::exists(const PathClause& clause, const VariableSet& variables) {
  const std::string project = variables.expand(clause.project, Undefined::keep);
  const std::string ref = variables.expand(clause.ref, Undefined::keep);
  if (!project.empty() && (project != facts_.project_path || !ref.empty()))
    return {false, {}, "exists:project names the unknown project '" + project + "'"};
  const Paths patterns = expanded(clause.paths, variables);
  const auto [place, added] = answers_.try_emplace(answer_key('e', clause, patterns, {}));
  if (added) place->second = match_exists(clause, patterns);
  return place->second;
}

void Conditions::tell(RuleTrace& trace, std::string line) const {
  if (facts_.explain_rules) trace.lines.push_back(std::move(line));
}

Answer Conditions::rule(const RuleDefinition& rule, const VariableSet& variables, RuleTrace& trace) {
  trace.where = rule.where;
  Answer result;
  result.holds = true;
  const auto apply = [&](Answer answer) {
    if (!answer.error.empty()) {
      result.error = std::move(answer.error);
      result.holds = false;
      return;
    }
    tell(trace, std::move(answer.line));
    if (!answer.odd.empty()) result.odd = std::move(answer.odd);
    result.holds = result.holds && answer.holds;
  };
  if (rule.condition) apply(condition(*rule.condition, variables));
  if (result.holds && rule.changes) apply(changes(*rule.changes, variables));
  if (result.holds && rule.exists) apply(exists(*rule.exists, variables));
  if (!rule.condition && !rule.changes && !rule.exists) tell(trace, "no condition -> true");
  trace.matched = result.holds;
  return result;
}

bool Conditions::ref_matches(const RefPattern& ref) const {
  if (!ref.project.empty() && ref.project != facts_.project_path) return false;
  const bool branch_or_tag = is_branch_or_tag();
  if (ref.text == "branches") return facts_.ref_kind == RefKind::branch;
  if (ref.text == "tags") return facts_.ref_kind == RefKind::tag;
  if (ref.text == "merge_requests" || ref.text == "merge_request") {
    if (facts_.source == "merge_request_event") return true;
  } else if (ref.text == "external_pull_requests" || ref.text == "external_pull_request") {
    if (facts_.source == "external_pull_request_event") return true;
  } else if (ref.text == facts_.source || ref.text == facts_.source + "s" ||
             ref.text == facts_.source + "es") {
    return true;
  }
  if (!branch_or_tag) return false;
  return ref.regex ? ref.regex->found_in(facts_.ref_name) : ref.text == facts_.ref_name;
}

bool Conditions::refs_match(const std::vector<RefPattern>& refs) const {
  return std::any_of(refs.begin(), refs.end(), [&](const RefPattern& ref) { return ref_matches(ref); });
}

std::vector<bool> Conditions::sub_policies(const PolicyDefinition& policy, const VariableSet& variables,
                                           bool default_refs, RuleTrace& trace) {
  std::vector<bool> results;
  const auto add = [&](bool value, std::string line) {
    results.push_back(value);
    tell(trace, std::move(line) + yes_no(value));
  };
  if (policy.refs) {
    add(refs_match(*policy.refs), "refs");
  } else if (default_refs) {
    add(is_branch_or_tag(), "refs: branches, tags (the default)");
  }
  if (policy.variables) {
    bool any = false;
    for (const auto& expression : *policy.variables) {
      Answer answer = condition(*expression, variables);
      tell(trace, std::move(answer.line));
      any = any || answer.holds;
    }
    add(any, "variables");
  }
  if (policy.changes) {
    const Answer answer = changes(*policy.changes, variables);
    results.push_back(answer.holds);
    tell(trace, answer.line);
  }
  if (policy.kubernetes) add(false, "kubernetes: no cluster");
  return results;
}

bool Conditions::all_of(const PolicyDefinition& policy, const VariableSet& variables, bool default_refs,
                        RuleTrace& trace) {
  trace.where = policy.where;
  const auto results = sub_policies(policy, variables, default_refs, trace);
  trace.matched = std::all_of(results.begin(), results.end(), [](bool one) { return one; });
  return trace.matched;
}

bool Conditions::any_of(const PolicyDefinition& policy, const VariableSet& variables, RuleTrace& trace) {
  trace.where = policy.where;
  const auto results = sub_policies(policy, variables, false, trace);
  trace.matched = std::any_of(results.begin(), results.end(), [](bool one) { return one; });
  return trace.matched;
}

}  // namespace runner::pipelines
