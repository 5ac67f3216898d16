// Webhooks behind the signature. An input is a forge (one letter), an event and a line end, then the body.
// "f" before the event sends the body as a form.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "runner/triggers/ref_name.h"
#include "runner/triggers/signature.h"
#include "runner/triggers/webhook.h"
#include "tests/fuzz/check.h"

namespace {

using namespace runner;
using namespace runner::triggers;

constexpr std::string_view kSecret = "secret";

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(byte)));
    hex += digits.data();
  }
  return hex;
}

void check(const Hint& hint) {
  test::promise(!hint.delivery_id.empty() && hint.body_digest.size() == 64, "a delivery has an id");
  for (const RefChange& ref : hint.refs) {
    test::promise(is_ref_name(ref.ref), "refs have well-formed names");
    for (const std::string* id : {&ref.before, &ref.after}) {
      test::promise(id->empty() || id->size() == 40 || id->size() == 64, "commit ids have 40 or 64 digits");
    }
  }
  test::promise(hint.merge_request.has_value() == (hint.event == HintEvent::merge_request),
                "its event says it");
  if (!hint.merge_request) return;
  test::promise(is_ref_name("refs/heads/" + hint.merge_request->source_branch) &&
                    is_ref_name("refs/heads/" + hint.merge_request->target_branch) &&
                    hint.merge_request->number > 0,
                "merge requests are well-formed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = input.find('\n');
  if (end == std::string_view::npos || end < 1) return 0;
  std::string_view event = input.substr(1, end - 1);
  const std::string_view body = input.substr(end + 1);
  const bool form = event.starts_with('f');
  if (form) event.remove_prefix(1);
  const TimePoint now(std::chrono::seconds(1'772'000'000));
  const std::string digest = hex_of(hmac_sha256(kSecret, {body}));
  const std::string timed = "sha256=" + hex_of(hmac_sha256(kSecret, {"1772000000.", body}));
  const std::string prefixed = "sha256=" + digest;
  std::vector<Header> headers = {
      {"Content-Type", form ? "application/x-www-form-urlencoded" : "application/json"}};
  switch (input[0]) {
    case 'g':
      headers.insert(headers.end(), {{"X-GitHub-Event", event}, {"X-Hub-Signature-256", prefixed}});
      break;
    case 'l':
      headers.insert(headers.end(), {{"X-Gitlab-Event", event}, {"X-Gitlab-Token", kSecret}});
      break;
    case 't':
      headers.insert(headers.end(), {{"X-Gitea-Event", event}, {"X-Gitea-Signature", digest}});
      break;
    case 'b':
      headers.insert(headers.end(), {{"X-Event-Key", event}, {"X-Hub-Signature", prefixed}});
      break;
    default:
      headers.insert(headers.end(), {{"X-Runner-Timestamp", "1772000000"}, {"X-Runner-Signature", timed}});
  }
  const auto verified = verify_webhook({headers, body}, kSecret, now);
  const auto forged = verify_webhook({headers, body}, "another", now);
  test::promise(std::holds_alternative<WebhookProblem>(forged), "another secret is refused");
  if (!std::holds_alternative<VerifiedDelivery>(verified)) return 0;
  const auto parsed = parse_webhook(std::get<VerifiedDelivery>(verified));
  if (const auto* problem = std::get_if<WebhookProblem>(&parsed)) {
    test::promise(!problem->message.empty() && problem->message.size() < 1000, "a refused payload says why");
    return 0;
  }
  check(std::get<Hint>(parsed));
  return 0;
}
