#include <gtest/gtest.h>

#include "runner/base/text.h"
#include "runner/triggers/signature.h"
#include "tests/triggers/webhook_support.h"

namespace runner::test {
namespace {

Recorded signed_push(const std::string& forge, const std::string& secret = kWebhookSecret) {
  Recorded recorded = read_recorded(forge + "_push");
  sign(recorded, secret);
  return recorded;
}

constexpr const char* kSetSecret = " (set a secret for the webhook at the forge)";
constexpr const char* kSameSecret = " (set the same secret at the forge and for the project)";

TEST(VerifyWebhook, EmptySecretsRefuseEverythingEvenWhatIsSignedWithThem) {
  for (const std::string forge : {"github", "gitlab", "gitea", "forgejo", "bitbucket_cloud", "plain"}) {
    Recorded recorded = signed_push(forge);
    recorded.set("X-Gitlab-Token", "");
    EXPECT_EQ(outcome(recorded, ""),
              "no_secret: the project has no secret for webhooks (set one at the forge and for the project: "
              "without it "
              "anybody could start pipelines)");
  }
}

TEST(VerifyWebhook, SaysWhichHeaderIsWrongAndHow) {
  struct Case {
    std::string forge;
    std::string header;
    std::string value;
    std::string expected;
  };
  const std::string digest = openssl_hmac(kWebhookSecret, read_recorded("github_push").body);
  const std::vector<Case> cases = {
      {"github", "X-Hub-Signature-256", "",
       std::string("not_signed: the signature in 'x-hub-signature-256' is empty") + kSetSecret},
      {"github", "X-Hub-Signature-256", "sha256=",
       "malformed: the signature in 'x-hub-signature-256' is none: expected 'sha256=' and 64 hex digits"},
      {"github", "X-Hub-Signature-256", digest,
       "malformed: the signature in 'x-hub-signature-256' is none: expected 'sha256=' and 64 hex digits"},
      {"github", "X-Hub-Signature-256", "sha1=" + digest,
       "malformed: the signature in 'x-hub-signature-256' is none: expected 'sha256=' and 64 hex digits"},
      {"github", "X-Hub-Signature-256", "sha256=" + digest + "00",
       "malformed: the signature in 'x-hub-signature-256' is none: expected 'sha256=' and 64 hex digits"},
      {"github", "X-Hub-Signature-256", "sha256=" + digest.substr(1),
       "malformed: the signature in 'x-hub-signature-256' is none: expected 'sha256=' and 64 hex digits"},
      {"github", "X-Hub-Signature-256", "sha256=" + std::string(64, 'g'),
       "malformed: the signature in 'x-hub-signature-256' is none: expected 'sha256=' and 64 hex digits"},
      {"github", "X-Hub-Signature-256", "sha256=" + std::string(64, '0'),
       std::string("forged: the signature in 'x-hub-signature-256' does not fit the body and the secret") +
           kSameSecret},
      {"gitea", "X-Gitea-Signature", "",
       std::string("not_signed: the signature in 'x-gitea-signature' is empty") + kSetSecret},
      {"gitea", "X-Gitea-Signature", "sha256=" + digest,
       "malformed: the signature in 'x-gitea-signature' is none: expected 64 hex digits"},
      {"gitea", "X-Gitea-Signature", std::string(64, 'a'),
       std::string("forged: the signature in 'x-gitea-signature' does not fit the body and the secret") +
           kSameSecret},
      {"forgejo", "X-Forgejo-Signature", std::string(64, 'a'),
       std::string("forged: the signature in 'x-forgejo-signature' does not fit the body and the secret") +
           kSameSecret},
      {"bitbucket_cloud", "X-Hub-Signature", "sha1=" + digest.substr(24),
       "not_signed: it is signed with SHA-1 only, in 'x-hub-signature' (SHA-1 proves nothing any more; "
       "update the forge, so that it signs with SHA-256)"},
      {"bitbucket_cloud", "X-Hub-Signature", "sha256=00",
       "malformed: the signature in 'x-hub-signature' is none: expected 'sha256=' and 64 hex digits"},
      {"gitlab", "X-Gitlab-Token", "",
       "not_signed: it has no 'x-gitlab-token' (set a secret token or a signing token for the webhook at "
       "GitLab)"},
      {"gitlab", "X-Gitlab-Token", "guess",
       "forged: the token in 'x-gitlab-token' is not the secret of the project (set the same secret token at "
       "GitLab and for the project)"},
      {"plain", "X-Runner-Timestamp", "yesterday",
       "malformed: there is no time in 'x-runner-timestamp': expected seconds since 1970"},
      {"plain", "X-Runner-Timestamp", "-5",
       "malformed: there is no time in 'x-runner-timestamp': expected seconds since 1970"},
      {"plain", "X-Runner-Timestamp", "999999999999999999999",
       "malformed: there is no time in 'x-runner-timestamp': expected seconds since 1970"},
      {"plain", "X-Runner-Timestamp", "1771844401",
       std::string("forged: the signature in 'x-runner-signature' does not fit the body and the secret") +
           kSameSecret},
  };
  for (const auto& [forge, header, value, expected] : cases) {
    Recorded recorded = signed_push(forge);
    recorded.set(header, value);
    EXPECT_EQ(outcome(recorded), expected) << forge << " " << header << ": " << value;
  }
}

TEST(VerifyWebhook, TheOldSignatureOfGithubAloneIsRefused) {
  Recorded recorded = signed_push("github");
  recorded.remove("X-Hub-Signature-256");
  recorded.set("X-Hub-Signature", "sha1=" + std::string(40, 'a'));
  EXPECT_EQ(outcome(recorded),
            "not_signed: it is signed with SHA-1 only, in 'x-hub-signature' (SHA-1 proves nothing any more; "
            "update the "
            "forge, so that it signs with SHA-256)");
  // Beside the new one, as GitHub sends it, it does not matter.
  recorded = signed_push("github");
  recorded.set("X-Hub-Signature", "sha1=" + std::string(40, 'a'));
  EXPECT_TRUE(outcome(recorded).starts_with("ok\n"));
}

TEST(VerifyWebhook, ABadSignatureIsNotMendedByAGoodOneOfAnotherForge) {
  Recorded recorded = signed_push("forgejo");
  recorded.set("X-Forgejo-Signature", std::string(64, '0'));
  EXPECT_TRUE(outcome(recorded).starts_with("forged: ")) << outcome(recorded);
  recorded = signed_push("gitea");
  recorded.set("X-Gitea-Signature", "");
  EXPECT_TRUE(outcome(recorded).starts_with("not_signed: ")) << outcome(recorded);
  recorded = signed_push("github");
  recorded.set("X-Runner-Signature", "sha256=" + std::string(64, '0'));
  recorded.set("X-Runner-Timestamp", "1771844400");
  EXPECT_TRUE(outcome(recorded).starts_with("forged: ")) << outcome(recorded);
}

TEST(VerifyWebhook, HeadersThatAreThereTwiceAreRefused) {
  Recorded recorded = signed_push("github");
  recorded.headers.emplace_back("x-hub-signature-256", recorded.header("X-Hub-Signature-256"));
  EXPECT_EQ(outcome(recorded), "malformed: the header 'x-hub-signature-256' is there twice");
  recorded = signed_push("github");
  recorded.headers.emplace_back("X-GITHUB-EVENT", "ping");
  EXPECT_EQ(outcome(recorded), "malformed: the header 'x-github-event' is there twice");
  recorded = signed_push("github");
  recorded.headers.emplace_back("X-GitHub-Delivery", "other");
  EXPECT_EQ(outcome(recorded), "malformed: the header 'x-github-delivery' is there twice");
}

TEST(VerifyWebhook, StrangersAreNotSigned) {
  EXPECT_TRUE(outcome({}).starts_with("not_signed: it has no signature of a forge that is known"))
      << outcome({});
  Recorded recorded = read_recorded("bitbucket_server_push");
  EXPECT_EQ(outcome(recorded), std::string("not_signed: it is of Bitbucket and not signed") + kSetSecret);
}

TEST(VerifyWebhook, BlanksAroundValuesDoNotMatter) {
  Recorded recorded = signed_push("github");
  recorded.set("X-Hub-Signature-256", " \t" + recorded.header("X-Hub-Signature-256") + " ");
  EXPECT_TRUE(outcome(recorded).starts_with("ok\n"));
}

TEST(VerifyWebhook, OurFormIsGoodForFiveMinutesEitherWay) {
  const Recorded recorded = signed_push("plain");
  const auto minutes = [](int count) { return std::chrono::minutes(count); };
  const auto one = std::chrono::milliseconds(1);
  EXPECT_TRUE(outcome(recorded, kWebhookSecret, recorded_time() + minutes(5)).starts_with("ok\n"));
  EXPECT_TRUE(outcome(recorded, kWebhookSecret, recorded_time() - minutes(5)).starts_with("ok\n"));
  EXPECT_EQ(outcome(recorded, kWebhookSecret, recorded_time() + minutes(5) + one),
            "stale: it was signed 5 m 00 s ago by 'x-runner-timestamp', and 5 m 00 s are allowed (set the "
            "clocks of both "
            "machines by NTP)");
  EXPECT_EQ(outcome(recorded, kWebhookSecret, recorded_time() - minutes(90)),
            "stale: it was signed 1 h 30 m ahead by 'x-runner-timestamp', and 5 m 00 s are allowed (set the "
            "clocks of both "
            "machines by NTP)");
  // Whoever does not know the secret learns nothing of the time.
  EXPECT_TRUE(outcome(recorded, "guess", recorded_time() + minutes(90)).starts_with("forged: "));
}

/// As GitLab sends it when the webhook has a signing token.
Recorded standard_push(const std::string& token, const std::string& timestamp = "1771844400") {
  Recorded recorded = read_recorded("gitlab_push");
  recorded.set("webhook-id", recorded.header("Idempotency-Key"));
  recorded.set("webhook-timestamp", timestamp);
  const std::string key = triggers::from_base64(token.substr(6)).value();
  const std::string text = recorded.header("webhook-id") + "." + timestamp + "." + recorded.body;
  recorded.set("webhook-signature",
               "v1," + triggers::to_base64(*triggers::from_hex(openssl_hmac(key, text))));
  return recorded;
}

TEST(VerifyWebhook, SigningTokensOfGitlabProveTheBody) {
  Recorded recorded = standard_push(kSigningToken);
  EXPECT_TRUE(outcome(recorded, kSigningToken).starts_with("ok\nforge: gitlab\nevent: push\n"))
      << outcome(recorded, kSigningToken);
  Recorded changed = recorded;
  changed.body.back() = ' ';
  EXPECT_TRUE(outcome(changed, kSigningToken).starts_with("forged: "));
  changed = recorded;
  changed.set("webhook-id", "another");
  EXPECT_TRUE(outcome(changed, kSigningToken).starts_with("forged: "));
  changed = recorded;
  changed.set("webhook-timestamp", "1771844401");
  EXPECT_TRUE(outcome(changed, kSigningToken).starts_with("forged: "));
  changed.set("webhook-timestamp", "soon");
  EXPECT_TRUE(outcome(changed, kSigningToken).starts_with("malformed: "));
  const std::string stale = outcome(standard_push(kSigningToken, "1771840000"), kSigningToken);
  EXPECT_TRUE(stale.starts_with("stale: ")) << stale;
}

TEST(VerifyWebhook, OneOfSeveralSigningTokensIsEnough) {
  Recorded recorded = standard_push(kSigningToken);
  const std::string good = recorded.header("webhook-signature");
  recorded.set("webhook-signature", "v1a,AAAA v1,AAAA " + good);
  EXPECT_TRUE(outcome(recorded, kSigningToken).starts_with("ok\n"));
  recorded.set("webhook-signature", "v1,AAAA " + good.substr(0, good.size() - 1));
  EXPECT_TRUE(outcome(recorded, kSigningToken).starts_with("forged: "));
  std::string many;
  for (int i = 0; i < 9; ++i) many += "v1,AAAA ";
  recorded.set("webhook-signature", many + good);
  EXPECT_TRUE(outcome(recorded, kSigningToken).starts_with("malformed: there are 10 signatures"));
}

TEST(VerifyWebhook, ASigningTokenIsNeverTakenAsAPlainSecret) {
  Recorded recorded = read_recorded("gitlab_push");
  recorded.set("X-Gitlab-Token", kSigningToken);
  EXPECT_EQ(outcome(recorded, kSigningToken),
            "not_signed: it has no 'webhook-signature' (the secret of the project is a signing token: set it "
            "as such at "
            "GitLab)");
  EXPECT_EQ(outcome(standard_push(kSigningToken), "whsec_!"),
            "no_secret: the secret of the project begins with 'whsec_' and is no signing token (take the "
            "whole token from "
            "GitLab: 'whsec_' and text in base64)");
  EXPECT_EQ(outcome(standard_push(kSigningToken), kWebhookSecret),
            "not_signed: it has no 'x-gitlab-token' (it is signed with a signing token: give the project "
            "that, which begins "
            "with 'whsec_')");
}

TEST(VerifyWebhook, LargeBodiesAreRefusedUnread) {
  Recorded recorded = read_recorded("github_push");
  recorded.body.assign(30U << 20U, ' ');
  recorded.set("X-Hub-Signature-256", "sha256=" + std::string(64, '0'));
  EXPECT_EQ(outcome(recorded), "too_large: the body has 30.0 MiB, and at most 25.0 MiB are read");
  recorded = read_recorded("github_push");
  recorded.body.append(triggers::kLargestWebhook - recorded.body.size(), ' ');
  sign(recorded);
  EXPECT_TRUE(outcome(recorded).starts_with("ok\n"));
  recorded.body += ' ';
  EXPECT_TRUE(outcome(recorded).starts_with("too_large: "));
}

TEST(VerifyWebhook, FormsThatCannotBeReadAreRefused) {
  for (const std::string body :
       {"", "payload", "other=1", "payload=%7", "payload=%zz", "payload={}&payload={}"}) {
    Recorded recorded = read_recorded("github_push_form");
    recorded.body = body;
    sign(recorded);
    const std::string text = outcome(recorded);
    EXPECT_TRUE(text.starts_with("bad_payload: ")) << body << ": " << text;
  }
}

TEST(Signature, HmacIsThatOfRfc4231) {
  const auto hmac = [](const std::string& key, std::initializer_list<std::string_view> parts) {
    return triggers::hmac_sha256(key, parts);
  };
  const auto hex = [](const char* text) { return triggers::from_hex(text).value(); };
  EXPECT_EQ(hmac("Jefe", {"what do ya want ", "for nothing?"}),
            hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  EXPECT_EQ(hmac(std::string(131, '\xaa'), {"Test Using Larger Than Block-Size Key - Hash Key First"}),
            hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
  EXPECT_EQ(hmac(std::string(20, '\x0b'), {"Hi There", ""}),
            hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
}

TEST(Signature, ReadsHexAndBase64AndNothingElse) {
  using triggers::from_base64;
  using triggers::from_hex;
  EXPECT_EQ(from_hex("00fFAb"), std::string("\0\xff\xab", 3));
  EXPECT_EQ(from_hex(""), "");
  for (const std::string text : {"0", "0g", "0x", " 0", "-1"})
    EXPECT_EQ(from_hex(text), std::nullopt) << text;
  EXPECT_EQ(from_base64("aGk="), "hi");
  EXPECT_EQ(from_base64("aA=="), "h");
  EXPECT_EQ(from_base64("aGlo"), "hih");
  EXPECT_EQ(triggers::to_base64("hi"), "aGk=");
  EXPECT_EQ(triggers::to_base64(""), "");
  for (const std::string text :
       {"", "a", "aGk", "a===", "====", "aG=k", "aGk= ", " aGk=", "aG k=aaa", "aGk-", "a\0b="}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
  EXPECT_EQ(from_base64(std::string(2000, 'A')), std::nullopt);
}

TEST(Signature, SecretsAreTheSameWhenTheyAre) {
  EXPECT_TRUE(triggers::same_secret("secret", "secret"));
  for (const std::string other : {"", "secre", "secrets", "Secret", "secreu"}) {
    EXPECT_FALSE(triggers::same_secret(other, "secret")) << other;
  }
  EXPECT_TRUE(triggers::same_bytes("", ""));
  EXPECT_FALSE(triggers::same_bytes("a", "b"));
  EXPECT_FALSE(triggers::same_bytes("a", "ab"));
}

}  // namespace
}  // namespace runner::test
