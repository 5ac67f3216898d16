// Data keys by the API: only who is on the server's machine may change them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "runner/storage/audit_table.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using http::testing::Client;
using ::testing::HasSubstr;

struct DataKeysTest : ApiTest {
  DataKeysTest() { keys_.report.lock()->keys = {{"key1", clock_.now(), true, 3}}; }
  /// As the server's own user, by its socket.
  Asked ask_here(const std::string& method, const std::string& path) {
    Client client = Client::unix_socket(dir_.path() / "socket");
    client.send(method + " " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    const auto answer = client.read_answer();
    return {answer.status, {}, answer.body};
  }
  std::vector<std::string> audited() {
    std::vector<std::string> lines;
    store_->read([&](storage::Tx& tx) {
      lines.clear();
      for (const auto& entry : storage::AuditLog(tx).after(0, 100, {.action = "key."}))
        lines.push_back(entry.line);
    });
    return lines;
  }
};

TEST_F(DataKeysTest, AreListedForAdminsWithoutTheirBytes) {
  const Asked asked = ask("GET", "/api/v1/keys");
  EXPECT_EQ(asked.status, 200);
  const nlohmann::json keys = asked.json().at("keys");
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].at("id"), "key1");
  EXPECT_EQ(keys[0].at("values"), 3);
  EXPECT_EQ(keys[0].size(), 4U);
}

TEST_F(DataKeysTest, AreChangedByTheSocketOnlyAndThatIsWrittenDownFirst) {
  const Asked refused = ask("POST", "/api/v1/keys/rotate");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("by its socket and without a token"));
  EXPECT_EQ(ask("DELETE", "/api/v1/keys/key1").status, 403);
  EXPECT_TRUE(audited().empty());
  const Asked changed = ask_here("POST", "/api/v1/keys/rotate");
  EXPECT_EQ(changed.status, 202);
  EXPECT_EQ(changed.json().at("keys")[0].at("id"), "key2");
  EXPECT_EQ(changed.json().at("renewing"), true);
  ASSERT_EQ(audited().size(), 1U);
  EXPECT_THAT(audited()[0], HasSubstr("key.changed"));
}

TEST_F(DataKeysTest, OnlyOneThatNothingNeedsIsRemoved) {
  ask_here("POST", "/api/v1/keys/rotate");
  EXPECT_EQ(ask_here("DELETE", "/api/v1/keys/nothing").status, 404);
  EXPECT_EQ(ask_here("DELETE", "/api/v1/keys/key2").status, 409) << "it seals";
  EXPECT_EQ(ask_here("DELETE", "/api/v1/keys/key1").status, 409) << "values need it";
  for (auto& key : keys_.report.lock()->keys) key.values = 0;
  EXPECT_EQ(ask_here("DELETE", "/api/v1/keys/key1").status, 204);
  EXPECT_EQ(keys_.report.lock()->keys.size(), 1U);
  ASSERT_EQ(audited().size(), 2U) << "what was refused was not done";
  EXPECT_THAT(audited()[1], HasSubstr("key.removed"));
}

}  // namespace
}  // namespace runner::api
