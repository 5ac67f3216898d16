// Deployments: where one stands, and what people say about one that waits. Who may say it is the gate's to
// decide, by the protection of the environment.
#include <cstdint>
#include <functional>

#include "deployments/gate.h"
#include "deployments/people.h"
#include "runner/api/change_events.h"
#include "runner/api/deployment_shapes.h"
#include "runner/api/json_input.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

using deployments::Gate;
using deployments::GateAnswer;
using deployments::Person;

constexpr std::size_t kMaxComment = 4'000;

/// Which environment it is about: one itself, or that of a deployment. nullopt: there is none.
using FindEnvironment = std::function<std::optional<storage::EnvironmentRecord>(storage::Tx& tx)>;

FindEnvironment environment_of_deployment(std::int64_t id) {
  return [id](storage::Tx& tx) {
    const auto deployment = storage::Deployments(tx).find(id);
    return deployment ? storage::Environments(tx).find(deployment->environment) : std::nullopt;
  };
}

/// Somebody with the rights there of the token that was shown, which may be less than those of its user.
Person person_of_caller(Context& context, const Caller& caller, const FindEnvironment& find) {
  Person person;
  context.parts.store.read([&](storage::Tx& tx) {
    person = {};
    person.name = caller.name;
    if (const auto user = caller.user ? storage::Users(tx).find(*caller.user) : std::nullopt)
      person = deployments::person_of(tx, *user);
    person.rights = caller.rights;
    if (const auto environment = find(tx)) person = person.in(environment->project, environment->name);
  });
  return person;
}

/// Approvals are counted later, by what the user of that name may then. Throws Refusal (403).
void check_is_user(Context& context, const Caller& caller) {
  if (caller.user) return;
  bool known = false;
  context.parts.store.read(
      [&](storage::Tx& tx) { known = storage::Users(tx).find(caller.name).has_value(); });
  if (!known)
    refuse(403, in_quotes(caller.name) +
                    " is no user of the server, so the approval would not count: show "
                    "the token of a user, as in RUNNER_TOKEN with --server");
}

std::string method_of(const Caller& caller) {
  return caller.user ? "token" : "socket";
}

/// In the transaction of the change: what is not written down did not happen.
void tell(const Context& context, storage::Tx& tx, const char* kind,
          const storage::DeploymentRecord& deployment, const std::string& said, const Caller& caller) {
  const auto environment = storage::Environments(tx).find(deployment.environment);
  const auto project = environment ? storage::Projects(tx).find(environment->project) : std::nullopt;
  if (!project) return;  // removed: nobody follows it any more
  JsonObject payload;
  payload.number("deployment", deployment.id)
      .text("environment", environment->name)
      .number("number", deployment.number)
      .text("said", said);
  tell_change(context, tx,
              {.project = project->id,
               .kind = kind,
               .object = "deployment " + std::to_string(deployment.id),
               .environment = environment->name,
               .reason = said,
               .deployment = deployment.id,
               .fingerprint = deployment.fingerprint},
              std::move(payload), caller);
}

std::string detail_of(Context& context, const Gate& gate, std::int64_t id) {
  const auto view = gate.view(id);
  if (!view) refuse_missing("deployment " + std::to_string(id));
  std::string json;
  context.parts.store.read([&](storage::Tx& tx) { json = deployment_json(context, tx, *view); });
  return json;
}

/// `kind` of the event; `said`: the person's words. `id` is read once `body` is done.
http::Response act_on(Context& context, const Call& call, const FindEnvironment& where, const char* kind,
                      const std::string& said, const std::function<GateAnswer(Gate&, const Person&)>& body,
                      const std::int64_t& id) {
  const Person person = person_of_caller(context, call.caller, where);
  Gate gate(context.parts.store, context.parts.clock, deployments::people_now(context.parts.store),
            [&](storage::Tx& tx, const storage::DeploymentRecord& deployment) {
              tell(context, tx, kind, deployment, said, call.caller);
            });
  const GateAnswer answer = body(gate, person);
  switch (answer.kind) {
    case GateAnswer::Kind::not_found:
      refuse_missing("deployment " + std::to_string(id));
    case GateAnswer::Kind::not_permitted:
      refuse(403, answer.why);
    case GateAnswer::Kind::not_possible:
      refuse(409, answer.why);
    case GateAnswer::Kind::done:
      break;
  }
  context.followers.changed();
  context.parts.actions.environments_changed();
  return json_response(200, detail_of(context, gate, id));
}

using Act = std::function<GateAnswer(Gate&, std::int64_t id, const Person&)>;

http::Response act(Context& context, const Call& call, const char* kind, const std::string& said,
                   const Act& body) {
  const std::int64_t id = id_of(call, "deployment");
  return act_on(
      context, call, environment_of_deployment(id), kind, said,
      [&](Gate& gate, const Person& person) { return body(gate, id, person); }, id);
}

