#include "runner/api/deployment_shapes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runner/api/refusal.h"
#include "runner/api/shapes.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

using storage::DeploymentRecord;
using storage::EnvironmentRecord;

/// Stored texts that are to be JSON: an answer must be JSON as a whole, whatever the database holds.
std::string object_or_empty(const std::string& json) {
  const auto value = nlohmann::json::parse(json, nullptr, false);
  return value.is_object() ? value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) : "{}";
}

/// Without what is for the server alone.
std::string plan_json(const std::string& json) {
  auto plan = nlohmann::json::parse(json, nullptr, false);
  if (!plan.is_object()) return "{}";
  for (const char* own : {"attempt", "journal", "inputs"}) plan.erase(own);
  if (plan.contains("commit_authors") && plan["commit_authors"].empty()) plan.erase("commit_authors");
  return plan.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// What the jobs before it gave it; null when its plan does not say.
nlohmann::json inputs_of(const DeploymentRecord& deployment) {
  const auto plan = nlohmann::json::parse(deployment.plan, nullptr, false);
  return plan.is_object() && plan.contains("inputs") ? plan["inputs"] : nlohmann::json();
}

bool waits(const DeploymentRecord& deployment) {
  const auto& states = deployments::waiting_states();
  return std::find(states.begin(), states.end(), deployment.state) != states.end();
}

std::string rule_json(const deployments::RuleStanding& rule) {
  std::vector<std::string> who;
  for (const deployments::Who& one : rule.who) who.push_back(to_string(one));
  JsonObject json;
  json.text("name", rule.name)
      .number("wanted", rule.wanted)
      .texts("approved_by", rule.approved_by)
      .texts("who", who)
      .flag("met", rule.met());
  return std::move(json).take();
}

/// Rules are those of today: of what has begun or ended only the decisions tell something.
std::string approvals_json(storage::Tx& tx, const deployments::GateView& view) {
  std::vector<std::string> rules, decisions, void_ones;
  if (waits(view.deployment)) {
    for (const auto& rule : view.approvals.rules) rules.push_back(rule_json(rule));
    void_ones = view.approvals.void_ones;
  }
  for (const storage::ApprovalRecord& one : storage::Approvals(tx).of(view.deployment.id)) {
    JsonObject decision;
    decision.text("person", one.person)
        .text("decision", one.decision)
        .text("comment", one.comment)
        .time("at", one.at)
        .text("method", one.method);
    decisions.push_back(std::move(decision).take());
  }
  JsonObject json;
  json.raw("rules", json_list(rules)).texts("void", void_ones).raw("decisions", json_list(decisions));
  return std::move(json).take();
}

}  // namespace

std::string current_json(storage::Tx& tx, const EnvironmentRecord& environment) {
  const auto current =
      environment.current ? storage::Deployments(tx).find(*environment.current) : std::nullopt;
  if (!current) return "null";
  JsonObject json;
  json.number("id", current->id)
      .number("number", current->number)
      .text("ref", current->ref)
      .text("sha", current->sha)
      .text("release", current->release)
      .text("triggered_by", current->triggered_by)
      .time("since", current->finished_at);
  return std::move(json).take();
}

std::string environment_json(storage::Tx& tx, const EnvironmentRecord& environment) {
  const auto waiting = storage::Deployments(tx).in_states(environment.id, deployments::waiting_states());
  JsonObject json;
  json.text("project", environment.project)
      .text("name", environment.name)
      .raw("protection", object_or_empty(environment.protection))
      .number("version", environment.version)
      .raw("current", current_json(tx, environment))
      .number("holder", environment.holder)
      .number("waiting", static_cast<std::int64_t>(waiting.size()))
      .time("created_at", environment.created_at);
  return std::move(json).take();
}

