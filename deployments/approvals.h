#pragma once
// Whether enough of the right people agreed to exactly what is to be deployed. Pure; any thread.

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "deployments/protection.h"
#include "runner/storage/deployment_table.h"

namespace runner::deployments {

/// What the people are asked to agree to.
struct Candidate {
  std::string triggered_by;              // a user
  std::set<std::string> commit_authors;  // mails, of all that is new since the base
  std::string fingerprint;
  bool is_rollback = false;
};

/// Who somebody is now; nullopt: nobody by that name.
using LookUp = std::function<std::optional<Person>(const std::string& name)>;

/// One rule, and who counts for it.
struct RuleStanding {
  std::string name;
  int wanted = 0;
  std::vector<std::string> approved_by;
  std::vector<Who> who;
  bool met() const { return static_cast<int>(approved_by.size()) >= wanted; }
};

struct ApprovalStanding {
  bool rejected = false;
  std::string rejected_by, comment;
  std::vector<RuleStanding> rules;
  /// Approvals that do not count, and why: "ada: of an earlier version".
  std::vector<std::string> void_ones;
  std::optional<TimePoint> complete_since;  // the last approval that was needed
  bool complete() const;
};

/// Each person counts for one rule, whichever lets the most rules be met. Approvals of another fingerprint,
/// of people who may not any more, and those older than `reapprove_after` are void.
ApprovalStanding count_approvals(const Protection& protection, const Candidate& candidate,
                                 const std::vector<storage::ApprovalRecord>& approvals, const LookUp& look_up,
                                 TimePoint now);

/// Why this person may not approve or reject it; "" when they may.
std::string approval_problem(const Protection& protection, const Candidate& candidate, const Person& person);

/// Names what is deployed: whoever approves this approves this only. SHA-256 of all parts, each with its
/// length.
std::string fingerprint_of(const std::vector<std::string>& parts);

}  // namespace runner::deployments