std::string read_comment(const Call& call) {
  JsonInput input(call.request.body);
  const auto comment = input.text("comment", kMaxComment);
  input.finish();
  return comment.value_or(std::string());
}

http::Response ask(Context& context, const Call& call, const char* request, const char* kind) {
  return act(context, call, kind, "", [request](Gate& gate, std::int64_t id, const Person& person) {
    return gate.ask(id, person, request);
  });
}

/// A text that stays with the deployment.
std::string read_words(const Call& call, const char* name, const char* mend) {
  JsonInput input(call.request.body);
  const auto words = input.text(name, kMaxComment);
  input.require(name);
  if (words && trim(*words).empty()) input.complain(name, mend);
  input.finish();
  return *words;
}

std::int64_t environment_of(Context& context, const Call& call) {
  std::int64_t id = 0;
  context.parts.store.read([&](storage::Tx& tx) { id = get_environment(tx, call).id; });
  return id;
}

}  // namespace

http::Response show_deployment(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "deployment");
  const Gate gate(context.parts.store, context.parts.clock, deployments::people_now(context.parts.store));
  return json_response(200, detail_of(context, gate, id));
}

http::Response approve_deployment(Context& context, const Call& call) {
  const std::string comment = read_comment(call);
  check_is_user(context, call.caller);
  return act(context, call, "deployment.approved", comment,
             [&](Gate& gate, std::int64_t id, const Person& person) {
               return gate.approve(id, person, comment, method_of(call.caller));
             });
}

http::Response reject_deployment(Context& context, const Call& call) {
  const std::string comment = read_comment(call);
  return act(context, call, "deployment.rejected", comment,
             [&](Gate& gate, std::int64_t id, const Person& person) {
               return gate.reject(id, person, comment, method_of(call.caller));
             });
}

http::Response start_deployment(Context& context, const Call& call) {
  return act(context, call, "deployment.started", "",
             [](Gate& gate, std::int64_t id, const Person& person) { return gate.start(id, person); });
}

http::Response cancel_deployment(Context& context, const Call& call) {
  return act(context, call, "deployment.canceled", "",
             [](Gate& gate, std::int64_t id, const Person& person) { return gate.cancel(id, person); });
}

http::Response pause_deployment(Context& context, const Call& call) {
  return ask(context, call, "pause", "deployment.pause");
}

http::Response resume_deployment(Context& context, const Call& call) {
  return ask(context, call, "resume", "deployment.resume");
}

http::Response promote_deployment(Context& context, const Call& call) {
  return ask(context, call, "promote", "deployment.promote");
}

http::Response abort_deployment(Context& context, const Call& call) {
  return ask(context, call, "abort", "deployment.abort");
}

http::Response resolve_deployment(Context& context, const Call& call) {
  const std::string comment = read_words(call, "comment", "say what was done, and what runs there now");
  return act(
      context, call, "deployment.resolved", comment,
      [&](Gate& gate, std::int64_t id, const Person& person) { return gate.resolve(id, person, comment); });
}

http::Response unlock_environment(Context& context, const Call& call) {
  const std::string reason = read_words(call, "reason", "say why: it stays with the deployment");
  const std::int64_t environment = environment_of(context, call);
  std::int64_t taken_from = 0;
  return act_on(
      context, call, [&](storage::Tx& tx) { return storage::Environments(tx).find(environment); },
      "environment.unlocked", reason,
      [&](Gate& gate, const Person& person) { return gate.unlock(environment, person, reason, taken_from); },
      taken_from);
}

http::Response roll_back_environment(Context& context, const Call& call) {
  JsonInput input(call.request.body);
  const auto to = input.integer("to", 1, INT64_MAX);
  input.finish();
  const std::int64_t environment = environment_of(context, call);
  storage::DeploymentRecord made;
  std::int64_t id = 0;
  http::Response response = act_on(
      context, call, [&](storage::Tx& tx) { return storage::Environments(tx).find(environment); },
      "deployment.rollback", "",
      [&](Gate& gate, const Person& person) {
        GateAnswer answer = gate.roll_back(environment, to.value_or(0), person, made);
        id = made.id;
        return answer;
      },
      id);
  response.status = 201;
  return response;
}

http::Response force_deployment(Context& context, const Call& call) {
  const std::string reason = read_words(call, "reason", "say why: it stays with the deployment");
  http::Response response =
      act(context, call, "deployment.forced", reason, [&](Gate& gate, std::int64_t id, const Person& person) {
        return gate.break_glass(id, person, reason);
      });
  log_warn("api", in_quotes(call.caller.name) + " passed over the protection of deployment " +
                      call.request.parameters.at("id"));
  return response;
}

}  // namespace runner::api
