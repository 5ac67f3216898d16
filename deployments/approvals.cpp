#include "deployments/approvals.h"

#include <algorithm>
#include <numeric>

#include "runner/base/digest.h"

namespace runner::deployments {
namespace {

std::vector<ApprovalRule> rules_for(const Protection& protection, bool is_rollback) {
  if (!is_rollback) return protection.rules;
  if (protection.rollback_approvals <= 0) return {};
  // Anyone whom a rule names.
  ApprovalRule any{"rollback", protection.rollback_approvals, {}};
  for (const ApprovalRule& rule : protection.rules)
    any.who.insert(any.who.end(), rule.who.begin(), rule.who.end());
  return {any};
}

/// People to seats of rules, as many seats as can be filled: augmenting paths (Kuhn).
class Seats {
 public:
  Seats(const std::vector<ApprovalRule>& rules, const std::vector<Person>& people)
      : rules_(rules), people_(people) {
    for (std::size_t rule = 0; rule < rules.size(); ++rule)
      for (int seat = 0; seat < rules[rule].count; ++seat) seats_.push_back({rule, std::nullopt});
  }

  void seat_all() {
    for (std::size_t person = 0; person < people_.size(); ++person) {
      std::vector<bool> tried(seats_.size(), false);
      place(person, tried);
    }
  }

  std::vector<std::size_t> of_rule(std::size_t rule) const {
    std::vector<std::size_t> found;
    for (const Seat& seat : seats_)
      if (seat.rule == rule && seat.person) found.push_back(*seat.person);
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  struct Seat {
    std::size_t rule;
    std::optional<std::size_t> person;
  };

  bool place(std::size_t person, std::vector<bool>& tried) {
    for (std::size_t at = 0; at < seats_.size(); ++at) {
      if (tried[at] || !matches(rules_[seats_[at].rule].who, people_[person])) continue;
      tried[at] = true;
      if (!seats_[at].person || place(*seats_[at].person, tried)) {
        seats_[at].person = person;
        return true;
      }
    }
    return false;
  }

  const std::vector<ApprovalRule>& rules_;
  const std::vector<Person>& people_;
  std::vector<Seat> seats_;
};

}  // namespace

bool ApprovalStanding::complete() const {
  return !rejected && std::all_of(rules.begin(), rules.end(), [](const auto& rule) { return rule.met(); });
}

std::string approval_problem(const Protection& protection, const Candidate& candidate, const Person& person) {
  if (!person.enabled) return "the account is disabled";
  if (!protection.self_approval && person.name == candidate.triggered_by)
    return "whoever started a deployment does not approve it";
  if (protection.exclude_commit_authors &&
      std::any_of(person.mails.begin(), person.mails.end(),
                  [&](const std::string& mail) { return candidate.commit_authors.count(mail) > 0; }))
    return "authors of what is new in a deployment do not approve it";
  const std::vector<ApprovalRule> rules = rules_for(protection, candidate.is_rollback);
  if (std::none_of(rules.begin(), rules.end(), [&](const auto& rule) { return matches(rule.who, person); }))
    return "no approval rule of the environment names " + person.name;
  return {};
}

ApprovalStanding count_approvals(const Protection& protection, const Candidate& candidate,
                                 const std::vector<storage::ApprovalRecord>& approvals, const LookUp& look_up,
                                 TimePoint now) {
  ApprovalStanding standing;
  const std::vector<ApprovalRule> rules = rules_for(protection, candidate.is_rollback);
  std::vector<Person> people;
  std::vector<TimePoint> times;
  for (const storage::ApprovalRecord& approval : approvals) {
    const auto void_for = [&](const std::string& why) {
      standing.void_ones.push_back(approval.person + ": " + why);
    };
    if (approval.fingerprint != candidate.fingerprint) {
      void_for("of something else than what is to be deployed now");
      continue;
    }
    const auto person = look_up(approval.person);
    if (!person) {
      void_for("there is no such user any more");
      continue;
    }
    if (const std::string problem = approval_problem(protection, candidate, *person); !problem.empty()) {
      void_for(problem);
      continue;
    }
    if (approval.decision == "reject") {
      standing.rejected = true;
      standing.rejected_by = approval.person;
      standing.comment = approval.comment;
      continue;
    }
    if (protection.reapprove_after.count() > 0 && now - approval.at > protection.reapprove_after) {
      void_for("too long ago");
      continue;
    }
    people.push_back(*person);
    times.push_back(approval.at);
  }
  Seats seats(rules, people);
  seats.seat_all();
  TimePoint last{};
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    RuleStanding one{rules[rule].name, rules[rule].count, {}, rules[rule].who};
    for (const std::size_t person : seats.of_rule(rule)) {
      one.approved_by.push_back(people[person].name);
      last = std::max(last, times[person]);
    }
    standing.rules.push_back(std::move(one));
  }
  if (standing.complete() && !rules.empty()) standing.complete_since = last;
  return standing;
}

std::string fingerprint_of(const std::vector<std::string>& parts) {
  Sha256 digest;
  for (const std::string& part : parts) {
    digest.update(std::to_string(part.size()) + ":");
    digest.update(part);
  }
  return digest.finish_hex();
}

}  // namespace runner::deployments