JsonObject deployment_object(const EnvironmentRecord& environment, const DeploymentRecord& deployment) {
  JsonObject json;
  json.number("id", deployment.id)
      .text("project", environment.project)
      .text("environment", environment.name)
      .number("number", deployment.number)
      .text("kind", deployment.kind)
      .text("state", deployment.state)
      .time("state_since", deployment.state_since)
      .number("pipeline", deployment.pipeline)
      .text("job", deployment.job)
      .text("ref", deployment.ref)
      .text("sha", deployment.sha)
      .text("triggered_by", deployment.triggered_by)
      .text("release", deployment.release)
      .text("reason", deployment.reason)
      .text("forced", deployment.forced)
      .time("created_at", deployment.created_at)
      .time("finished_at", deployment.finished_at);
  return json;
}

/// Where else of the project the same commit was deployed, of each place the last time: whoever approves
/// wants to know how it did there.
std::string elsewhere_json(storage::Tx& tx, const EnvironmentRecord& here,
                           const DeploymentRecord& deployment) {
  constexpr std::size_t kLooked = 50;
  const std::string& sha = deployment.sha;
  const nlohmann::json inputs = inputs_of(deployment);
  std::vector<std::string> items;
  for (const EnvironmentRecord& other : storage::Environments(tx).of_project(here.project)) {
    if (other.id == here.id || sha.empty()) continue;
    const auto all = storage::Deployments(tx).of_environment(other.id, 0, kLooked);
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.sha == sha; });
    if (found == all.end()) continue;
    const nlohmann::json theirs = inputs_of(*found);
    JsonObject one;
    if (inputs.is_null() || theirs.is_null())
      one.raw("same_inputs", "null");
    else
      one.flag("same_inputs", inputs == theirs);
    one.number("id", found->id)
        .text("environment", other.name)
        .text("state", found->state)
        .time("state_since", found->state_since)
        .text("release", found->release)
        .flag("current", other.current == found->id);
    items.push_back(std::move(one).take());
  }
  return json_list(items);
}

std::string steps_json(storage::Tx& tx, std::int64_t deployment) {
  std::vector<storage::StepRecord> steps = storage::DeploymentSteps(tx).of(deployment);
  std::stable_sort(steps.begin(), steps.end(),
                   [](const auto& a, const auto& b) { return a.begun_at < b.begun_at; });
  std::vector<std::string> items;
  items.reserve(steps.size());
  for (const storage::StepRecord& step : steps) {
    JsonObject one;
    one.text("part", step.part)
        .number("n", step.n)
        .text("unit", step.unit)
        .text("slot", step.slot)
        .text("action", step.action)
        .number("attempt", step.attempt)
        .text("result", step.result)
        .text("message", step.message)
        .time("begun_at", step.begun_at)
        .time("done_at", step.done_at);
    items.push_back(std::move(one).take());
  }
  return json_list(items);
}

std::string deployment_json(const Context& context, storage::Tx& tx, const deployments::GateView& view) {
  const DeploymentRecord& deployment = view.deployment;
  const auto environment = storage::Environments(tx).find(deployment.environment);
  if (!environment) refuse_missing("deployment " + std::to_string(deployment.id));
  std::optional<TimePoint> frozen;
  if (waits(deployment))
    frozen = deployments::frozen_until(deployments::parse_protection(environment->protection).freeze,
                                       context.parts.clock.now());
  JsonObject json = deployment_object(*environment, deployment);
  json.time("expires_at", deployment.expires_at)
      .time("opens_at", waits(deployment) ? view.opens_at : std::nullopt)
      .time("frozen_until", frozen)
      .number("base", deployment.base)
      .text("fingerprint", deployment.fingerprint)
      .raw("current", current_json(tx, *environment))
      .raw("approvals", approvals_json(tx, view))
      .raw("elsewhere", elsewhere_json(tx, *environment, deployment))
      .raw("inputs", inputs_of(deployment).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
      .raw("steps", steps_json(tx, deployment.id))
      .raw("plan", plan_json(deployment.plan));
  return std::move(json).take();
}

EnvironmentRecord get_environment(storage::Tx& tx, const Call& call) {
  const auto project = get_project(tx, call.request.parameters.at("name"));
  const std::string& name = call.request.parameters.at("environment");
  auto environment = storage::Environments(tx).find(project.name, name);
  if (!environment)
    refuse_missing("environment " + in_quotes(to_utf8(name)) + " of project " + in_quotes(project.name));
  return *std::move(environment);
}

}  // namespace runner::api
