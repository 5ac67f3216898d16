// Webhooks as forges send them, and as they do not.
#include <nlohmann/json.hpp>

#include "runner/base/text.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/delivery_table.h"
#include "tests/api/api_harness.h"
#include "tests/triggers/webhook_support.h"

namespace runner::api {
namespace {

using http::testing::Client;
using nlohmann::json;
using test::Recorded;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ApiWebhookTest : public ApiTest {
 protected:
  ApiWebhookTest() {
    clock_.set(test::recorded_time());
    add_secret(shop_, test::kWebhookSecret);
  }

  void add_secret(std::int64_t project, const std::string& secret) {
    storage::CredentialRecord record;
    record.project = project;
    record.kind = storage::CredentialKind::webhook_secret;
    record.created_at = clock_.now();
    store_->write([&](storage::Tx& tx) { storage::Credentials(tx, sealer_).insert(record, secret); });
  }

  Asked send(const Recorded& recorded, const std::string& project = "shop") {
    std::string fields;
    for (const auto& [name, value] : recorded.headers) {
      const std::string lower = to_lower(name);
      if (lower != "host" && lower != "content-length" && lower != "connection")
        fields.append(name).append(": ").append(value).append("\r\n");
    }
    return ask_with("POST", "/hooks/" + project, fields, recorded.body);
  }

  std::vector<storage::DeliveryRecord> stored() {
    std::vector<storage::DeliveryRecord> deliveries;
    store_->read([&](storage::Tx& tx) { deliveries = storage::Deliveries(tx).pending(1000); });
    return deliveries;
  }
};

Recorded signed_one(const std::string& name, const std::string& secret = test::kWebhookSecret) {
  Recorded recorded = test::read_recorded(name);
  test::sign(recorded, secret);
  return recorded;
}

TEST_F(ApiWebhookTest, EveryRecordedOneIsStoredOnceAndItsReplayIsKnown) {
  const auto names = test::recorded_names();
  ASSERT_GT(names.size(), 40U);
  std::size_t replays_of_others = 0;
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    clock_.pass(std::chrono::seconds(5));  // for the limit of the project
    const Recorded recorded = signed_one(name);
    const std::size_t before = stored().size();
    const Asked first = send(recorded);
    ASSERT_TRUE(first.status == 202 || first.status == 200) << first.body;
    // Recorded ones share their ids where one was made of the other.
    if (first.status == 200) ++replays_of_others;
    EXPECT_EQ(stored().size(), before + (first.status == 202 ? 1 : 0));
    const Asked again = send(recorded);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.json().at("state"), "known");
    EXPECT_EQ(again.json().at("forge"), std::string(to_string(recorded.forge)));
    EXPECT_EQ(stored().size(), before + (first.status == 202 ? 1 : 0));
  }
  EXPECT_EQ(actions_.take().size(), names.size() - replays_of_others);
  EXPECT_LT(replays_of_others, names.size() / 2);
}

TEST_F(ApiWebhookTest, WhatItSaidIsKept) {
  Recorded recorded = test::read_recorded("plain_push_one");
  recorded.body = R"({"id":"one","event":"push","user":"kim","refs":[{"ref":"refs/heads/main","before":")" +
                  std::string(40, 'a') + R"(","after":")" + std::string(40, 'b') + R"("}]})";
  test::sign(recorded);
  const Asked asked = send(recorded);
  EXPECT_EQ(asked.json(), json::parse(R"({"state":"stored","forge":"plain","event":"push"})"));
  const auto deliveries = stored();
  ASSERT_EQ(deliveries.size(), 1U);
  EXPECT_EQ(deliveries[0].key, "plain:one");
  EXPECT_EQ(deliveries[0].event, "push");
  EXPECT_EQ(deliveries[0].received_at, clock_.now());
  EXPECT_EQ(json::parse(deliveries[0].hint),
            json::parse(R"({"forge":"plain","event":"push","user":"kim","head":")" + std::string(40, 'b') +
                        R"(","refs":[{"ref":"refs/heads/main","before":")" + std::string(40, 'a') +
                        R"(","after":")" + std::string(40, 'b') +
                        R"(","created":false,"deleted":false}],"cut":false,"merge_request":null})"));
  EXPECT_THAT(actions_.take(), ElementsAre("delivery " + std::to_string(shop_)));
}

TEST_F(ApiWebhookTest, OldAndNewSecretBothCountWhileOneTakesTheOthersPlace) {
  add_secret(shop_, "new one");
  EXPECT_EQ(send(signed_one("github_push")).status, 202);
  EXPECT_EQ(send(signed_one("github_tag", "new one")).status, 202);
  EXPECT_EQ(send(signed_one("github_ping", "third")).status, 401);
}

