#pragma once
// Answers the questions of rules: `if`, `changes`, `exists`, `only`, `except`. Asks the repository once and
// keeps every answer, since thousands of jobs ask the same. One planning; not thread-safe.

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipelines/facts.h"
#include "pipelines/job_model.h"
#include "pipelines/variables.h"
#include "runner/base/glob.h"

namespace runner::pipelines {

/// One answer with its reason for people. `error` is set when it cannot be given.
struct Answer {
  bool holds = false;
  std::string line;
  std::string error;
  std::string odd = {};  // not an error, but hardly what was meant
};

inline constexpr const char* kSubstringHelp =
    "write a pattern as /.../, also when it is the value of a variable";

class Conditions {
 public:
  Conditions(const PipelineFacts& facts, RepositoryReader& repository)
      : facts_(facts), repository_(repository) {}

  Answer condition(const Expression& expression, const VariableSet& variables);
  Answer changes(const PathClause& clause, const VariableSet& variables);
  Answer exists(const PathClause& clause, const VariableSet& variables);
  /// All clauses of a rule together; lines are added to `trace`. `holds` is false when there is an error.
  Answer rule(const RuleDefinition& rule, const VariableSet& variables, RuleTrace& trace);

  /// Every sub-policy of `only` holds.
  bool all_of(const PolicyDefinition& policy, const VariableSet& variables, bool default_refs,
              RuleTrace& trace);
  /// Some sub-policy of `except` holds.
  bool any_of(const PolicyDefinition& policy, const VariableSet& variables, RuleTrace& trace);
  /// The pipeline is for a branch or a tag: the default of `only`.
  bool is_branch_or_tag() const noexcept { return facts_.ref_kind != RefKind::merge_request; }

 private:
  using Paths = std::vector<std::string>;
  void tell(RuleTrace& trace, std::string line) const;
  bool refs_match(const std::vector<RefPattern>& refs) const;
  bool ref_matches(const RefPattern& ref) const;
  std::vector<bool> sub_policies(const PolicyDefinition& policy, const VariableSet& variables,
                                 bool default_refs, RuleTrace& trace);
  const std::optional<Paths>& changed(const std::string& compare_to);
  Answer match_changes(const PathClause& clause, const Paths& patterns, const std::string& compare_to);
  Answer match_exists(const PathClause& clause, const Paths& patterns);
  bool path_exists(const std::string& pattern);
  const Glob& glob(const std::string& pattern);
  const Paths& directories();

  const PipelineFacts& facts_;
  RepositoryReader& repository_;
  RegexCache regexes_;
  std::unordered_map<std::string, Glob> globs_;
  std::map<std::string, std::optional<Paths>> changed_;  // by compare_to; "" = this push
  std::unordered_map<std::string, Answer> answers_;
  std::unordered_map<std::string, bool> exists_;
  std::optional<Paths> directories_;
};

}  // namespace runner::pipelines
