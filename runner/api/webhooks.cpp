// Webhooks: proven, written down, answered. What follows from them is done later, by others.
#include <algorithm>
#include <random>
#include <variant>

#include "runner/api/hint_text.h"
#include "runner/api/json_output.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/delivery_table.h"

namespace runner::api {
namespace {

using triggers::WebhookProblem;

struct Receiver {
  storage::ProjectRecord project;
  std::vector<storage::Secret> secrets;  // several while one takes the other's place
};

/// Of a project that does not exist, or has no secret, the secret is one that nobody knows: who cannot sign
/// is told the same, and learns nothing of what there is.
const storage::Secret& nobodys_secret() {
  static const storage::Secret secret = [] {
    std::random_device random;
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += std::to_string(random());
    return storage::Secret::copy_of(bytes);
  }();
  return secret;
}

/// Throws Error.
Receiver receiver_of(Context& context, const std::string& name) {
  Receiver receiver;
  context.parts.store.read([&](storage::Tx& tx) {
    receiver = {};
    receiver.project.name = name;
    const auto project = storage::Projects(tx).find(name);
    if (!project) return;
    receiver.project = *project;
    storage::Credentials credentials(tx, context.parts.sealer);
    for (const auto& each : credentials.of_project(receiver.project.id)) {
      if (each.kind != storage::CredentialKind::webhook_secret) continue;
      try {
        if (auto secret = credentials.open(each.id)) receiver.secrets.push_back(*std::move(secret));
      } catch (const Error& error) {  // whatever its code: a matter of the server, not of who sends
        throw Error(ErrorCode::internal, "the webhook secret of project " + in_quotes(name) +
                                             " cannot be read; set it anew: " + error.what());
      }
    }
  });
  return receiver;
}

int status_of(WebhookProblem::Reason reason) {
  switch (reason) {
    case WebhookProblem::Reason::too_large:
      return 413;
    case WebhookProblem::Reason::bad_payload:
      return 422;
    case WebhookProblem::Reason::no_secret:
    case WebhookProblem::Reason::not_signed:
    case WebhookProblem::Reason::malformed:
    case WebhookProblem::Reason::forged:
    case WebhookProblem::Reason::stale:
      break;
  }
  return 401;
}

[[noreturn]] void refuse_delivery(const WebhookProblem& problem) {
  const std::string text =
      to_utf8(problem.help.empty() ? problem.message : problem.message + "; " + problem.help);
  const int status = status_of(problem.reason);
  if (status == 422) refuse_field("", text);
  http::Headers headers;
  if (status == 401) headers.add("WWW-Authenticate", "Signature");
  throw Refusal({.status = status, .detail = text}, std::move(headers));
}

/// The first secret that proves it. Throws Refusal; the views of what comes back are those of `delivery`.
triggers::VerifiedDelivery verify(const triggers::Delivery& delivery, const Receiver& receiver,
                                  TimePoint now) {
  const storage::Secret& first = receiver.secrets.empty() ? nobodys_secret() : receiver.secrets.front();
  auto outcome = triggers::verify_webhook(delivery, first.text(), now);
  for (std::size_t at = 1; at < receiver.secrets.size() && std::holds_alternative<WebhookProblem>(outcome);
       ++at)
    outcome = triggers::verify_webhook(delivery, receiver.secrets[at].text(), now);
  if (const auto* problem = std::get_if<WebhookProblem>(&outcome)) refuse_delivery(*problem);
  return std::get<triggers::VerifiedDelivery>(std::move(outcome));
}

/// Who fails too often is refused unread: each failure costs a digest of the whole body. By project and
/// address, so that one wrong webhook behind a proxy takes nothing from others.
triggers::VerifiedDelivery verify_or_count(Context& context, const http::Request& request,
                                           const triggers::Delivery& delivery, const Receiver& receiver) {
  const std::string key = "hook " + receiver.project.name + " " + request.peer.address;
  const SteadyPoint now = context.parts.clock.steady_now();
  constexpr double kLook = 0;
  if (context.failures.lock()->take(key, now, kLook).remaining == 0) {
    context.counts.attempt(AuthMethod::webhook, AuthResult::limited);
    refuse_for_now("too many bad signatures came from this address; try again later", kFailurePause);
  }
  try {
    triggers::VerifiedDelivery verified = verify(delivery, receiver, context.parts.clock.now());
    context.counts.attempt(AuthMethod::webhook, AuthResult::success);
    return verified;
  } catch (const Refusal&) {
    context.counts.attempt(AuthMethod::webhook, AuthResult::failure);
    context.failures.lock()->take(key, now);
    if (receiver.project.id != 0 && receiver.secrets.empty())
      log_warn("webhooks", "a webhook of project " + in_quotes(receiver.project.name) +
                               " is refused: it has no secret; `runner project set " + receiver.project.name +
                               " --webhook-secret-file FILE` gives it one");
    throw;
  }
}

/// What makes a delivery the same one when it comes again.
std::string key_of(const triggers::Hint& hint) {
  constexpr std::size_t kLongest = 200;
  const std::string& id = hint.delivery_id;
  const bool plain = !id.empty() && id.size() <= kLongest &&
                     std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~'; });
  return std::string(to_string(hint.forge)) + ":" + (plain ? id : hint.body_digest);
}

http::Response answer(int status, const triggers::Hint& hint, const char* state) {
  JsonObject json;
  json.text("state", state).text("forge", to_string(hint.forge)).text("event", to_string(hint.event));
  return json_response(status, std::move(json).take());
}

}  // namespace

http::Response take_webhook(Context& context, const Call& call) {
  const http::Request& request = call.request;
  const Receiver receiver = receiver_of(context, request.parameters.at("project"));
  std::vector<triggers::Header> headers;
  for (const auto& [name, value] : request.headers) headers.push_back({name, value});
  const triggers::Delivery delivery{headers, request.body};
  const triggers::VerifiedDelivery verified = verify_or_count(context, request, delivery, receiver);
  const auto verdict =
      context.deliveries.lock()->take(receiver.project.name, context.parts.clock.steady_now());
  if (!verdict.allowed)
    refuse_for_now("project " + in_quotes(receiver.project.name) + " gets too many webhooks; try again later",
                   verdict.retry_after);
  const auto parsed = triggers::parse_webhook(verified);
  if (const auto* problem = std::get_if<WebhookProblem>(&parsed)) refuse_delivery(*problem);
  const auto& hint = std::get<triggers::Hint>(parsed);
  storage::DeliveryRecord record;
  record.project = receiver.project.id;
  record.forge = to_string(hint.forge);
  record.event = to_string(hint.event);
  record.key = key_of(hint);
  record.hint = hint_text(hint);
  record.received_at = context.parts.clock.now();
  std::optional<std::int64_t> id;
  context.parts.store.write([&](storage::Tx& tx) { id = storage::Deliveries(tx).insert_once(record); });
  if (!id) return answer(200, hint, "known");
  context.parts.actions.delivery_stored(receiver.project.id);
  return answer(202, hint, "stored");
}

}  // namespace runner::api
