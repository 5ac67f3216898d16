// Webhooks of every forge, with polling off: from the push and the delivery to a green pipeline; and what is
// no proof of a push, which nothing comes of.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "runner/base/clock.h"
#include "runner/base/text.h"
#include "runner/storage/delivery_table.h"
#include "runner/storage/store.h"
#include "tests/daemon/pushed_repository.h"
#include "tests/support/sanitized.h"
#include "tests/triggers/webhook_support.h"

namespace runner::test {
namespace {

using http::testing::Answer;
using http::testing::Client;
using nlohmann::json;

/// The recorded delivery of a push as the forge would send it of this one, signed.
Recorded delivery_of(const std::string& name, const std::string& before, const std::string& after,
                     const std::string& id, const std::string& secret = kWebhookSecret) {
  Recorded recorded = read_recorded(name);
  sign(recorded);
  recorded.set("X-Runner-Timestamp", "1771844400");
  sign(recorded);
  const auto hint = std::get<triggers::Hint>(
      triggers::parse_webhook(std::get<triggers::VerifiedDelivery>(verify(recorded))));
  const auto replace = [&](const std::string& from, const std::string& to) {
    if (from.empty()) return;
    for (std::size_t at = 0; (at = recorded.body.find(from, at)) != std::string::npos; at += to.size())
      recorded.body.replace(at, from.size(), to);
    for (auto& [header, value] : recorded.headers) {
      if (value == from) value = to;
    }
  };
  replace(hint.refs.at(0).before, before);
  replace(hint.refs.at(0).after, after);
  replace("refs/heads/master", "refs/heads/main");
  replace(hint.delivery_id, id);
  const auto now = std::chrono::floor<std::chrono::seconds>(SystemClock().now());
  if (recorded.forge == triggers::Forge::plain)
    recorded.set("X-Runner-Timestamp", std::to_string(now.time_since_epoch().count()));
  else
    recorded.remove("X-Runner-Timestamp");
  sign(recorded, secret);
  return recorded;
}

std::string fields_of(const Recorded& recorded) {
  std::string fields;
  for (const auto& [name, value] : recorded.headers) fields += name + ": " + value + "\r\n";
  return fields;
}

struct WebhookTest : testing::TestWithParam<const char*> {
  /// A project that is looked at once when it is added, and then when a webhook says so.
  void SetUp() override {
    const std::string url = repository.serve_http();
    server.start();
    first = repository.push("http");
    server.api("POST", "/projects",
               {{"name", "shop"},
                {"url", url},
                {"username", PushedRepository::kUser},
                {"token", PushedRepository::kToken},
                {"webhook_secret", kWebhookSecret},
                {"poll_interval_seconds", 0}});
    expect_green(server, server.wait_for(1).at(0), first);
    ASSERT_EQ(looks(), 1);
  }
  double looks() const { return server.metric("runner_repository_looks_total{result=\"success\"}"); }

  /// By TCP, as from elsewhere.
  Answer deliver(const Recorded& recorded, const std::string& project = "shop") const {
    Client client = Client::tcp(server.port());
    client.send(request_text("POST", "/hooks/" + project, fields_of(recorded), recorded.body));
    return client.read_answer();
  }
  std::vector<storage::DeliveryRecord> pending() const {
    std::vector<storage::DeliveryRecord> found;
    const auto store = storage::open_file_store(server.data() / "runner.db", SystemClock());
    store->read([&](storage::Tx& tx) { found = storage::Deliveries(tx).pending(1000); });
    return found;
  }

