#pragma once
// Deliveries that lie in tests/triggers/payloads: the headers a line each, an empty line, the body. They hold
// no signature; a test signs them with the secret it likes.

#include <string>
#include <utility>
#include <vector>

#include "runner/triggers/webhook.h"

namespace runner::test {

inline constexpr const char* kWebhookSecret = "it's a s3cret \xc3\xbc";
inline constexpr const char* kSigningToken = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

struct Recorded {
  triggers::Forge forge = triggers::Forge::plain;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  std::string header(const std::string& name) const;
  void set(const std::string& name, const std::string& value);
  void remove(const std::string& name);
};

/// All names, sorted: "github_push". The forge is what they begin with.
std::vector<std::string> recorded_names();
Recorded read_recorded(const std::string& name);

/// What the forge signs: the body, the JSON of its form, or with a time before it.
std::string signed_text(const Recorded& recorded);
/// Adds the header of the forge, by our own HMAC or by a digest in hex that came from elsewhere.
void sign(Recorded& recorded, const std::string& secret = kWebhookSecret);
void sign_with(Recorded& recorded, const std::string& hex_digest);
/// HMAC-SHA256 in hex by the program openssl. Empty when it cannot be run.
std::string openssl_hmac(const std::string& key, const std::string& text);

/// 23 February 2026, 11:00 UTC: the plain ones say that time.
TimePoint recorded_time();
std::variant<triggers::VerifiedDelivery, triggers::WebhookProblem> verify(
    const Recorded& recorded, const std::string& secret = kWebhookSecret, TimePoint now = recorded_time());
/// Both steps: "ok" and the hint a line each, or "REASON: message" with the help in brackets.
std::string outcome(const Recorded& recorded, const std::string& secret = kWebhookSecret,
                    TimePoint now = recorded_time());

std::string describe(const triggers::Hint& hint);
std::string describe(const triggers::WebhookProblem& problem);

}  // namespace runner::test
