// Who may what: tokens, roles, the unix socket.
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "runner/base/text.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using http::testing::Client;
using storage::Role;

struct Right {
  const char* method;
  const char* path;
  const char* least;  // role; "": no token is needed
};

// The contract once more, by hand.
constexpr Right kRights[] = {
    {"GET", "/api/v1/version", ""},
    {"GET", "/api/v1/openapi.json", ""},
    {"GET", "/api/v1/projects", "viewer"},
    {"POST", "/api/v1/projects", "admin"},
    {"GET", "/api/v1/projects/{name}", "viewer"},
    {"PATCH", "/api/v1/projects/{name}", "admin"},
    {"DELETE", "/api/v1/projects/{name}", "admin"},
    {"POST", "/api/v1/projects/{name}/test", "admin"},
    {"GET", "/api/v1/projects/{name}/resource_groups", "viewer"},
    {"PUT", "/api/v1/projects/{name}/resource_groups/{group}", "admin"},
    {"GET", "/api/v1/projects/{name}/variables", "developer"},
    {"POST", "/api/v1/projects/{name}/variables", "developer"},
    {"GET", "/api/v1/projects/{name}/variables/{key}", "developer"},
    {"PUT", "/api/v1/projects/{name}/variables/{key}", "developer"},
    {"DELETE", "/api/v1/projects/{name}/variables/{key}", "developer"},
    {"GET", "/api/v1/projects/{name}/environments", "viewer"},
    {"GET", "/api/v1/projects/{name}/environments/{environment}", "viewer"},
    {"PUT", "/api/v1/projects/{name}/environments/{environment}", "admin"},
    {"GET", "/api/v1/projects/{name}/environments/{environment}/deployments", "viewer"},
    {"GET", "/api/v1/deployments/{id}", "viewer"},
    {"GET", "/api/v1/deployments/{id}/plan", "viewer"},
    {"GET", "/api/v1/deployments/{id}/diff", "viewer"},
    {"GET", "/api/v1/projects/{name}/environments/{environment}/diff", "viewer"},
    {"POST", "/api/v1/deployments/{id}/approve", "developer"},
    {"POST", "/api/v1/deployments/{id}/reject", "developer"},
    {"POST", "/api/v1/deployments/{id}/start", "developer"},
    {"POST", "/api/v1/deployments/{id}/cancel", "developer"},
    {"POST", "/api/v1/deployments/{id}/break-glass", "admin"},
    {"POST", "/api/v1/deployments/{id}/pause", "developer"},
    {"POST", "/api/v1/deployments/{id}/resume", "developer"},
    {"POST", "/api/v1/deployments/{id}/promote", "developer"},
    {"POST", "/api/v1/deployments/{id}/abort", "developer"},
    {"POST", "/api/v1/deployments/{id}/resolve", "developer"},
    {"POST", "/api/v1/projects/{name}/environments/{environment}/rollback", "developer"},
    {"POST", "/api/v1/projects/{name}/environments/{environment}/unlock", "admin"},
    {"GET", "/api/v1/projects/{name}/schedules", "viewer"},
    {"POST", "/api/v1/projects/{name}/schedules", "developer"},
    {"GET", "/api/v1/schedules/{id}", "viewer"},
    {"PATCH", "/api/v1/schedules/{id}", "developer"},
    {"DELETE", "/api/v1/schedules/{id}", "developer"},
    {"POST", "/api/v1/schedules/{id}/play", "developer"},
    {"GET", "/api/v1/projects/{name}/pipelines", "viewer"},
    {"POST", "/api/v1/projects/{name}/pipelines", "developer"},
    {"GET", "/api/v1/pipelines/{id}", "viewer"},
    {"POST", "/api/v1/pipelines/{id}/cancel", "developer"},
    {"POST", "/api/v1/pipelines/{id}/retry", "developer"},
    {"GET", "/api/v1/jobs/{id}", "viewer"},
    {"GET", "/api/v1/jobs/{id}/log", "viewer"},
    {"GET", "/api/v1/jobs/{id}/log/follow", "viewer"},
    {"POST", "/api/v1/jobs/{id}/play", "developer"},
    {"POST", "/api/v1/jobs/{id}/retry", "developer"},
    {"POST", "/api/v1/jobs/{id}/cancel", "developer"},
    {"GET", "/api/v1/jobs/{id}/artifacts", "viewer"},
    {"GET", "/api/v1/jobs/{id}/artifacts/{kind}", "viewer"},
    {"GET", "/api/v1/events", "viewer"},
    {"GET", "/api/v1/audit", "admin"},
    {"GET", "/api/v1/audit/checkpoint", "admin"},
    {"GET", "/api/v1/roles", "viewer"},
    {"PUT", "/api/v1/roles/{name}", "admin"},
    {"DELETE", "/api/v1/roles/{name}", "admin"},
    {"GET", "/api/v1/keys", "admin"},
    {"POST", "/api/v1/keys/rotate", "socket"},
    {"DELETE", "/api/v1/keys/{id}", "socket"},
    {"GET", "/api/v1/users", "admin"},
    {"POST", "/api/v1/users", "admin"},
    {"PATCH", "/api/v1/users/{name}", "admin"},
    {"GET", "/api/v1/users/{name}/tokens", "admin"},  // of others
    {"POST", "/api/v1/users/{name}/tokens", "admin"},
    {"DELETE", "/api/v1/tokens/{id}", "admin"},
    {"POST", "/hooks/{project}", ""},
    {"GET", "/livez", ""},
    {"GET", "/readyz", ""},
    {"GET", "/healthz", ""},
    {"GET", "/metrics", ""},
};

