// What a deployment is going to do, and what it brings that is not there yet: for who is to agree to it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "deployments/gate.h"
#include "deployments/outline.h"
#include "deployments/people.h"
#include "runner/api/access.h"
#include "runner/api/deployment_diff.h"
#include "runner/api/deployment_shapes.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

using deployments::Snapshot;
using storage::DeploymentRecord;
using storage::EnvironmentRecord;

/// A deployment with all that its sheets speak of.
struct Subject {
  DeploymentRecord deployment;
  EnvironmentRecord environment;
  storage::ProjectRecord project;
  /// What runs there, or ran there when it began.
  std::optional<DeploymentRecord> base;
};

bool waits(const DeploymentRecord& deployment) {
  const auto& states = deployments::waiting_states();
  return std::find(states.begin(), states.end(), deployment.state) != states.end();
}

bool ended_well(const DeploymentRecord& deployment) {
  return deployments::state_of(deployment) == deployments::State::succeeded;
}

Subject subject_of(storage::Tx& tx, std::int64_t id) {
  Subject subject;
  const auto deployment = storage::Deployments(tx).find(id);
  const auto environment =
      deployment ? storage::Environments(tx).find(deployment->environment) : std::nullopt;
  if (!environment) refuse_missing("deployment " + std::to_string(id));
  subject.deployment = *deployment;
  subject.environment = *environment;
  subject.project = get_project(tx, environment->project);
  const auto base = waits(*deployment) ? environment->current : deployment->base;
  if (base) subject.base = storage::Deployments(tx).find(*base);
  return subject;
}

/// Which release is taken for the one that runs there, and how that is known.
struct Before {
  Snapshot snapshot;
  const char* known_by = "nothing";
};

/// Several jobs may deploy to one environment, each to units of its own: of each the newest counts.
Snapshot left_behind(storage::Tx& tx, const DeploymentRecord& newest) {
  constexpr std::size_t kLooked = 20;
  Snapshot all;
  for (const DeploymentRecord& one :
       storage::Deployments(tx).of_environment(newest.environment, newest.number + 1, kLooked)) {
    if (!ended_well(one)) continue;
    Snapshot left = deployments::left_by(one, storage::DeploymentSteps(tx).of(one.id));
    for (auto& [unit, slots] : left.units) {
      if (!all.units.try_emplace(unit, std::move(slots)).second) continue;
      for (const auto& [place, server] : left.servers)
        if (place.unit == unit) all.servers[place] = server;
    }
  }
  return all;
}

Before before_of(storage::Tx& tx, const Subject& subject) {
  Before before;
  if (!subject.deployment.snapshot.empty()) {
    before.snapshot = deployments::parse_snapshot(subject.deployment.snapshot);
    before.known_by = "seen";
  } else if (subject.base) {
    before.snapshot = left_behind(tx, *subject.base);
    before.known_by = before.snapshot.units.empty() ? "unknown" : "deployment";
  }
  return before;
}

std::string before_json(const Subject& subject, const Before& before) {
  JsonObject json;
  json.text("known_by", before.known_by)
      .number("deployment", subject.base ? std::optional(subject.base->id) : std::nullopt);
  return std::move(json).take();
}

/// Who agreed to something else than what it is now.
std::string approvals_json(storage::Tx& tx, const DeploymentRecord& deployment,
                           const std::vector<std::string>& void_ones) {
  std::vector<std::string> people;
  for (const storage::ApprovalRecord& one : storage::Approvals(tx).of(deployment.id))
    if (one.decision == "approve" && one.fingerprint != deployment.fingerprint) people.push_back(one.person);
  JsonObject json;
  json.flag("changed_since", !people.empty()).texts("of_something_else", people).texts("void", void_ones);
  return std::move(json).take();
}

/// The last one before it of another release that ended well.
std::optional<DeploymentRecord> one_before(storage::Tx& tx, const DeploymentRecord& current) {
  std::int64_t before = current.number;
  while (before > 1) {
    const auto page = storage::Deployments(tx).of_environment(current.environment, before);
    for (const DeploymentRecord& one : page)
      if (ended_well(one) && one.release != current.release) return one;
    if (page.empty()) break;
    before = page.back().number;
  }
  return std::nullopt;
}

