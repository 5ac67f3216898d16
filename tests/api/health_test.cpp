// Who learns how the server is, and how much of it; and what is counted of who was let in.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using http::testing::Client;
using About = HealthQuestion::About;

class HealthTest : public ApiTest {
 protected:
  HealthTest() { *actions_.how_it_is.lock() = {true, "{\"status\": \"ok\"}\n", {}}; }
  /// What the server was asked last.
  HealthQuestion asked() { return actions_.health_questions.lock()->back(); }
  std::uint64_t attempts(AuthMethod method, AuthResult result) const {
    return api_->access_counts().attempts(method, result);
  }
};

TEST_F(HealthTest, DetailIsForThisMachineAndForThoseWithAToken) {
  constexpr const char* kProxy = "X-Forwarded-For: 203.0.113.7\r\n";
  const std::string disabled = add_token(users_["dora"], storage::Role::developer);
  store_->write([&](storage::Tx& tx) {
    const auto token = storage::Tokens(tx).of_user(users_["dora"]).back();
    storage::Tokens(tx).revoke(token.id, clock_.now());
  });
  struct Case {
    const char* what;
    std::string fields;
    bool page, probes;  // of /healthz, of the other two
  };
  const Case cases[] = {
      {"the machine itself", "", true, true},
      {"somebody behind a proxy", kProxy, false, false},
      {"the same by another header", "Forwarded: for=203.0.113.7\r\n", false, false},
      {"the same by a third", "X-Real-IP: 203.0.113.7\r\n", false, false},
      {"any other proxy", "Via: 1.1 proxy\r\n", false, false},
      {"a viewer behind a proxy", kProxy + shown("vera"), true, false},
      {"the other header of tokens", kProxy + ("PRIVATE-TOKEN: " + tokens_["anna"] + "\r\n"), true, false},
      {"a token that is none", kProxy + shown("rnr_nonsense"), false, false},
      {"a token that was revoked", kProxy + shown(disabled), false, false},
      {"a bad token on the machine itself", shown("rnr_nonsense"), true, true},
  };
  for (const Case& tested : cases) {
    SCOPED_TRACE(tested.what);
    EXPECT_EQ(ask_with("GET", "/healthz", tested.fields).status, 200);
    EXPECT_EQ(asked().detail, tested.page);
    EXPECT_EQ(asked().about, About::all);
    for (const auto& [path, about] :
         std::map<const char*, About>{{"/livez", About::live}, {"/readyz", About::ready}}) {
      EXPECT_EQ(ask_with("GET", path, tested.fields).status, 200);
      EXPECT_EQ(asked().detail, tested.probes) << "a probe never waits for the store";
      EXPECT_EQ(asked().about, about);
    }
  }
}

TEST_F(HealthTest, TheLocalSocketSeesAllUnlessAProxyAsksThere) {
  for (const bool proxied : {false, true}) {
    Client client = Client::unix_socket(dir_.path() / "socket");
    client.send(std::string("GET /healthz HTTP/1.1\r\nHost: x\r\n") +
                (proxied ? "X-Forwarded-For: 203.0.113.7\r\n\r\n" : "\r\n"));
    EXPECT_EQ(client.read_answer().status, 200);
    EXPECT_EQ(asked().detail, !proxied);
  }
}

TEST_F(HealthTest, PassesOnWhatIsAskedAndAnswersAsItIs) {
  EXPECT_EQ(ask("GET", "/healthz?verbose&exclude=disk&exclude=key", "", "").headers.at("content-type"),
            "application/health+json");
  EXPECT_TRUE(asked().verbose);
  EXPECT_EQ(asked().exclude, (std::vector<std::string>{"disk", "key"}));
  ask("GET", "/healthz", "", "");
  EXPECT_FALSE(asked().verbose);
  EXPECT_TRUE(asked().exclude.empty());
  *actions_.how_it_is.lock() = {false, "{\"status\": \"unavailable\"}\n", {}};
  for (const char* path : {"/healthz", "/readyz?exclude=disk", "/livez"}) {
    const Asked answer = ask("GET", path, "", "");
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_EQ(answer.body, "{\"status\": \"unavailable\"}\n");
    EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
  }
  EXPECT_EQ(ask("HEAD", "/readyz", "", "").status, 503);
}

