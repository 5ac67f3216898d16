// Deployments: where one stands, and what people say about one that waits. Who may say it is the gate's to
// decide, by the protection of the environment.
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

/// Somebody with the rights of the token that was shown, which may be less than those of its user.
Person person_of_caller(Context& context, const Caller& caller) {
  Person person;
  person.name = caller.name;
  if (caller.user) {
    context.parts.store.read([&](storage::Tx& tx) {
      if (const auto user = storage::Users(tx).find(*caller.user)) person = deployments::person_of(*user);
    });
  }
  person.role = storage::to_string(caller.role);
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
  tell_change(context, tx, project->id, kind, std::move(payload), caller);
}

std::string detail_of(Context& context, const Gate& gate, std::int64_t id) {
  const auto view = gate.view(id);
  if (!view) refuse_missing("deployment " + std::to_string(id));
  std::string json;
  context.parts.store.read([&](storage::Tx& tx) { json = deployment_json(context, tx, *view); });
  return json;
}

using Act = std::function<GateAnswer(Gate&, std::int64_t id, const Person&)>;

/// `kind` of the event; `said`: the person's words.
http::Response act(Context& context, const Call& call, const char* kind, const std::string& said,
                   const Act& body) {
  const std::int64_t id = id_of(call, "deployment");
  const Person person = person_of_caller(context, call.caller);
  Gate gate(context.parts.store, context.parts.clock, deployments::people_now(context.parts.store),
            [&](storage::Tx& tx, const storage::DeploymentRecord& deployment) {
              tell(context, tx, kind, deployment, said, call.caller);
            });
  const GateAnswer answer = body(gate, id, person);
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

std::string read_comment(const Call& call) {
  JsonInput input(call.request.body);
  const auto comment = input.text("comment", kMaxComment);
  input.finish();
  return comment.value_or(std::string());
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

http::Response force_deployment(Context& context, const Call& call) {
  JsonInput input(call.request.body);
  const auto reason = input.text("reason", kMaxComment);
  input.require("reason");
  if (reason && trim(*reason).empty()) input.complain("reason", "say why: it stays with the deployment");
  input.finish();
  http::Response response = act(context, call, "deployment.forced", *reason,
                                [&](Gate& gate, std::int64_t id, const Person& person) {
                                  return gate.break_glass(id, person, *reason);
                                });
  log_warn("api", in_quotes(call.caller.name) + " passed over the protection of deployment " +
                      call.request.parameters.at("id"));
  return response;
}

}  // namespace runner::api