std::optional<DeploymentRecord> current_of(storage::Tx& tx, const EnvironmentRecord& environment) {
  return environment.current ? storage::Deployments(tx).find(*environment.current) : std::nullopt;
}

const char* worker_of(const std::optional<DeploymentWork>& work) {
  if (!work) return "unknown";
  return work->block.empty() ? "script" : "deploy";
}

}  // namespace

http::Response show_deployment_plan(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "deployment");
  const deployments::Gate gate(context.parts.store, context.parts.clock,
                               deployments::people_now(context.parts.store));
  const auto view = gate.view(id);
  if (!view) refuse_missing("deployment " + std::to_string(id));
  Subject subject;
  Before before;
  std::string approvals;
  context.parts.store.read([&](storage::Tx& tx) {
    subject = subject_of(tx, id);
    before = before_of(tx, subject);
    approvals =
        approvals_json(tx, subject.deployment,
                       waits(subject.deployment) ? view->approvals.void_ones : std::vector<std::string>());
  });
  const auto work = context.parts.actions.deployment_work(subject.deployment, before.snapshot);
  JsonObject json = deployment_object(subject.environment, subject.deployment);
  json.text("fingerprint", subject.deployment.fingerprint)
      .text("carried_out_by", worker_of(work))
      .text("why", work ? work->why : "the plan of its pipeline is not there any more")
      .texts("script", work ? work->script : std::vector<std::string>())
      .raw("outline", work && !work->outline.empty() ? work->outline : "null")
      .raw("before", before_json(subject, before))
      .raw("approvals", approvals);
  return json_response(200, std::move(json).take());
}

http::Response show_deployment_diff(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "deployment");
  Subject subject;
  std::string base, candidate, variables;
  context.parts.store.read([&](storage::Tx& tx) {
    subject = subject_of(tx, id);
    base = point_json(tx, subject.base);
    candidate = point_json(tx, subject.deployment);
    variables = subject.base ? variables_diff_json(tx, context.parts.sealer, subject.project,
                                                   subject.environment, *subject.base)
                             : "null";
  });
  Actions& actions = context.parts.actions;
  std::string block = "null", inputs = "null";
  if (subject.base) {
    const auto then = actions.deployment_work(*subject.base, {});
    const auto now = actions.deployment_work(subject.deployment, {});
    block = block_diff_json(then ? then->block : "", now ? now->block : "");
    inputs = inputs_diff_json(*subject.base, subject.deployment);
  }
  JsonObject json;
  json.text("project", subject.project.name)
      .text("environment", subject.environment.name)
      .raw("base", base)
      .raw("candidate", candidate)
      .raw("commits", commits_json(actions, subject.project, subject.base, subject.deployment))
      .raw("block", block)
      .raw("inputs", inputs)
      .raw("variables", variables);
  return json_response(200, std::move(json).take());
}

http::Response compare_environments(Context& context, const Call& call) {
  const std::string* other = call.request.query_value("other");
  storage::ProjectRecord project;
  EnvironmentRecord environment;
  std::optional<DeploymentRecord> has, lacks;
  std::string has_text, lacks_text;
  context.parts.store.read([&](storage::Tx& tx) {
    environment = get_environment(tx, call);
    project = get_project(tx, environment.project);
    has = current_of(tx, environment);
    lacks.reset();
    if (other != nullptr) {
      check_permission(call.caller, storage::Permission::monitor, project.name, *other);
      const auto found = storage::Environments(tx).find(project.name, *other);
      if (!found)
        refuse_missing("environment " + in_quotes(to_utf8(*other)) + " of project " +
                       in_quotes(project.name));
      lacks = current_of(tx, *found);
    } else if (has) {
      lacks = one_before(tx, *has);
    }
    has_text = point_json(tx, has);
    lacks_text = point_json(tx, lacks);
  });
  JsonObject json;
  json.text("project", project.name)
      .text("environment", environment.name)
      .text_or_null("other", other == nullptr ? std::nullopt : std::optional(*other))
      .raw("has", has_text)
      .raw("has_not", lacks_text)
      .raw("commits", has ? commits_json(context.parts.actions, project, lacks, *has) : "null")
      .raw("inputs", has && lacks ? inputs_diff_json(*lacks, *has) : "null");
  return json_response(200, std::move(json).take());
}

}  // namespace runner::api