/// Of things that are not there, so that no request changes anything.
std::string filled(std::string path) {
  path = replace_all(path, "{name}", "nobody");
  path = replace_all(path, "{project}", "nothing");
  path = replace_all(path, "{kind}", "archive");
  path = replace_all(path, "{group}", "production");
  path = replace_all(path, "{environment}", "production");
  path = replace_all(path, "{key}", "PASSWORD");
  return replace_all(path, "{id}", "999999");
}

TEST_F(ApiTest, EveryRouteLetsInExactlyWhoMay) {
  std::set<std::string> known;
  for (const Right& right : kRights) {
    known.insert(std::string(right.method) + " " + right.path);
    const auto least = storage::parse_role(right.least == std::string_view("socket") ? "admin" : right.least);
    for (const auto& [who, role] : std::map<std::string, std::optional<Role>>{
             {"", std::nullopt}, {"vera", Role::viewer}, {"dora", Role::developer}, {"anna", Role::admin}}) {
      SCOPED_TRACE(std::string(right.method) + " " + right.path + " by '" + who + "'");
      Client client = connect();
      client.send(std::string(right.method) + " " + filled(right.path) + " HTTP/1.1\r\nHost: x\r\n" +
                  shown(who) + "Content-Length: 0\r\n\r\n");
      const auto head = client.read_head();
      if (!least) {
        // Webhooks prove themselves: to whoever cannot, all projects are alike.
        EXPECT_EQ(head.status == 401, std::string_view(right.path).starts_with("/hooks/"));
        EXPECT_NE(head.status, 403);
      } else if (!role) {
        EXPECT_EQ(head.status, 401);
        EXPECT_EQ(head.header("www-authenticate"), "Bearer");
      } else if (right.least == std::string_view("socket") || *role < *least) {
        EXPECT_EQ(head.status, 403);
      } else {
        EXPECT_TRUE(head.status == 200 || head.status == 404 || head.status == 422) << head.status;
      }
    }
  }
  std::set<std::string> routes;
  for (const auto& route : routes_) routes.insert(route.method + " " + route.pattern);
  EXPECT_EQ(known, routes);
  EXPECT_THAT(actions_.take(), ::testing::IsEmpty());
}

TEST_F(ApiTest, TakesTheTokenOfEitherHeader) {
  EXPECT_EQ(ask_with("GET", "/api/v1/projects", "PRIVATE-TOKEN: " + tokens_["vera"] + "\r\n").status, 200);
  EXPECT_EQ(ask_with("GET", "/api/v1/projects", "authorization: bearer " + tokens_["vera"] + "\r\n").status,
            200);
  const std::string bad[] = {
      "Authorization: Bearer\r\n",
      "Authorization: Basic " + tokens_["vera"] + "\r\n",
      "Authorization: Bearer " + tokens_["vera"] + " x\r\n",
      "Authorization: Bearer " + tokens_["vera"] + "x\r\n",
      "PRIVATE-TOKEN: rnr_\r\n",
      shown("vera") + shown("anna"),
      "PRIVATE-TOKEN: " + tokens_["vera"] + "\r\nPRIVATE-TOKEN: " + tokens_["anna"] + "\r\n",
  };
  for (const std::string& fields : bad) {
    const Asked asked = ask_with("GET", "/api/v1/projects", fields);
    EXPECT_EQ(asked.status, 401) << fields;
    EXPECT_EQ(asked.headers.at("www-authenticate"), "Bearer");
    EXPECT_EQ(asked.body.find(tokens_["vera"]), std::string::npos);
  }
}

