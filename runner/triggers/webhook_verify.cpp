#include <algorithm>

#include "runner/base/text.h"
#include "runner/triggers/delivery_headers.h"
#include "runner/triggers/form.h"
#include "runner/triggers/signature.h"
#include "runner/triggers/webhook.h"

namespace runner::triggers {
namespace {

using Reason = WebhookProblem::Reason;

constexpr std::string_view kSha256 = "sha256=";
constexpr std::string_view kSigningToken = "whsec_";
// While a secret is replaced, a delivery is signed with two.
constexpr std::size_t kMostSignatures = 8;

bool is_timestamp(std::string_view text) {
  return !text.empty() && text.size() <= 11 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

[[noreturn]] void refuse_forged(std::string_view header) {
  refuse_delivery(Reason::forged,
                  "the signature in " + in_quotes(header) + " does not fit the body and the secret",
                  "set the same secret at the forge and for the project");
}

}  // namespace

class WebhookVerifier {
 public:
  WebhookVerifier(const Delivery& delivery, std::string_view secret, TimePoint now)
      : secret_(secret), now_(now) {
    verified_.delivery_ = delivery;
  }

  VerifiedDelivery run() {
    if (secret_.empty())
      refuse_delivery(Reason::no_secret, "the project has no secret for webhooks",
                      "set one at the forge and for the project: without it anybody could start pipelines");
    if (body().size() > kLargestWebhook)
      refuse_delivery(Reason::too_large, "the body has " + format_bytes(body().size()) + ", and at most " +
                                             format_bytes(kLargestWebhook) + " are read");
    verified_.forge_ = find_forge();
    switch (verified_.forge_) {
      case Forge::plain:
        check_plain();
        break;
      case Forge::forgejo:
        check_gitea("x-forgejo-signature");
        break;
      case Forge::gitea:
        check_gitea("x-gitea-signature");
        break;
      case Forge::gitlab:
        check_gitlab();
        break;
      case Forge::github:
        check_hex("x-hub-signature-256", value("x-hub-signature-256"), kSha256, {body()});
        if (sent_as_form()) take_form();
        break;
      case Forge::bitbucket_cloud:
      case Forge::bitbucket_server:
        check_hex("x-hub-signature", value("x-hub-signature"), kSha256, {body()});
        break;
    }
    return std::move(verified_);
  }

 private:
  std::string_view body() const { return verified_.delivery_.body; }
  bool has(std::string_view name) const { return has_header(verified_.delivery_, name); }
  std::string_view value(std::string_view name) const {
    return find_header(verified_.delivery_, name).value_or(std::string_view());
  }
  bool sent_as_form() const { return is_form(value("content-type")); }

  Forge find_forge() const {
    if (has("x-runner-signature")) return Forge::plain;
    if (has("x-forgejo-signature")) return Forge::forgejo;
    if (has("x-gitea-signature")) return Forge::gitea;
    if (has("x-gitlab-event") || has("x-gitlab-token") || has("webhook-signature")) return Forge::gitlab;
    if (has("x-hub-signature-256")) return Forge::github;
    const std::string_view old = value("x-hub-signature");
    if (old.starts_with("sha1="))
      refuse_delivery(Reason::not_signed, "it is signed with SHA-1 only, in 'x-hub-signature'",
                      "SHA-1 proves nothing any more; update the forge, so that it signs with SHA-256");
    if (has("x-event-key")) return find_bitbucket();
    refuse_delivery(
        Reason::not_signed, "it has no signature of a forge that is known",
        "set a secret for the webhook at the forge; known are those of GitHub, GitLab, Gitea, Forgejo and "
        "Bitbucket, and 'x-runner-signature'");
  }

  Forge find_bitbucket() const {
    if (!has("x-hub-signature"))
      refuse_delivery(Reason::not_signed, "it is of Bitbucket and not signed",
                      "set a secret for the webhook at the forge");
    const std::string_view key = value("x-event-key");
    if (key == "repo:push" || key.starts_with("pullrequest:")) return Forge::bitbucket_cloud;
    if (key == "repo:refs_changed" || key.starts_with("pr:")) return Forge::bitbucket_server;
    return has("x-request-uuid") ? Forge::bitbucket_cloud : Forge::bitbucket_server;
  }

  void check_hex(std::string_view header, std::string_view given, std::string_view prefix,
                 std::initializer_list<std::string_view> parts) const {
    const bool fits = given.starts_with(prefix);
    const auto signature = fits ? from_hex(given.substr(prefix.size())) : std::nullopt;
    if (given.empty())
      refuse_delivery(Reason::not_signed, "the signature in " + in_quotes(header) + " is empty",
                      "set a secret for the webhook at the forge");
    if (!signature || signature->size() != 32)
      refuse_delivery(Reason::malformed, "the signature in " + in_quotes(header) + " is none: expected " +
                                             (prefix.empty() ? "" : in_quotes(prefix) + " and ") +
                                             "64 hex digits");
    if (!same_bytes(*signature, hmac_sha256(secret_, parts))) refuse_forged(header);
  }

