// What people say about a deployment that has begun, and about what runs in an environment.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "deployments/gate.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using Kind = GateAnswer::Kind;
using nlohmann::json;
using storage::DeploymentRecord;
using storage::Deployments;
using storage::EnvironmentRecord;
using storage::Environments;
using storage::Tx;

/// Whoever is named for it; else whoever has the permission, or may deploy there when it is protected by
/// nobody.
bool may_roll_back(const Protection& protection, const Person& person) {
  if (!protection.rollback.empty()) return matches(protection.rollback, person);
  if (person.permissions.count("rollback") > 0) return true;
  return protection.deployers.empty() ? !protection.needs_approval() : matches(protection.deployers, person);
}

/// "" when it may be followed in this state, else why not.
std::string objection_to(const std::string& request, State state) {
  const bool goes_on = request == "resume" || request == "promote";
  if (goes_on && state != State::paused) return "it is not paused";
  if (request == "pause" && (state < State::locked || state > State::progressing))
    return "it can be paused until all traffic is switched";
  if (request == "abort" && state == State::finalizing) return "there is no way back any more: roll it back";
  if (request == "abort" && state == State::rolling_back) return "it is on its way back already";
  return {};
}

}  // namespace

GateAnswer Gate::ask(std::int64_t id, const Person& person, const std::string& request) {
  return change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection& protection) -> GateAnswer {
    const State state = state_of(deployment);
    const std::string named = "deployment " + std::to_string(id) + " is " + deployment.state;
    if (!is_effectful(state)) return {Kind::not_possible, named};
    const bool may_deploy = protection.deployers.empty() || matches(protection.deployers, person);
    const bool is_others = request == "abort" && deployment.triggered_by != person.name;
    if (is_others && !may_roll_back(protection, person))
      return {Kind::not_permitted, person.name + " may not end what " + in_quotes(deployment.triggered_by) +
                                       " started: that needs the permission 'rollback' in this environment"};
    if (!is_others && !may_deploy && !(request == "abort" && may_roll_back(protection, person)))
      return {Kind::not_permitted, person.name + " may not deploy to this environment"};
    if (!has_journal(deployment))
      return {Kind::not_possible,
              "deployment " + std::to_string(id) + " is carried out by the script of its job: cancel that"};
    if (std::string why = objection_to(request, state); !why.empty())
      return {Kind::not_possible, named + ": " + why};
    deployment.request = request;
    if (!Deployments(tx).replace(deployment))
      throw Error(ErrorCode::internal, "a deployment was changed within its own transaction");
    if (on_change_) on_change_(tx, deployment);
    return {};
  });
}

GateAnswer Gate::resolve(std::int64_t id, const Person& person, const std::string& comment) {
  return change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection& protection) -> GateAnswer {
    if (state_of(deployment) != State::rollback_failed)
      return {Kind::not_possible, "deployment " + std::to_string(id) + " is " + deployment.state +
                                      ": there is nothing to resolve"};
    if (!may_roll_back(protection, person))
      return {Kind::not_permitted, person.name + " may not roll back in this environment"};
    if (trim(comment).empty())
      return {Kind::not_possible, "it needs a comment: what was done, and what runs now"};
    Environments(tx).unlock(deployment.environment, deployment.id);
    move(tx, deployment, State::resolved, "resolved by " + person.name + ": " + comment);
    return {};
  });
}

GateAnswer Gate::unlock(std::int64_t id, const Person& person, const std::string& reason,
                        std::int64_t& taken_from) {
  if (trim(reason).empty()) return {Kind::not_possible, "it needs a reason, which stays with it"};
  GateAnswer answer;
  store_.write([&](Tx& tx) {
    answer = {};
    const auto environment = Environments(tx).find(id);
    if (!environment) throw Error(ErrorCode::not_found, "there is no environment " + std::to_string(id));
    if (!environment->holder) {
      answer = {Kind::not_possible, "nobody has the environment " + in_quotes(environment->name)};
      return;
    }
    if (!may_roll_back(parse_protection(environment->protection), person)) {
      answer = {Kind::not_permitted, person.name + " may not roll back in this environment"};
      return;
    }
    DeploymentRecord holder = Deployments(tx).find(*environment->holder).value();
    taken_from = holder.id;
    // Whoever carries it out loses it with its next look, and on the targets with the next deployment.
    holder.fence = Environments(tx).lock(id, holder.id).value();
    Environments(tx).unlock(id, holder.id);
    const std::string why = "unlocked by " + person.name + ": " + reason;
    if (may_follow(state_of(holder), State::failed)) {
      move(tx, holder, State::failed, why);
    } else if (state_of(holder) == State::finalizing) {
      Environments(tx).set_current(id, holder.id);
      move(tx, holder, State::succeeded, why);
    } else {
      for (const State next : {State::rolling_back, State::rollback_failed, State::resolved})
        if (may_follow(state_of(holder), next)) move(tx, holder, next, why);
    }
  });
  return answer;
}

GateAnswer Gate::roll_back(std::int64_t id, std::int64_t to, const Person& person, DeploymentRecord& made) {
  GateAnswer answer;
  store_.write([&](Tx& tx) {
    answer = {};
    const auto environment = Environments(tx).find(id);
    if (!environment) throw Error(ErrorCode::not_found, "there is no environment " + std::to_string(id));
    const auto refuse = [&](Kind kind, std::string why) { answer = {kind, std::move(why)}; };
    if (!may_roll_back(parse_protection(environment->protection), person))
      return refuse(Kind::not_permitted, person.name + " may not roll back in this environment");
    const auto current = environment->current ? Deployments(tx).find(*environment->current) : std::nullopt;
    if (!current) return refuse(Kind::not_possible, "nothing was deployed there yet");
    std::optional<DeploymentRecord> goal;
    for (DeploymentRecord& done : Deployments(tx).in_states(id, {std::string(to_string(State::succeeded))})) {
      const bool fits =
          to != 0 ? done.number == to : done.number < current->number && done.release != current->release;
      if (fits && (!goal || done.number > goal->number)) goal = std::move(done);
    }
    if (!goal)
      return refuse(Kind::not_possible,
                    to != 0 ? "deployment number " + std::to_string(to) +
                                  " did not succeed there, or is not known; see `runner env history`"
                            : "no other release was there before");
    const auto job = goal->pipeline ? newest_attempt(tx, *goal->pipeline, goal->job) : std::nullopt;
    if (!job)
      return refuse(Kind::not_possible, "the pipeline of deployment number " + std::to_string(goal->number) +
                                            " was removed, and its release with it");
    if (!is_completed(job->status))
      return refuse(Kind::not_possible, "job " + in_quotes(goal->job) + " of pipeline " +
                                            std::to_string(*goal->pipeline) + " is not over: it is " +
                                            std::string(to_string(job->status)));
    json plan = json::parse(goal->plan, nullptr, false);
    plan["attempt"] = job->id;
    plan["rollback_to"] = goal->number;
    NewDeployment wanted;
    wanted.project = environment->project;
    wanted.environment = environment->name;
    wanted.kind = "rollback";
    wanted.pipeline = goal->pipeline;
    wanted.job = goal->job;
    wanted.ref = goal->ref;
    wanted.sha = goal->sha;
    wanted.triggered_by = person.name;
    wanted.release = goal->release;
    wanted.plan = plan.dump();
    wanted.fingerprint = {"rollback", goal->fingerprint};
    made = insert(tx, *environment, wanted);
  });
  return answer;
}

}  // namespace runner::deployments