TEST_F(HealthTest, RefusesWhatCannotBeAsked) {
  EXPECT_EQ(ask("GET", "/livez?verbose", "", "").fields(), std::vector<std::string>{"verbose"});
  EXPECT_EQ(ask("GET", "/healthz?verbose&verbose", "", "").fields(), std::vector<std::string>{"verbose"});
  *actions_.how_it_is.lock() = {false, {}, "there is no check 'disc'; there are disk"};
  const Asked asked = ask("GET", "/readyz?exclude=disc", "", "");
  EXPECT_EQ(asked.status, 422);
  EXPECT_EQ(asked.fields(), std::vector<std::string>{"exclude"});
}

TEST_F(HealthTest, MetricsNeedNoToken) {
  const Asked asked = ask("GET", "/metrics", "", "");
  EXPECT_EQ(asked.status, 200);
  EXPECT_EQ(asked.body, "runner_ready 1\n");
  EXPECT_EQ(asked.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(HealthTest, CountsWhoWasLetInAndWhoWasNot) {
  ask("GET", "/api/v1/projects", "", "vera");
  ask("GET", "/api/v1/projects", "", "");
  ask("GET", "/api/v1/projects", "", "rnr_nonsense");
  ask_with("GET", "/api/v1/projects", "Authorization: Basic x\r\n");
  EXPECT_EQ(attempts(AuthMethod::token, AuthResult::success), 1U);
  EXPECT_EQ(attempts(AuthMethod::none, AuthResult::failure), 1U);
  EXPECT_EQ(attempts(AuthMethod::token, AuthResult::failure), 2U);
  EXPECT_EQ(attempts(AuthMethod::token, AuthResult::limited), 0U);
  int refused = 0;
  while (ask("GET", "/api/v1/projects", "", "rnr_nonsense").status == 401 && refused < 100) ++refused;
  EXPECT_EQ(attempts(AuthMethod::token, AuthResult::failure), 2U + static_cast<unsigned>(refused));
  EXPECT_EQ(attempts(AuthMethod::token, AuthResult::limited), 1U);

  Client client = Client::unix_socket(dir_.path() / "socket");
  client.send("GET /api/v1/projects HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_EQ(attempts(AuthMethod::socket, AuthResult::success), 1U);

  EXPECT_EQ(ask("POST", "/hooks/shop", "{}", "").status, 401);
  EXPECT_EQ(attempts(AuthMethod::webhook, AuthResult::failure), 1U);
  EXPECT_EQ(attempts(AuthMethod::webhook, AuthResult::success), 0U);
}

TEST_F(HealthTest, CountsDenialsByThePermissionThatWasLacking) {
  using storage::Permission;
  const auto denials = [&](Permission permission) { return api_->access_counts().denials(permission); };
  EXPECT_EQ(ask("POST", "/api/v1/projects", "{}", "vera").status, 403);
  EXPECT_EQ(ask("POST", "/api/v1/projects/shop/pipelines", "{}", "vera").status, 403);
  EXPECT_EQ(denials(Permission::monitor), 0U);
  EXPECT_EQ(denials(Permission::deploy), 1U);
  EXPECT_EQ(denials(Permission::manage_roles), 1U);
  EXPECT_EQ(ask("GET", "/api/v1/users/anna/tokens", "", "vera").status, 403);
  EXPECT_EQ(ask("DELETE", "/api/v1/tokens/999", "", "dora").status, 403);
  EXPECT_EQ(denials(Permission::manage_users), 2U) << "what is of others needs more";
  EXPECT_EQ(ask("GET", "/api/v1/projects/nobody", "", "vera").status, 404);
  EXPECT_EQ(denials(Permission::monitor), 0U);
}

}  // namespace
}  // namespace runner::api