  void check_gitea(std::string_view header) {
    if (sent_as_form()) take_form();
    check_hex(header, value(header), "", {verified_.payload()});
  }

  void check_plain() const {
    const std::string_view timestamp = value("x-runner-timestamp");
    if (!is_timestamp(timestamp))
      refuse_delivery(Reason::malformed,
                      "there is no time in 'x-runner-timestamp': expected seconds since 1970");
    check_hex("x-runner-signature", value("x-runner-signature"), kSha256, {timestamp, ".", body()});
    check_time("x-runner-timestamp", timestamp);
  }

  /// A token of its own form is only good for signatures: sent as it is, it would be a secret on the wire.
  void check_gitlab() const {
    if (secret_.starts_with(kSigningToken)) {
      check_standard();
      return;
    }
    const std::string_view token = value("x-gitlab-token");
    if (token.empty()) {
      refuse_delivery(
          Reason::not_signed, "it has no 'x-gitlab-token'",
          has("webhook-signature")
              ? "it is signed with a signing token: give the project that, which begins with 'whsec_'"
              : "set a secret token or a signing token for the webhook at GitLab");
    }
    if (!same_secret(token, secret_))
      refuse_delivery(Reason::forged, "the token in 'x-gitlab-token' is not the secret of the project",
                      "set the same secret token at GitLab and for the project");
  }

  /// https://github.com/standard-webhooks/standard-webhooks, as GitLab sends it.
  void check_standard() const {
    const auto key = from_base64(secret_.substr(kSigningToken.size()));
    if (!key || key->empty())
      refuse_delivery(Reason::no_secret,
                      "the secret of the project begins with 'whsec_' and is no signing token",
                      "take the whole token from GitLab: 'whsec_' and text in base64");
    const std::string_view id = value("webhook-id");
    const std::string_view timestamp = value("webhook-timestamp");
    const std::string_view signatures = value("webhook-signature");
    if (signatures.empty())
      refuse_delivery(Reason::not_signed, "it has no 'webhook-signature'",
                      "the secret of the project is a signing token: set it as such at GitLab");
    if (id.empty() || !is_timestamp(timestamp))
      refuse_delivery(Reason::malformed,
                      "there is no 'webhook-id', or no seconds since 1970 in 'webhook-timestamp'");
    const std::string expected = "v1," + to_base64(hmac_sha256(*key, {id, ".", timestamp, ".", body()}));
    const auto given = split_words(signatures);
    if (given.size() > kMostSignatures)
      refuse_delivery(Reason::malformed, "there are " + std::to_string(given.size()) +
                                             " signatures in 'webhook-signature', and at most " +
                                             std::to_string(kMostSignatures) + " are tried");
    bool fits = false;
    for (const std::string_view each : given) fits = same_bytes(each, expected) || fits;
    if (!fits) refuse_forged("webhook-signature");
    check_time("webhook-timestamp", timestamp);
  }

  /// Only after the signature: else it would tell strangers the time.
  void check_time(std::string_view header, std::string_view timestamp) const {
    const TimePoint sent(std::chrono::seconds(parse_integer(timestamp).value_or(0)));
    const auto distance = sent > now_ ? sent - now_ : now_ - sent;
    if (distance <= kWebhookTolerance) return;
    refuse_delivery(Reason::stale,
                    "it was signed " + format_duration(distance) + (sent > now_ ? " ahead" : " ago") +
                        " by " + in_quotes(header) + ", and " + format_duration(kWebhookTolerance) +
                        " are allowed",
                    "set the clocks of both machines by NTP");
  }

  void take_form() {
    verified_.form_payload_ = form_field(body(), "payload");
    if (!verified_.form_payload_)
      refuse_delivery(Reason::bad_payload,
                      "the body is a form, and has not one field 'payload' that can be read",
                      "set the content type of the webhook to application/json");
  }

  std::string_view secret_;
  TimePoint now_;
  VerifiedDelivery verified_;
};

std::variant<VerifiedDelivery, WebhookProblem> verify_webhook(const Delivery& delivery,
                                                              std::string_view secret, TimePoint now) {
  try {
    return WebhookVerifier(delivery, secret, now).run();
  } catch (const DeliveryRefused& refused) {
    return refused.problem();
  }
}

}  // namespace runner::triggers