  PushedRepository repository;
  ServerProgram server{repository.top() / "data"};
  std::string first;
};

TEST_P(WebhookTest, MakesAPipelineOfThePushOnce) {
  const std::string second = repository.push("http");
  const Recorded recorded = delivery_of(GetParam(), first, second, "delivery-0001");
  const Answer taken = deliver(recorded);
  EXPECT_EQ(taken.status, 202) << taken.body;
  EXPECT_EQ(json::parse(taken.body).at("state"), "stored");
  expect_green(server, server.wait_for(2).at(1), second);
  EXPECT_EQ(looks(), 2);
  const Answer again = deliver(recorded);
  EXPECT_EQ(again.status, 200) << again.body;
  EXPECT_EQ(json::parse(again.body).at("state"), "known");

  // A look that comes after the replay shows that nothing came of it.
  const std::string third = repository.push("http");
  EXPECT_EQ(deliver(delivery_of(GetParam(), second, third, "delivery-0002")).status, 202);
  expect_green(server, server.wait_for(3).at(2), third);
  EXPECT_EQ(server.pipelines().size(), 3U);
  EXPECT_EQ(looks(), 3);
}

TEST_P(WebhookTest, RefusesWhatProvesNothing) {
  const std::string second = repository.push("http");
  const auto good = [&](const std::string& id) { return delivery_of(GetParam(), first, second, id); };
  const Answer forged = deliver(delivery_of(GetParam(), first, second, "d1", "not the secret"));
  EXPECT_EQ(forged.status, 401) << forged.body;
  EXPECT_EQ(forged.header("www-authenticate"), "Signature");

  // A project that does not exist looks the same from outside.
  for (const char* secret : {"not the secret", kWebhookSecret}) {
    const Answer unknown = deliver(delivery_of(GetParam(), first, second, "d1", secret), "no-such-project");
    EXPECT_EQ(unknown.status, forged.status);
    EXPECT_EQ(unknown.header("www-authenticate"), forged.header("www-authenticate"));
    json body = json::parse(unknown.body), forged_body = json::parse(forged.body);
    for (json* each : {&body, &forged_body}) {
      each->erase("instance");
      each->erase("request_id");
    }
    EXPECT_EQ(body, forged_body);
  }

  Recorded bare = good("d2");
  std::erase_if(bare.headers, [](const auto& header) {
    const std::string name = to_lower(header.first);
    return name.find("signature") != std::string::npos || name == "x-gitlab-token";
  });
  EXPECT_EQ(deliver(bare).status, 401);

  if (bare.forge != triggers::Forge::gitlab) {  // which signs no content
    Recorded changed = good("d3");
    changed.body.replace(changed.body.find(second), 40, std::string(40, 'e'));
    EXPECT_EQ(deliver(changed).status, 401);
  }
  Recorded cut = good("d4");
  cut.body.resize(cut.body.size() / 2);
  sign(cut);
  EXPECT_EQ(deliver(cut).status, 422);
  {
    // Less than announced, and gone.
    const Recorded whole = good("d5");
    Client client = Client::tcp(server.port());
    const std::string text = request_text("POST", "/hooks/shop", fields_of(whole), whole.body);
    client.send(std::string_view(text).substr(0, text.size() - 10));
    client.half_close();
    const Answer answer = client.read_answer();
    EXPECT_TRUE(answer.status == 0 || answer.status == 400) << answer.status;
  }
  EXPECT_TRUE(pending().empty());
  EXPECT_EQ(looks(), 1);

  // Proven, and of no push that there was: a hint, which makes nothing of itself.
  Recorded other = delivery_of(GetParam(), std::string(40, 'a'), std::string(40, 'b'), "d6");
  const auto replace = [&](std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = other.body.find(from, at)) != std::string::npos; at += to.size())
      other.body.replace(at, from.size(), to);
  };
  replace("https://", "http://169.254.169.254/");
  replace("refs/heads/main", "refs/heads/none");
  replace("\"name\":\"main\"", "\"name\":\"none\"");
  sign(other);
  EXPECT_EQ(deliver(other).status, 202);
  // What it makes is what the repository has.
  expect_green(server, server.wait_for(2).at(1), second);
  Recorded nothing = delivery_of(GetParam(), second, std::string(40, 'c'), "d7");
  EXPECT_EQ(deliver(nothing).status, 202);
  server.wait_until("a look for the second hint", [&] { return looks() == 3 && pending().empty(); });
  EXPECT_EQ(server.pipelines().size(), 2U);
  EXPECT_EQ(server.ask("GET", "/healthz").status, 200);
}

INSTANTIATE_TEST_SUITE_P(Of, WebhookTest,
                         testing::Values("github_push", "gitlab_push", "gitea_push", "forgejo_push",
                                         "bitbucket_cloud_push", "bitbucket_server_push", "plain_push"),
                         [](const auto& one) { return std::string(one.param); });

using HugeWebhookTest = WebhookTest;

TEST_P(HugeWebhookTest, AreRefusedAtOnceWithoutTakingMemory) {
  constexpr std::size_t kSize = 30U << 20U;
  const double before = server.metric("process_resident_memory_bytes");
  const std::string body(kSize, ' ');
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) {
    Client& client = clients.emplace_back(Client::tcp(server.port()));
    if (i % 2 == 0) {
      client.send(request_text("POST", "/hooks/shop", "Content-Type: application/json\r\n", body));
    } else {
      client.send("POST /hooks/shop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
      const std::string chunk = "100000\r\n" + body.substr(0, 1U << 20U) + "\r\n";
      for (int megabytes = 0; megabytes < 30 && client.send(chunk); ++megabytes) {
      }
    }
  }
  for (Client& client : clients) {
    EXPECT_EQ(client.read_head().status, 413);
    client.close();
  }
  // Eight bodies would be 240 MiB. What is freed stays with a sanitizer for a while.
  constexpr double kMost = kSanitized ? 1e9 : 60e6;
  EXPECT_LT(server.metric("process_resident_memory_bytes") - before, kMost);
  EXPECT_TRUE(pending().empty());
  EXPECT_EQ(looks(), 1);
  const std::string second = repository.push("http");
  EXPECT_EQ(deliver(delivery_of(GetParam(), first, second, "after")).status, 202);
  expect_green(server, server.wait_for(2).at(1), second);
}

INSTANTIATE_TEST_SUITE_P(Of, HugeWebhookTest, testing::Values("github_push"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace runner::test