TEST_F(ApiWebhookTest, WhatIsNotProvenIsRefused) {
  std::map<std::string, Recorded> cases;
  for (const char* name : {"github_push", "gitlab_push", "gitea_push", "forgejo_push", "bitbucket_cloud_push",
                           "bitbucket_server_push", "plain_push"}) {
    cases[std::string(name) + " of another secret"] = signed_one(name, "wrong");
    cases[std::string(name) + " without signature"] = test::read_recorded(name);
  }
  Recorded changed = signed_one("github_push");
  changed.body += " ";
  cases["changed on its way"] = changed;
  for (const auto& [what, recorded] : cases) {
    SCOPED_TRACE(what);
    clock_.pass(std::chrono::seconds(3));
    const Asked asked = send(recorded);
    EXPECT_EQ(asked.status, 401);
    EXPECT_EQ(asked.headers.at("www-authenticate"), "Signature");
    EXPECT_EQ(asked.body.find("s3cret"), std::string::npos);
  }
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_THAT(actions_.take(), IsEmpty());
}

TEST_F(ApiWebhookTest, OldOnesProjectsWithoutSecretAndUnknownProjectsAreRefused) {
  add_project("blog");
  const Asked forged = send(signed_one("github_push", "wrong"));
  EXPECT_EQ(forged.status, 401);
  // Nobody learns from the answer which projects there are.
  for (const char* project : {"blog", "none"}) {
    const Asked asked = send(signed_one("github_push"), project);
    EXPECT_EQ(asked.status, 401) << project;
    EXPECT_EQ(asked.json().at("detail"), forged.json().at("detail")) << project;
  }
  const Recorded plain = signed_one("plain_push");
  clock_.pass(std::chrono::minutes(6));
  const Asked stale = send(plain);
  EXPECT_EQ(stale.status, 401);
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(ApiWebhookTest, SecretThatDoesNotOpenIsAMatterOfTheServer) {
  const storage::Sealer other(storage::Secret::copy_of(std::string(storage::kDataKeySize, 'o')));
  storage::CredentialRecord record;
  record.project = add_project("blog");
  record.kind = storage::CredentialKind::webhook_secret;
  store_->write([&](storage::Tx& tx) { storage::Credentials(tx, other).insert(record, "x"); });
  const Asked asked = send(signed_one("github_push", "x"), "blog");
  EXPECT_EQ(asked.status, 500);
  EXPECT_EQ(asked.body.find("key"), std::string::npos);
}

TEST_F(ApiWebhookTest, SignedNonsenseIsRefused) {
  Recorded recorded = test::read_recorded("github_push");
  for (const char* body : {"", "{", "[]", "{\"ref\":7}"}) {
    recorded.body = body;
    test::sign(recorded);
    EXPECT_EQ(send(recorded).status, 422) << body;
  }
  EXPECT_THAT(stored(), IsEmpty());
}

TEST_F(ApiWebhookTest, LargeOnesAreTakenUpToTheLimitAndNotBeyond) {
  Recorded recorded = test::read_recorded("plain_push");
  recorded.body += std::string(3U << 20U, ' ');
  test::sign(recorded);
  EXPECT_EQ(send(recorded).status, 202);
  Client client = connect();
  client.send("POST /hooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(30U << 20U) +
              "\r\n\r\n");
  const auto answer = client.read_answer();  // before a byte of it came
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("\"status\":413"));
  Client chunked = connect();
  chunked.send("POST /hooks/shop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "100000\r\n" + std::string(1U << 20U, ' ') + "\r\n";
  for (int megabytes = 0; megabytes < 30 && chunked.send(chunk); ++megabytes) {
  }
  EXPECT_EQ(chunked.read_head().status, 413);
}

TEST_F(ApiWebhookTest, ForgerIsHeldOffWithoutHarmToOtherProjects) {
  add_secret(add_project("blog"), test::kWebhookSecret);
  int refused = 0;
  Asked asked;
  do asked = send(signed_one("github_push", "wrong"));
  while (asked.status == 401 && ++refused < 100);
  EXPECT_EQ(refused, 20);
  EXPECT_EQ(asked.status, 429);
  EXPECT_EQ(asked.headers.at("retry-after"), "3");
  EXPECT_EQ(send(signed_one("github_push"), "blog").status, 202);
  clock_.pass(std::chrono::seconds(3));
  EXPECT_EQ(send(signed_one("github_push")).status, 202);
}

TEST_F(ApiWebhookTest, ProjectTakesSixtyAMinute) {
  add_secret(add_project("blog"), test::kWebhookSecret);
  const Recorded recorded = signed_one("github_push");
  EXPECT_EQ(send(recorded).status, 202);
  for (int more = 1; more < 60; ++more) EXPECT_EQ(send(recorded).status, 200);
  const Asked refused = send(recorded);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_EQ(send(recorded, "blog").status, 202);
  clock_.pass(std::chrono::seconds(1));
  EXPECT_EQ(send(recorded).status, 200);
}

}  // namespace
}  // namespace runner::api
