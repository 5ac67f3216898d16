#include "deployments/gate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using nlohmann::json;
using storage::DeploymentRecord;
using storage::Deployments;
using storage::EnvironmentRecord;
using storage::Environments;
using storage::Tx;

std::string missing_text(const ApprovalStanding& approvals) {
  std::string text;
  for (const RuleStanding& rule : approvals.rules) {
    if (rule.met()) continue;
    std::vector<std::string> who;
    for (const Who& one : rule.who) who.push_back(to_string(one));
    text += (text.empty() ? "waits for " : ", ") +
            format_count(static_cast<std::uint64_t>(rule.wanted) - rule.approved_by.size(), "approval") +
            " of '" + rule.name + "' (" + join(who, ", ") + ")";
  }
  return text;
}

bool same_pipeline(const DeploymentRecord& a, const DeploymentRecord& b) {
  return a.pipeline && a.pipeline == b.pipeline;
}

/// The one with the highest number that has succeeded; number 0: none.
DeploymentRecord newest_done(Tx& tx, std::int64_t environment) {
  DeploymentRecord newest;
  for (DeploymentRecord& done :
       Deployments(tx).in_states(environment, {std::string(to_string(State::succeeded))}))
    if (done.kind != "rollback" && done.number > newest.number) newest = std::move(done);
  return newest;
}

std::string deployers_text(const Protection& protection) {
  std::vector<std::string> who;
  for (const Who& one : protection.deployers) who.push_back(to_string(one));
  return join(who, ", ");
}

bool may_start_by_itself(const Protection& protection, const DeploymentRecord& deployment) {
  const bool by_hand =
      protection.queue == QueueMode::manual || (protection.start_by_hand && protection.needs_approval());
  return !by_hand || deployment.request == "start" || !deployment.forced.empty();
}

}  // namespace

Candidate candidate_of(const DeploymentRecord& deployment) {
  const json plan = json::parse(deployment.plan, nullptr, false);
  std::set<std::string> authors;
  if (plan.is_object() && plan.contains("commit_authors") && plan["commit_authors"].is_array())
    for (const json& author : plan["commit_authors"])
      if (author.is_string()) authors.insert(author.get<std::string>());
  return {deployment.triggered_by, std::move(authors), deployment.fingerprint, deployment.kind == "rollback"};
}

Gate::Gate(storage::Store& store, const Clock& clock, LookUp look_up, OnChange on_change)
    : store_(store), clock_(clock), look_up_(std::move(look_up)), on_change_(std::move(on_change)) {}

void Gate::move(Tx& tx, DeploymentRecord& deployment, State next, const std::string& why) const {
  const State now = state_of(deployment);
  if (now == next && deployment.reason == why) return;
  if (now != next) {
    if (!may_follow(now, next))
      throw Error(ErrorCode::internal,
                  "a deployment cannot go from " + deployment.state + " to " + std::string(to_string(next)));
    deployment.state = to_string(next);
    deployment.state_since = clock_.now();
  }
  deployment.reason = why;
  if (is_end(next)) {
    deployment.finished_at = clock_.now();
    deployment.request.clear();
  }
  if (!Deployments(tx).replace(deployment))
    throw Error(ErrorCode::internal, "a deployment was changed within its own transaction");
  if (on_change_) on_change_(tx, deployment);
}

DeploymentRecord Gate::add(const NewDeployment& wanted) {
  DeploymentRecord deployment;
  store_.write([&](Tx& tx) {
    deployment = insert(tx, Environments(tx).of(wanted.project, wanted.environment, clock_.now()), wanted);
  });
  return deployment;
}

LookUp Gate::who_in(const EnvironmentRecord& environment) const {
  return [this, project = environment.project,
          name = environment.name](const std::string& who) -> std::optional<Person> {
    const auto person = look_up_(who);
    return person ? std::optional(person->in(project, name)) : std::nullopt;
  };
}

