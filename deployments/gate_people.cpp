// What people do at the gate.

#include <algorithm>

#include "deployments/gate.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using Kind = GateAnswer::Kind;
using storage::DeploymentRecord;
using storage::Tx;

bool waits(const DeploymentRecord& deployment) {
  const auto& states = waiting_states();
  return std::find(states.begin(), states.end(), deployment.state) != states.end();
}

GateAnswer over(const DeploymentRecord& deployment) {
  return {Kind::not_possible, "deployment " + std::to_string(deployment.id) + " is " + deployment.state +
                                  (deployment.reason.empty() ? "" : " (" + deployment.reason + ")")};
}

}  // namespace

GateAnswer Gate::change(std::int64_t id,
                        const std::function<GateAnswer(Tx& tx, DeploymentRecord& deployment,
                                                       const Protection& protection)>& body) {
  GateAnswer answer;
  store_.write([&](Tx& tx) {
    auto deployment = storage::Deployments(tx).find(id);
    if (!deployment) {
      answer = {Kind::not_found, "there is no deployment " + std::to_string(id)};
      return;
    }
    const auto environment = storage::Environments(tx).find(deployment->environment);
    if (!environment) throw Error(ErrorCode::corrupt, "a deployment without its environment");
    answer = body(tx, *deployment, parse_protection(environment->protection));
  });
  return answer;
}

GateAnswer Gate::decide(std::int64_t id, const Person& person, const std::string& decision,
                        const std::string& comment, const std::string& method) {
  return change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection& protection) -> GateAnswer {
    if (!waits(deployment)) return over(deployment);
    if (!protection.needs_approval()) return {Kind::not_possible, "its environment asks for no approval"};
    const Candidate candidate = candidate_of(deployment);
    if (std::string problem = approval_problem(protection, candidate, person); !problem.empty())
      return {Kind::not_permitted, std::move(problem)};
    storage::Approvals(tx).put(
        {deployment.id, person.name, decision, deployment.fingerprint, comment, method, clock_.now()});
    if (decision == "reject")
      move(tx, deployment, State::rejected,
           "rejected by " + person.name + (comment.empty() ? "" : ": " + comment));
    else if (on_change_)
      on_change_(tx, deployment);
    return {};
  });
}

GateAnswer Gate::approve(std::int64_t deployment, const Person& person, const std::string& comment,
                         const std::string& method) {
  return decide(deployment, person, "approve", comment, method);
}

GateAnswer Gate::reject(std::int64_t deployment, const Person& person, const std::string& comment,
                        const std::string& method) {
  return decide(deployment, person, "reject", comment, method);
}

GateAnswer Gate::break_glass(std::int64_t id, const Person& person, const std::string& reason) {
  return change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection& protection) -> GateAnswer {
    if (!waits(deployment)) return over(deployment);
    if (!matches(protection.break_glass, person))
      return {Kind::not_permitted, person.name + " may not pass over the protection of this environment"};
    if (trim(reason).empty()) return {Kind::not_possible, "it needs a reason, which stays with it"};
    deployment.forced = person.name + ": " + reason;
    move(tx, deployment, State::queued, "protection passed over by " + deployment.forced);
    return {};
  });
}

GateAnswer Gate::start(std::int64_t id, const Person& person) {
  return change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection& protection) -> GateAnswer {
    if (!waits(deployment)) return over(deployment);
    if (!protection.deployers.empty() && !matches(protection.deployers, person))
      return {Kind::not_permitted, person.name + " may not deploy to this environment"};
    deployment.request = "start";
    if (!storage::Deployments(tx).replace(deployment))
      throw Error(ErrorCode::internal, "a deployment was changed within its own transaction");
    if (on_change_) on_change_(tx, deployment);
    return {};
  });
}

GateAnswer Gate::cancel(std::int64_t id, const Person& person) {
  return change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection&) -> GateAnswer {
    if (!waits(deployment)) return over(deployment);
    move(tx, deployment, State::canceled, "canceled by " + person.name);
    return {};
  });
}

void Gate::revise(std::int64_t id, const std::string& plan, const std::vector<std::string>& parts) {
  change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection&) -> GateAnswer {
    if (!waits(deployment)) return over(deployment);
    std::vector<std::string> all{"revised", deployment.fingerprint};
    all.insert(all.end(), parts.begin(), parts.end());
    deployment.fingerprint = fingerprint_of(all);
    deployment.plan = plan;
    if (!storage::Deployments(tx).replace(deployment))
      throw Error(ErrorCode::internal, "a deployment was changed within its own transaction");
    if (on_change_) on_change_(tx, deployment);
    return {};
  });
}

void Gate::give_up(std::int64_t id, const std::string& why) {
  change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection&) -> GateAnswer {
    if (!waits(deployment)) return over(deployment);
    move(tx, deployment, State::canceled, why);
    return {};
  });
}

void Gate::finish(std::int64_t id, bool succeeded, const std::string& why) {
  change(id, [&](Tx& tx, DeploymentRecord& deployment, const Protection&) -> GateAnswer {
    if (deployment.state != to_string(State::locked)) return over(deployment);
    storage::Environments environments(tx);
    if (succeeded) environments.set_current(deployment.environment, deployment.id);
    environments.unlock(deployment.environment, deployment.id);
    move(tx, deployment, succeeded ? State::succeeded : State::failed, why);
    return {};
  });
}

}  // namespace runner::deployments