TEST_F(ApiTest, AddressWithManyBadTokensHasToWaitButGoodOnesPass) {
  Asked asked;
  int tries = 0;
  do asked = ask("GET", "/api/v1/projects", "", "rnr_wrong");
  while (asked.status == 401 && ++tries < 100);
  EXPECT_EQ(asked.status, 429);
  EXPECT_EQ(tries, 20);
  EXPECT_EQ(asked.headers.at("retry-after"), "3");
  EXPECT_EQ(ask("GET", "/api/v1/projects").status, 200);
  clock_.pass(std::chrono::seconds(3));
  EXPECT_EQ(ask("GET", "/api/v1/projects", "", "rnr_wrong").status, 401);
}

TEST_F(ApiTest, OwnUserAtTheUnixSocketIsAdmin) {
  Client client = Client::unix_socket(dir_.path() / "socket");
  client.send("GET /api/v1/users HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200);
  // A token counts in place of the kernel's word: a proxy lends nobody its rights.
  client.send("GET /api/v1/users HTTP/1.1\r\nHost: x\r\n" + shown("vera") + "\r\n");
  EXPECT_EQ(client.read_answer().status, 403);
  client.send("GET /api/v1/users HTTP/1.1\r\nHost: x\r\n" + shown("rnr_wrong") + "\r\n");
  EXPECT_EQ(client.read_answer().status, 401);
}

/// As the server would call it, for a peer that a test cannot be.
http::Response call(Api& api, const std::string& method, const std::vector<std::string>& segments,
                    std::uint32_t uid, const std::string& body = {}) {
  http::Router router;
  api.add_routes(router);
  http::Request request;
  request.id = "1";
  request.method = method;
  request.body = body;
  request.peer.credentials = http::Credentials{.uid = uid, .gid = uid, .pid = 1};
  const http::Match match = router.match(method, segments);
  request.parameters = match.parameters;
  return http::call_handler(*match.route, request);
}

TEST_F(ApiTest, OtherUsersAtTheUnixSocketAreRefused) {
  const std::uint32_t other = ::geteuid() + 12345;
  EXPECT_EQ(call(*api_, "GET", {"api", "v1", "projects"}, other).status, 403);
  EXPECT_EQ(call(*api_, "GET", {"api", "v1", "version"}, other).status, 200);
  EXPECT_EQ(call(*api_, "GET", {"api", "v1", "projects"}, 0).status, 200);
  EXPECT_EQ(call(*api_, "GET", {"api", "v1", "projects"}, ::geteuid()).status, 200);
}

TEST_F(ApiTest, PipelineStartedAtTheSocketIsOfRoot) {
  EXPECT_EQ(call(*api_, "POST", {"api", "v1", "projects", "shop", "pipelines"}, 0).status, 201);
  EXPECT_THAT(actions_.take(), ::testing::ElementsAre("start shop '' by root from api"));
}

TEST_F(ApiTest, DrainingServerStillReadsButTakesNothing) {
  *actions_.refusal.lock() = "the server is about to stop";
  EXPECT_EQ(ask("GET", "/api/v1/projects").status, 200);
  for (const auto& [method, path] : std::map<std::string, std::string>{
           {"POST", "/api/v1/projects/shop/pipelines"}, {"DELETE", "/api/v1/projects/shop"}}) {
    const Asked asked = ask(method, path);
    EXPECT_EQ(asked.status, 503);
    EXPECT_EQ(asked.json().at("detail"), "the server is about to stop");
    EXPECT_EQ(asked.headers.at("retry-after"), "5");
  }
  EXPECT_EQ(ask("POST", "/hooks/shop", "{}", "").status, 503);
  EXPECT_EQ(ask("POST", "/api/v1/projects/shop/pipelines", "", "vera").status, 403);
}

}  // namespace
}  // namespace runner::api
