#include <array>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/triggers/delivery_headers.h"
#include "runner/triggers/hint_parts.h"
#include "runner/triggers/webhook.h"

namespace runner::triggers {
namespace {

/// Where the ids of deliveries are, the better first. Of GitLab the id of an event is shared by the events
/// that a webhook set off in turn, so what stays the same when a delivery is sent again comes first
/// (docs.gitlab.com, delivery headers).
std::vector<std::string_view> id_headers(Forge forge) {
  switch (forge) {
    case Forge::github:
      return {"x-github-delivery"};
    case Forge::gitlab:
      return {"webhook-id", "idempotency-key", "x-gitlab-event-uuid"};
    case Forge::gitea:
      return {"x-gitea-delivery"};
    case Forge::forgejo:
      return {"x-forgejo-delivery"};
    case Forge::bitbucket_cloud:
      return {"x-request-uuid"};
    case Forge::bitbucket_server:
      return {"x-request-id"};
    case Forge::plain:
      break;
  }
  return {};
}

std::string find_delivery_id(const Delivery& delivery, Forge forge) {
  for (const std::string_view name : id_headers(forge)) {
    const auto id = find_header(delivery, name);
    if (!id || id->empty()) continue;
    if (!is_delivery_id(*id))
      refuse_delivery(WebhookProblem::Reason::malformed,
                      "the header " + in_quotes(name) + " holds no id of 1 to 200 characters without blanks");
    return std::string(*id);
  }
  return {};
}

Hint read_hint(const VerifiedDelivery& verified) {
  const Delivery& delivery = verified.delivery();
  const std::string_view payload = verified.payload();
  Hint hint;
  hint.forge = verified.forge();
  hint.delivery_id = find_delivery_id(delivery, hint.forge);
  switch (hint.forge) {
    case Forge::github:
    case Forge::gitea:
    case Forge::forgejo:
      read_github(delivery, payload, hint);
      break;
    case Forge::gitlab:
      read_gitlab(payload, hint);
      break;
    case Forge::bitbucket_cloud:
      read_bitbucket_cloud(delivery, payload, hint);
      break;
    case Forge::bitbucket_server:
      read_bitbucket_server(delivery, payload, hint);
      break;
    case Forge::plain:
      read_plain(payload, hint);
      break;
  }
  hint.body_digest = sha256_hex(delivery.body);
  if (!hint.delivery_id.empty()) return hint;
  hint.delivery_id = hint.body_digest;
  if (hint.forge == Forge::plain) {
    // "main changed" is the same body each time that it is true.
    Sha256 digest;
    digest.update(find_header(delivery, "x-runner-timestamp").value_or(std::string_view()));
    digest.update(".");
    digest.update(delivery.body);
    hint.delivery_id = digest.finish_hex();
  }
  return hint;
}

}  // namespace

std::string_view to_string(Forge forge) noexcept {
  constexpr std::array<std::string_view, 7> kNames = {
      "github", "gitlab", "gitea", "forgejo", "bitbucket_cloud", "bitbucket_server", "plain"};
  return kNames[static_cast<std::size_t>(forge)];
}

std::string_view to_string(HintEvent event) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"push", "tag", "merge_request", "ping", "other"};
  return kNames[static_cast<std::size_t>(event)];
}

std::variant<Hint, WebhookProblem> parse_webhook(const VerifiedDelivery& delivery) {
  try {
    return read_hint(delivery);
  } catch (const DeliveryRefused& refused) {
    return refused.problem();
  } catch (const Error& error) {
    // What else fails (OpenSSL) is no fault of the payload.
    if (error.code() != ErrorCode::invalid_input) throw;
    return WebhookProblem{WebhookProblem::Reason::bad_payload,
                          "a webhook of " + in_quotes(to_string(delivery.forge())) + ": " + error.what(), ""};
  }
}

}  // namespace runner::triggers