DeploymentRecord Gate::insert(Tx& tx, const EnvironmentRecord& environment,
                              const NewDeployment& wanted) const {
  const Protection protection = parse_protection(environment.protection);
  json plan = json::parse(wanted.plan.empty() ? "{}" : wanted.plan);
  plan["commit_authors"] = wanted.commit_authors;
  DeploymentRecord deployment;
  deployment.environment = environment.id;
  deployment.kind = wanted.kind;
  deployment.state = to_string(State::planned);
  deployment.state_since = deployment.created_at = clock_.now();
  deployment.pipeline = wanted.pipeline;
  deployment.job = wanted.job;
  deployment.ref = wanted.ref;
  deployment.sha = wanted.sha;
  deployment.triggered_by = wanted.triggered_by;
  deployment.release = wanted.release;
  deployment.plan = plan.dump();
  deployment.base = environment.current;
  std::vector<std::string> parts = wanted.fingerprint;
  parts.push_back(wanted.release);
  parts.push_back(environment.current ? std::to_string(*environment.current) : "-");
  deployment.fingerprint = fingerprint_of(parts);
  if (protection.expires_after.count() > 0) deployment.expires_at = clock_.now() + protection.expires_after;
  deployment = Deployments(tx).insert(deployment);
  std::string refusal;
  if (!allows_ref(protection, wanted.ref))
    refusal = in_quotes(wanted.ref) + " may not be deployed to " + in_quotes(wanted.environment) +
              ": allowed are " + join(protection.refs, ", ");
  // Who may roll back was asked when it was asked for.
  const auto person = who_in(environment)(wanted.triggered_by);
  if (refusal.empty() && wanted.kind != "rollback" && !protection.deployers.empty() &&
      (!person || !matches(protection.deployers, *person)))
    refusal = (wanted.triggered_by.empty() ? "it is not known who started this, so it"
                                           : in_quotes(wanted.triggered_by)) +
              " may not deploy to " + in_quotes(wanted.environment) + ": " + deployers_text(protection) +
              " may";
  if (!refusal.empty())
    move(tx, deployment, State::failed, refusal);
  else if (on_change_)
    on_change_(tx, deployment);
  return deployment;
}

Gate::Turn Gate::turn_of(Tx& tx, const Protection& protection, const DeploymentRecord& deployment,
                         const DeploymentRecord& newest) const {
  const TimePoint now = clock_.now();
  Turn turn;
  if (protection.refuse_older && deployment.kind != "rollback" && deployment.number < newest.number &&
      !same_pipeline(deployment, newest)) {
    turn.state = State::superseded;
    turn.why = "deployment " + std::to_string(newest.number) + ", which is newer, runs there";
    return turn;
  }
  const auto environment = Environments(tx).find(deployment.environment);
  if (!environment) throw Error(ErrorCode::corrupt, "a deployment without its environment");
  turn.approvals = count_approvals(protection, candidate_of(deployment),
                                   storage::Approvals(tx).of(deployment.id), who_in(*environment), now);
  if (turn.approvals.rejected) {
    turn.state = State::rejected;
    turn.why = "rejected by " + turn.approvals.rejected_by +
               (turn.approvals.comment.empty() ? "" : ": " + turn.approvals.comment);
    return turn;
  }
  if (deployment.expires_at && now >= *deployment.expires_at) {
    turn.state = State::expired;
    turn.why = "nobody started it in time";
    return turn;
  }
  turn.wake = deployment.expires_at;
  const auto wake_at = [&](TimePoint time) { turn.wake = turn.wake ? std::min(*turn.wake, time) : time; };
  if (!deployment.forced.empty()) {
    turn.why = "protection passed over by " + deployment.forced;
    return turn;
  }
  if (!turn.approvals.complete()) {
    turn.state = State::waiting_approval;
    turn.why = missing_text(turn.approvals);
    return turn;
  }
  if (turn.approvals.complete_since) {
    if (protection.reapprove_after.count() > 0)
      wake_at(*turn.approvals.complete_since + protection.reapprove_after + std::chrono::milliseconds(1));
    if (const TimePoint begin = *turn.approvals.complete_since + protection.wait; begin > now) {
      turn.state = State::waiting_window;
      turn.why = "waits until " + format_iso8601(begin);
      wake_at(begin);
      turn.opens = begin;
      return turn;
    }
  }
  if (const auto opens = frozen_until(protection.freeze, now)) {
    turn.state = State::waiting_window;
    turn.why = "frozen until " + format_iso8601(*opens);
    wake_at(*opens);
    turn.opens = opens;
    return turn;
  }
  if (!may_start_by_itself(protection, deployment)) turn.why = "waits for a person to start it";
  return turn;
}

