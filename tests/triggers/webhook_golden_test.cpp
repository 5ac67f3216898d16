// Every delivery of payloads/, signed by the program openssl, against the hint that lies beside it.

#include <gtest/gtest.h>

#include "runner/base/text.h"
#include "tests/support/golden.h"
#include "tests/triggers/webhook_support.h"

namespace runner::test {
namespace {

class RecordedWebhook : public testing::TestWithParam<std::string> {};

TEST_P(RecordedWebhook, SignedByOpensslGivesTheHintBesideIt) {
  Recorded recorded = read_recorded(GetParam());
  const std::string digest = openssl_hmac(kWebhookSecret, signed_text(recorded));
  ASSERT_EQ(digest.size(), 64U) << "the program openssl cannot be run";
  sign_with(recorded, digest);
  if (recorded.forge == triggers::Forge::gitlab) recorded.set("X-Gitlab-Token", kWebhookSecret);
  const std::string text = outcome(recorded);
  EXPECT_TRUE(text.starts_with("ok\n")) << text;
  EXPECT_EQ(compare_golden("triggers/payloads/" + GetParam() + ".hint", text), "");
}

TEST_P(RecordedWebhook, SignedByUsOrInCapitalsIsTheSame) {
  Recorded recorded = read_recorded(GetParam());
  sign(recorded);
  const std::string text = outcome(recorded);
  EXPECT_TRUE(text.starts_with("ok\n")) << text;
  for (auto& [name, value] : recorded.headers) {
    const auto prefix = value.starts_with("sha256=") ? 7U : 0U;
    const bool signature = to_lower(name).find("signature") != std::string::npos;
    for (std::size_t i = prefix; signature && i < value.size(); ++i) {
      if (value[i] >= 'a' && value[i] <= 'f') value[i] = static_cast<char>(value[i] - 'a' + 'A');
    }
    for (char& c : name) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
  }
  EXPECT_EQ(outcome(recorded), text);
}

TEST_P(RecordedWebhook, ForgedInAnyWayIsRefused) {
  const Recorded original = read_recorded(GetParam());
  const auto expect_refused = [&](const Recorded& recorded, const std::string& secret, const char* what) {
    const auto verified = verify(recorded, secret);
    const auto* problem = std::get_if<triggers::WebhookProblem>(&verified);
    ASSERT_NE(problem, nullptr) << what;
    EXPECT_FALSE(problem->message.empty()) << what;
    EXPECT_EQ(problem->message.find(kWebhookSecret), std::string::npos) << what;
  };
  expect_refused(original, kWebhookSecret, "not signed");
  Recorded recorded = original;
  sign(recorded);
  expect_refused(recorded, "", "a project without a secret");
  expect_refused(recorded, "another secret", "the secret of another project");
  expect_refused(recorded, std::string(kWebhookSecret) + " ", "nearly the secret");
  Recorded empty = original;
  sign(empty, " ");
  expect_refused(empty, "", "no secret on either side");
  // GitLab's token says nothing of the body, by GitLab's design.
  if (original.forge == triggers::Forge::gitlab) return;
  Recorded changed = recorded;
  changed.body[changed.body.size() / 2] ^= 1;
  expect_refused(changed, kWebhookSecret, "another body");
  changed = recorded;
  changed.body.pop_back();
  expect_refused(changed, kWebhookSecret, "a body that was cut");
  changed = recorded;
  for (auto& [name, value] : changed.headers) {
    if (to_lower(name).find("signature") != std::string::npos) value.pop_back();
  }
  expect_refused(changed, kWebhookSecret, "a signature that was cut");
}

INSTANTIATE_TEST_SUITE_P(Payloads, RecordedWebhook, testing::ValuesIn(recorded_names()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace runner::test
