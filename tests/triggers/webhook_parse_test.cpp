#include <gtest/gtest.h>

#include "runner/base/digest.h"
#include "runner/base/text.h"
#include "tests/triggers/webhook_support.h"

namespace runner::test {
namespace {

/// The outcome of a recorded delivery, signed, with its body replaced.
std::string with_body(const std::string& name, const std::string& body) {
  Recorded recorded = read_recorded(name);
  recorded.body = body;
  sign(recorded);
  return outcome(recorded);
}

/// ... with a text in its body replaced, everywhere.
std::string with(const std::string& name, const std::string& from, const std::string& to) {
  const std::string body = read_recorded(name).body;
  EXPECT_NE(body.find(from), std::string::npos) << name << " has no " << from;
  return with_body(name, replace_all(body, from, to));
}

TEST(ParseWebhook, TheSameDeliveryHasTheSameIdWheneverItComes) {
  for (const std::string& name : recorded_names()) {
    Recorded recorded = read_recorded(name);
    sign(recorded);
    const std::string first = outcome(recorded);
    EXPECT_EQ(outcome(recorded, kWebhookSecret, recorded_time() + std::chrono::minutes(2)), first) << name;
  }
}

triggers::Hint hint_of(const Recorded& recorded, const std::string& secret = kWebhookSecret) {
  const auto verified = verify(recorded, secret);
  EXPECT_TRUE(std::holds_alternative<triggers::VerifiedDelivery>(verified)) << outcome(recorded, secret);
  const auto parsed = triggers::parse_webhook(std::get<triggers::VerifiedDelivery>(verified));
  EXPECT_TRUE(std::holds_alternative<triggers::Hint>(parsed)) << outcome(recorded, secret);
  return std::get<triggers::Hint>(parsed);
}

TEST(ParseWebhook, IdsComeFromTheHeaderElseFromTheBody) {
  Recorded recorded = read_recorded("gitlab_push");
  sign(recorded);
  const std::string key = recorded.header("Idempotency-Key");
  const std::string event = recorded.header("X-Gitlab-Event-UUID");
  EXPECT_EQ(hint_of(recorded).delivery_id, key);
  recorded.remove("Idempotency-Key");
  EXPECT_EQ(hint_of(recorded).delivery_id, event);
  recorded.set("webhook-id", "msg_1");
  EXPECT_EQ(hint_of(recorded).delivery_id, "msg_1");
  recorded.remove("webhook-id");
  recorded.set("X-Gitlab-Event-UUID", "");
  EXPECT_EQ(hint_of(recorded).delivery_id, sha256_hex(recorded.body));
  EXPECT_EQ(hint_of(recorded).body_digest, sha256_hex(recorded.body));
}

TEST(ParseWebhook, OfOurFormABodyWithoutIdIsAnotherDeliveryAtAnotherTime) {
  Recorded recorded = read_recorded("plain_push_one");
  sign(recorded);
  const auto first = hint_of(recorded);
  EXPECT_EQ(first.delivery_id, sha256_hex("1771844400." + recorded.body));
  recorded.set("X-Runner-Timestamp", "1771844401");
  sign(recorded);
  EXPECT_NE(hint_of(recorded).delivery_id, first.delivery_id);
  EXPECT_EQ(hint_of(recorded).body_digest, first.body_digest);
}

TEST(ParseWebhook, AReplayUnderAnotherIdIsKnownByItsDigest) {
  Recorded recorded = read_recorded("github_push");
  sign(recorded);
  const auto first = hint_of(recorded);
  recorded.set("X-GitHub-Delivery", "another");
  const auto second = hint_of(recorded);
  EXPECT_NE(first.delivery_id, second.delivery_id);
  EXPECT_EQ(first.body_digest, second.body_digest);
}

TEST(ParseWebhook, IdsThatAreNoneAreRefused) {
  Recorded recorded = read_recorded("github_push");
  sign(recorded);
  for (const std::string& id :
       {std::string("two words"), std::string("line\nend"), std::string(201, 'a'), std::string("\xc3\xbc")}) {
    recorded.set("X-GitHub-Delivery", id);
    EXPECT_EQ(outcome(recorded),
              "malformed: the header 'x-github-delivery' holds no id of 1 to 200 characters without blanks");
  }
}

constexpr const char* kGithub = "bad_payload: a webhook of 'github': the payload ";

TEST(ParseWebhook, HostileJsonGivesAnErrorAndNoCrash) {
  const std::string open(100'000, '[');
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += R"({"a":)";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "cannot be read: it is no JSON, by byte 1"},
      {"null", "cannot be read: it is no object"},
      {"[]", "cannot be read: it is no object"},
      {"7", "cannot be read: it is no object"},
      {"\"text\"", "cannot be read: it is no object"},
      {"{", "cannot be read: it is no JSON, by byte 2"},
      {"{}{}", "cannot be read: it is no JSON, by byte 3"},
      {"{'ref': 1}", "cannot be read: it is no JSON, by byte 2"},
      {"{\"a\": 01}", "cannot be read: it is no JSON, by byte 8"},
      {"{\"a\": NaN}", "cannot be read: it is no JSON, by byte 7"},
      {"{\"a\": 1e999}", "cannot be read: it has a number that is too large, by byte 11"},
      {"{\"a\": \"\xff\"}", "cannot be read: it is no JSON, by byte 8"},
      {"{\"a\": \"\xed\xa0\x80\"}", "cannot be read: it is no JSON, by byte 9"},
      {"{\"a\": \"\\ud800\"}", "cannot be read: it is no JSON, by byte 14"},
      {"{\"a\": \"" + std::string(1, '\0') + "\"}", "cannot be read: it is no JSON, by byte 8"},
      {open, "cannot be read: it is no object"},
      {"{\"a\":" + open, "cannot be read: it is nested deeper than 64 levels"},
      {"{\"head_commit\":" + open, "cannot be read: it is nested deeper than 64 levels"},
      {deep, "cannot be read: it is nested deeper than 64 levels"},
      {R"({"ref": "refs/heads/a", "ref": "refs/heads/b"})", "cannot be read: it has the key 'ref' twice"},
      {R"({"head_commit": {}, "head_commit": {"id": "x"}})",
       "cannot be read: it has the key 'head_commit' twice"},
      {"{}", "has no text at 'before'"},
  };
  for (const auto& [body, expected] : cases)
    EXPECT_EQ(with_body("github_push", body), kGithub + expected) << body.substr(0, 50);
}

TEST(ParseWebhook, WhatIsNotUsedMayBeAnything) {
  const std::string odd =
      R"({"x": 1, "x": [1e300, -5, 123456789012345678901234567890], "zen": {"ref": 7}, "commits": [[[[]]]], )";
  EXPECT_TRUE(with("github_push", "{\"ref\"", odd + "\"ref\"").starts_with("ok\n"));
}

TEST(ParseWebhook, RefsIdsAndNumbersAreChecked) {
  const std::vector<std::array<std::string, 4>> cases = {
      {"github_push", "refs/heads/main", "main", "no name of a ref at 'ref'"},
      {"github_push", "refs/heads/main", "refs/heads/../../etc", "no name of a ref at 'ref'"},
      {"github_push", "refs/heads/main", "refs/heads/a b", "no name of a ref at 'ref'"},
      {"github_push", "refs/heads/main", "refs/heads/--upload-pack=x", "no name of a ref at 'ref'"},
      {"github_push", "refs/heads/main", "refs/heads/a\\u0000b", "no name of a ref at 'ref'"},
      {"github_push", "refs/heads/main", "refs/heads/" + std::string(1000, 'a'), "no name of a ref at 'ref'"},
      {"github_push", "\"before\":\"", "\"before\":\"0", "no commit id of 40 or 64 hex digits at 'before'"},
      {"github_push", "\"after\":\"", "\"after\":\"g", "no commit id of 40 or 64 hex digits at 'after'"},
      {"github_push", "\"before\":\"", "\"before\":\"000000000000000000000000",
       "commit ids of two lengths at 'after'"},
      {"github_push_deleted", "\"before\": \"", "\"before\": null, \"x\": \"", "no text at 'before'"},
      {"github_pull_request_opened", "\"number\": 217", "\"number\": 0",
       "no number from 1 to 2147483647 at 'number'"},
      {"github_pull_request_opened", "\"number\": 217", "\"number\": -1",
       "no number from 1 to 2147483647 at 'number'"},
      {"github_pull_request_opened", "\"number\": 217", "\"number\": 2147483648",
       "no number from 1 to 2147483647 at 'number'"},
      {"github_pull_request_opened", "\"number\": 217", "\"number\": 1.5",
       "no number from 1 to 2147483647 at 'number'"},
      {"github_pull_request_opened", "\"number\": 217", "\"number\": 18446744073709551615",
       "no number from 1 to 2147483647 at 'number'"},
      {"github_pull_request_opened", "\"number\": 217", "\"number\": \"217\"",
       "no number from 1 to 2147483647 at 'number'"},
      {"github_pull_request_opened", "\"ref\": \"slow-lamp\"", "\"ref\": \"-slow\"",
       "no name of a ref at 'pull_request.head.ref'"},
      {"github_pull_request_opened", "\"ref\": \"slow-lamp\"", "\"ref\": [\"slow\"]",
       "no text at 'pull_request.head.ref'"},
      {"github_pull_request_merged", "\"merged\": true", "\"merged\": \"yes\"",
       "neither true nor false at 'pull_request.merged'"},
      {"gitlab_merge_request_open", "\"iid\": 88", "\"iid\": null",
       "no number from 1 to 2147483647 at 'object_attributes.iid'"},
      {"gitlab_push", "\"object_kind\":\"push\"", "\"object_kind\":5", "no text at 'object_kind'"},
      {"bitbucket_cloud_push_several", "\"type\": \"tag\"", "\"type\": \"bookmark\"",
       "neither 'branch' nor 'tag' at 'push.changes[3].new.type'"},
      {"bitbucket_cloud_push_several", "\"name\": \"v3.1\"", "\"name\": \"v3..1\"",
       "no name of a ref at 'push.changes[3].new.name'"},
      {"bitbucket_cloud_pull_request_created", "\"source\": {", "\"source\": 5, \"y\": {",
       "no object at 'pullrequest.source'"},
      {"bitbucket_server_push", "repo:refs_changed", "pr:opened",
       "another event than the header 'x-event-key' at 'eventKey'"},
      {"bitbucket_server_push", "\"changes\": [", "\"changes\": [], \"y\": [", "no changes at 'changes'"},
      {"bitbucket_server_pull_request_opened", "\"id\": \"refs/heads/master\"",
       "\"id\": \"refs/tags/master\"", "no branch at 'pullRequest.toRef.id'"},
      {"plain_push", "\"event\": \"push\"", "\"event\": \"pull\"",
       "neither push, merge_request nor ping at 'event'"},
      {"plain_push", "\"event\": \"push\"", "\"event\": \"ping\"",
       "refs, which belong to the event 'push' at 'refs'"},
      {"plain_push", "\"event\": \"push\"", "\"evnt\": \"push\"",
       "the unknown key 'evnt', did you mean 'event'?"},
      {"plain_push", "\"after\"", "\"aftr\"", "the unknown key 'aftr', did you mean 'after'? at 'refs[0]'"},
      {"plain_push", "\"id\": \"mirror-4711\"", "\"id\": \"\"",
       "no id of 1 to 200 characters without blanks at 'id'"},
      {"plain_merge_request", "\"opened\"", "\"open\"",
       "neither opened, updated, merged nor closed at 'merge_request.action'"},
  };
  for (const auto& [name, from, to, expected] : cases) {
    const std::string forge(to_string(read_recorded(name).forge));
    EXPECT_EQ(with(name, from, to), "bad_payload: a webhook of '" + forge + "': the payload has " + expected)
        << to;
  }
}

TEST(ParseWebhook, RefsThatNeitherWereNorAreAreRefused) {
  Recorded recorded = read_recorded("github_push_created");
  const std::string zeros(40, '0');
  recorded.body = R"({"ref": "refs/heads/a", "before": ")" + zeros + R"(", "after": ")" + zeros + R"("})";
  sign(recorded);
  EXPECT_EQ(outcome(recorded), std::string(kGithub) + "has a ref that neither was nor is at 'after'");
  EXPECT_EQ(with_body("bitbucket_cloud_push", R"({"push": {"changes": [{"old": null, "new": null}]}})"),
            "bad_payload: a webhook of 'bitbucket_cloud': the payload has a ref that neither was nor is at "
            "'push.changes[0]'");
}

TEST(ParseWebhook, ListsAreBounded) {
  const auto body = [](std::size_t count) {
    std::string text = R"({"refs": [)";
    for (std::size_t i = 0; i < count; ++i)
      text += (i > 0 ? "," : "") + std::string(R"({"ref": "refs/heads/a"})");
    return text + "]}";
  };
  EXPECT_TRUE(with_body("plain_push", body(10'000)).starts_with("ok\n"));
  EXPECT_EQ(with_body("plain_push", body(10'001)),
            "bad_payload: a webhook of 'plain': the payload cannot be read: it has a list with more than "
            "10000 items");
  std::string keys = "{";
  for (int i = 0; i < 1001; ++i) keys += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\": 1";
  EXPECT_EQ(
      with_body("plain_push", keys + "}"),
      "bad_payload: a webhook of 'plain': the payload cannot be read: it has an object with too many keys");
}

TEST(ParseWebhook, NamesOfUsersAreFitToBeShown) {
  const auto user = [](const std::string& name) {
    const std::string text = with("plain_push", "\"user\": \"mirror\"", "\"user\": \"" + name + "\"");
    const auto start = text.find("user: ") + 6;
    return text.starts_with("ok\n") ? text.substr(start, text.find('\n', start) - start) : text;
  };
  EXPECT_EQ(user("J\xc3\xb6rg W\xc3\xa4rter"), "J\xc3\xb6rg W\xc3\xa4rter");
  EXPECT_EQ(user("\\u001b[31mred\\u0007\\n\\u0000"), "[31mred");
  EXPECT_EQ(user("a\\u202eb\\u2066c\\u009bd\\u200fe"), "abcde");
  EXPECT_EQ(user("   "), "-");
  EXPECT_EQ(user(std::string(500, 'x')), std::string(200, 'x'));
  EXPECT_EQ(user(std::string(199, 'x') + "\xc3\xb6"), std::string(199, 'x'));
}

TEST(ParseWebhook, UrlsOfPayloadsAreNotRead) {
  for (const std::string& name : recorded_names()) {
    Recorded recorded = read_recorded(name);
    sign(recorded);
    EXPECT_EQ(outcome(recorded).find("://"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace runner::test
