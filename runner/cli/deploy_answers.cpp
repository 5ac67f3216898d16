#include "runner/cli/deploy_answers.h"

#include <nlohmann/json.hpp>

#include "runner/cli/client_json.h"
#include "runner/cli/client_reader.h"

namespace runner::cli {
namespace {

using nlohmann::json;

/// For people, who know the keys; "" when there are none.
std::string lines_of(const json* value) {
  if (value == nullptr || !value->is_object() || value->empty()) return {};
  return value->dump(2, ' ', false, json::error_handler_t::replace);
}

std::optional<CurrentAnswer> current_of(const Reader& outer) {
  const json* value = outer.find("current");
  if (value == nullptr) return std::nullopt;
  const Reader reader(*value, "current deployment");
  CurrentAnswer out;
  reader.take("id", out.id);
  reader.take("ref", out.ref);
  reader.take("sha", out.sha);
  reader.take("release", out.release);
  reader.take("triggered_by", out.triggered_by);
  reader.take("since", out.since);
  return out;
}

EnvironmentAnswer environment_of(const json& value) {
  const Reader reader(value, "environment");
  EnvironmentAnswer out;
  reader.require("name");
  reader.take("project", out.project);
  reader.take("name", out.name);
  reader.take("version", out.version);
  reader.take("waiting", out.waiting);
  reader.take("holder", out.holder);
  out.protection = lines_of(reader.find("protection"));
  out.current = current_of(reader);
  return out;
}

void take_approvals(const json& value, DeploymentAnswer& out) {
  const Reader reader(value, "approvals");
  reader.for_each("rules", [&](const json& item) {
    const Reader rule(item, "approval rule");
    RuleAnswer& one = out.rules.emplace_back();
    rule.take("name", one.name);
    rule.take("wanted", one.wanted);
    rule.take("approved_by", one.approved_by);
    rule.take("who", one.who);
  });
  reader.take("void", out.void_ones);
  reader.for_each("decisions", [&](const json& item) {
    const Reader decision(item, "decision");
    DecisionAnswer& one = out.decisions.emplace_back();
    decision.take("person", one.person);
    decision.take("decision", one.decision);
    decision.take("comment", one.comment);
    decision.take("method", one.method);
    decision.take("at", one.at);
  });
}

void take_steps(const Reader& outer, DeploymentAnswer& out) {
  outer.for_each("steps", [&](const json& item) {
    const Reader step(item, "step");
    StepAnswer& one = out.steps.emplace_back();
    step.take("part", one.part);
    step.take("unit", one.unit);
    step.take("slot", one.slot);
    step.take("action", one.action);
    step.take("result", one.result);
    step.take("message", one.message);
  });
}

void take_elsewhere(const Reader& outer, DeploymentAnswer& out) {
  outer.for_each("elsewhere", [&](const json& item) {
    const Reader other(item, "deployment elsewhere");
    ElsewhereAnswer& one = out.elsewhere.emplace_back();
    other.take("environment", one.environment);
    other.take("state", one.state);
    other.take("state_since", one.since);
    other.take("current", one.current);
    if (other.find("same_inputs") != nullptr) other.take("same_inputs", one.same_inputs.emplace());
  });
}

void take_inputs(const Reader& outer, DeploymentAnswer& out) {
  outer.for_each("inputs", [&](const json& item) {
    const Reader input(item, "deployment input");
    InputAnswer& one = out.inputs.emplace_back();
    input.take("job", one.job);
    input.take("archive", one.archive);
    input.take("bytes", one.bytes);
    input.take("images", one.images);
  });
}

DeploymentAnswer deployment_of(const json& value) {
  const Reader reader(value, "deployment");
  DeploymentAnswer out;
  for (const char* name : {"id", "state"}) reader.require(name);
  reader.take("id", out.id);
  reader.take("number", out.number);
  reader.take("project", out.project);
  reader.take("environment", out.environment);
  reader.take("kind", out.kind);
  reader.take("state", out.state);
  reader.take("pipeline", out.pipeline);
  reader.take("job", out.job);
  reader.take("ref", out.ref);
  reader.take("sha", out.sha);
  reader.take("triggered_by", out.triggered_by);
  reader.take("release", out.release);
  reader.take("reason", out.reason);
  reader.take("forced", out.forced);
  reader.take("fingerprint", out.fingerprint);
  reader.take("state_since", out.state_since);
  reader.take("created_at", out.created_at);
  reader.take("finished_at", out.finished_at);
  reader.take("expires_at", out.expires_at);
  reader.take("opens_at", out.opens_at);
  reader.take("frozen_until", out.frozen_until);
  out.current = current_of(reader);
  out.plan = lines_of(reader.find("plan"));
  take_elsewhere(reader, out);
  take_inputs(reader, out);
  take_steps(reader, out);
  if (const json* approvals = reader.find("approvals")) take_approvals(*approvals, out);
  return out;
}

template <typename Read>
auto items_in(std::string_view text, const Read& read) {
  const json document = parse_answer(text);
  const Reader list(document, "list");
  list.require("items");
  std::vector<decltype(read(document))> out;
  list.for_each("items", [&](const json& item) { out.push_back(read(item)); });
  return out;
}

/// The request, with the protection that `change` has changed.
template <typename Change>
std::string changed_protection(std::string_view environment, const Change& change) {
  const json document = parse_answer(environment);
  const Reader reader(document, "environment");
  for (const char* name : {"protection", "version"}) reader.require(name);
  json protection = document["protection"];
  if (!protection.is_object()) throw_unreadable("the protection is no object");
  change(protection);
  const json request = {{"protection", protection}, {"version", document["version"]}};
  return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

EnvironmentAnswer read_environment(std::string_view text) {
  return environment_of(parse_answer(text));
}
DeploymentAnswer read_deployment(std::string_view text) {
  return deployment_of(parse_answer(text));
}
std::vector<EnvironmentAnswer> read_environments(std::string_view text) {
  return items_in(text, environment_of);
}
std::vector<DeploymentAnswer> read_deployments(std::string_view text) {
  return items_in(text, deployment_of);
}

std::string with_freeze(std::string_view environment, const std::string& from, const std::string& to,
                        const std::string& zone) {
  return changed_protection(environment, [&](json& protection) {
    json& windows = protection["freeze"];
    if (!windows.is_array()) windows = json::array();
    windows.push_back({{"from", from}, {"to", to}, {"tz", zone}});
  });
}

std::string without_freeze(std::string_view environment) {
  return changed_protection(environment, [](json& protection) { protection.erase("freeze"); });
}

}  // namespace runner::cli