std::optional<DeploymentRecord> Gate::advance(std::int64_t id) {
  std::optional<DeploymentRecord> locked;
  store_.write([&](Tx& tx) {
    locked.reset();
    const auto environment = Environments(tx).find(id);
    if (!environment) throw Error(ErrorCode::not_found, "there is no environment " + std::to_string(id));
    const Protection protection = parse_protection(environment->protection);
    std::vector<DeploymentRecord> waiting = Deployments(tx).in_states(id, waiting_states());
    const DeploymentRecord newest = newest_done(tx, id);
    const auto current = environment->current ? Deployments(tx).find(*environment->current) : std::nullopt;
    std::vector<DeploymentRecord*> ready;
    for (DeploymentRecord& deployment : waiting) {
      if (deployment.base != environment->current && !(current && same_pipeline(deployment, *current))) {
        // Approvals were for the way from what ran then: they are asked for anew.
        deployment.base = environment->current;
        deployment.fingerprint = fingerprint_of(
            {deployment.fingerprint, environment->current ? std::to_string(*environment->current) : "-"});
        if (!Deployments(tx).replace(deployment))
          throw Error(ErrorCode::internal, "a deployment was changed within its own transaction");
        if (on_change_) on_change_(tx, deployment);
      }
      const Turn turn = turn_of(tx, protection, deployment, newest);
      const State now = state_of(deployment);
      if (now == State::planned || now != turn.state || deployment.reason != turn.why)
        move(tx, deployment, turn.state, turn.why);
      if (turn.state == State::queued && may_start_by_itself(protection, deployment))
        ready.push_back(&deployment);
    }
    if (ready.empty() || environment->holder) return;
    const bool newest_first = protection.queue == QueueMode::latest;
    DeploymentRecord* next = newest_first ? ready.back() : ready.front();
    for (DeploymentRecord* deployment : ready)
      if (same_pipeline(*deployment, *next) && deployment->number < next->number) next = deployment;
    // A rollback is a person's answer to what happens now: it does not wait behind anything.
    for (DeploymentRecord* deployment : ready)
      if (deployment->kind == "rollback") next = deployment;
    // What a pipeline deploys in several jobs belongs together: none of it takes another's place.
    if (newest_first && next->kind != "rollback")
      for (DeploymentRecord* older : ready)
        if (older != next && older->kind != "rollback" && !same_pipeline(*older, *next))
          move(tx, *older, State::superseded,
               "deployment " + std::to_string(next->number) + " is newer and goes in its place");
    next->fence = Environments(tx).lock(id, next->id).value();
    next->locked_at = clock_.now();
    next->request.clear();
    move(tx, *next, State::locked, {});
    locked = *next;
  });
  return locked;
}

std::optional<TimePoint> Gate::next_wake(std::int64_t id) const {
  std::optional<TimePoint> wake;
  store_.read([&](Tx& tx) {
    wake.reset();
    const auto environment = Environments(tx).find(id);
    if (!environment) return;
    const Protection protection = parse_protection(environment->protection);
    const DeploymentRecord newest = newest_done(tx, id);
    for (const DeploymentRecord& deployment : Deployments(tx).in_states(id, waiting_states())) {
      const Turn turn = turn_of(tx, protection, deployment, newest);
      if (turn.wake && (!wake || *turn.wake < *wake)) wake = turn.wake;
    }
  });
  return wake;
}

std::optional<GateView> Gate::view(std::int64_t id) const {
  std::optional<GateView> view;
  store_.read([&](Tx& tx) {
    view.reset();
    const auto deployment = Deployments(tx).find(id);
    if (!deployment) return;
    const auto environment = Environments(tx).find(deployment->environment);
    if (!environment) return;
    const Protection protection = parse_protection(environment->protection);
    Turn turn = turn_of(tx, protection, *deployment, newest_done(tx, environment->id));
    view = GateView{*deployment, std::move(turn.approvals), turn.opens, deployment->reason};
  });
  return view;
}

}  // namespace runner::deployments
