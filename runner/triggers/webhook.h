#pragma once
// Webhooks: what a forge says when somebody pushed. Two steps, each a pure function: verify_webhook() proves
// who sent it, parse_webhook() takes only what was verified. What comes out is a hint and no more: the server
// fetches from the URL that it was configured with and looks for itself, so no URL of a payload is ever read.
// Any thread; both hash the whole body, and take a tenth of a second for the largest.
//
// How a delivery is signed tells the forge. The first of these headers that is there decides, and a bad one
// is not mended by a good one of another line. S is the secret, H() is HMAC-SHA256 with it, in hex of any
// case:
//
//     X-Runner-Signature: sha256=H(TIMESTAMP.BODY)   ours, with X-Runner-Timestamp: seconds since 1970
//     X-Forgejo-Signature: H(JSON)                   Forgejo; it sends those of Gitea and GitHub too
//     X-Gitea-Signature: H(JSON)                     Gitea
//     webhook-signature: v1,BASE64(H(ID.TIMESTAMP.BODY))  GitLab with a signing token, which begins with
//     "whsec_"
//                                                    (standardwebhooks.com), with webhook-id and
//                                                    webhook-timestamp
//     X-Gitlab-Token: S                              GitLab with a secret token
//     X-Hub-Signature-256: sha256=H(BODY)            GitHub
//     X-Hub-Signature: sha256=H(BODY)                Bitbucket Cloud and Data Center; with sha1= it is
//     refused
//
// GitHub, Gitea and Forgejo may send the JSON as a form ("payload=..."). Gitea and Forgejo sign what is in
// the form.
//
// Our own form, for what is no forge. All keys but "refs" or "merge_request" may be left out; others are
// refused:
//
//     {"id": "unique text", "event": "push", "user": "kim",
//      "refs": [{"ref": "refs/heads/main", "before": "<commit id>", "after": "<commit id>"}]}
//     {"event": "merge_request", "merge_request": {"number": 7, "action": "opened", "source_branch": "topic",
//      "target_branch": "main", "head": "<commit id>", "from_fork": false}}
//     {"event": "ping"}

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runner/base/clock.h"

namespace runner::triggers {

/// What GitHub sends at most; larger bodies are refused unread.
constexpr std::size_t kLargestWebhook = 25U << 20U;
/// How far the time of a signed delivery may be from `now`, either way.
constexpr std::chrono::minutes kWebhookTolerance{5};

enum class Forge : std::uint8_t { github, gitlab, gitea, forgejo, bitbucket_cloud, bitbucket_server, plain };
/// "github", "bitbucket_cloud": for messages and tables.
std::string_view to_string(Forge forge) noexcept;

struct Header {
  std::string_view name;  // of any case
  std::string_view value;
};

/// One request. Views: what they see must live as long as this and what verify_webhook() makes of it.
struct Delivery {
  std::span<const Header> headers;
  std::string_view body;
};

/// Why a delivery is refused. Message and help are for the one who set the webhook up, and hold no secret.
struct WebhookProblem {
  enum class Reason : std::uint8_t {
    no_secret,  // the project has none, so nothing can be proved
    too_large,
    not_signed,
    malformed,  // a signature or header that is none, or twice
    forged,     // the signature of somebody else, or of another body
    stale,      // signed too long ago, or in the future
    bad_payload,
  };
  Reason reason = Reason::bad_payload;
  std::string message;
  std::string help;  // may be empty
};

/// Proof of a verification; only verify_webhook() makes one.
class VerifiedDelivery {
 public:
  Forge forge() const noexcept { return forge_; }
  const Delivery& delivery() const noexcept { return delivery_; }
  /// The JSON: the body, or what its form holds.
  std::string_view payload() const noexcept { return form_payload_ ? *form_payload_ : delivery_.body; }

 private:
  friend class WebhookVerifier;
  VerifiedDelivery() = default;
  Forge forge_ = Forge::plain;
  Delivery delivery_;
  std::optional<std::string> form_payload_;
};

/// An empty secret refuses everything. Secrets and signatures are compared in constant time.
std::variant<VerifiedDelivery, WebhookProblem> verify_webhook(const Delivery& delivery,
                                                              std::string_view secret, TimePoint now);

struct RefChange {
  std::string ref;     // the whole name, "refs/heads/main", well-formed by git's rules
  std::string before;  // commit id of 40 or 64 lower-case hex digits; empty when created, or not said
  std::string
      after;  // likewise; empty when deleted, or not said. Of a tag it may be the id of the tag object
  bool created = false;
  bool deleted = false;
};

struct MergeRequestHint {
  enum class Action : std::uint8_t {
    opened,   // or reopened
    updated,  // its commits or its target may have changed
    merged,
    closed,
    other,
  };
  std::int64_t number = 0;  // as people see it
  Action action = Action::other;
  std::string source_branch;  // without refs/heads/; of the fork when it comes from one
  std::string target_branch;
  bool from_fork = false;
};

enum class HintEvent : std::uint8_t {
  push,  // at least one branch
  tag,   // tags only
  merge_request,
  ping,   // the forge asks whether we are there
  other,  // anything else: nothing to do
};
/// "push", "merge_request": for messages and tables.
std::string_view to_string(HintEvent event) noexcept;

struct Hint {
  Forge forge = Forge::plain;
  HintEvent event = HintEvent::other;
  /// The forge's id of the delivery, the same when it is sent again; else `body_digest`, or of our own form
  /// the digest of TIMESTAMP.BODY, as a body without id may rightly come again. No forge signs its id but
  /// GitLab with a signing token: whoever could read a delivery on its way can send it again under another
  /// id, but not with another digest.
  std::string delivery_id;
  std::string body_digest;  // SHA-256 of the body, in hex
  std::vector<RefChange> refs;
  std::optional<MergeRequestHint> merge_request;
  /// Of a merge request, or of the one ref that was pushed. Empty when not said: of a deleted ref, of
  /// several, and of a merge request of Bitbucket Cloud, which shortens ids.
  std::string head_commit;
  std::string user;  // for display: no control characters, 200 bytes at most
};

/// A payload of unknown events must still be JSON. What is not used may be anything; keys that are used must
/// be there once. Never throws for what the payload holds.
std::variant<Hint, WebhookProblem> parse_webhook(const VerifiedDelivery& delivery);

}  // namespace runner::triggers
