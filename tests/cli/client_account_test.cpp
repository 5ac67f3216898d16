#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::HasSubstr;

struct AccountCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};
};

TEST_F(AccountCommands, ANewTokenIsAloneOnStandardOutput) {
  server.on("POST /users/robot/tokens", 201, R"({"id":4,"name":"ci","role":"developer","token":"rnr_abc"})");
  const Ended ended = box.run(
      {"token", "create", "--user", "robot", "--name", "ci", "--role", "developer", "--expires-in", "90"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "rnr_abc\n");
  EXPECT_EQ(ended.err, "runner: token 4 of 'robot', shown this once; 'runner token revoke 4' ends it\n");
  EXPECT_EQ(server.last_body(), R"({"name":"ci","role":"developer","expires_in_days":90})");
}

TEST_F(AccountCommands, GroupsAreThoseThatAreSaid) {
  const char* answer = R"({"name":"kim","role":"developer","groups":["ops","web"],"disabled":false})";
  server.on("POST /users", 201, answer);
  server.on("PATCH /users/kim", 200, answer);
  struct Case {
    std::vector<std::string> words;
    const char* body;
  };
  const std::vector<Case> cases = {
      {{"user", "add", "kim", "--role", "developer", "--group", "ops", "--group", "web"},
       R"({"name":"kim","role":"developer","groups":["ops","web"]})"},
      {{"user", "set", "kim", "--group", "ops"}, R"({"groups":["ops"]})"},
      {{"user", "set", "kim", "--no-groups"}, R"({"groups":[]})"},
      {{"user", "set", "kim", "--role", "viewer"}, R"({"role":"viewer"})"},
  };
  for (const Case& one : cases) {
    const Ended ended = box.run(one.words);
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(server.last_body(), one.body);
    EXPECT_THAT(ended.out, HasSubstr("user 'kim': developer in ops, web\n"));
  }
  EXPECT_EQ(box.run({"user", "set", "kim", "--no-groups", "--group", "ops"}).code, 2);
  server.on("GET /users", 200, R"({"items":[)" + std::string(answer) + R"(],"next":null})");
  EXPECT_THAT(box.run({"user", "list"}).out, HasSubstr("kim   developer          ops, web"));
}

TEST_F(AccountCommands, GrantsAreThoseThatAreSaid) {
  const char* answer = R"({"name":"kim","role":"none","grants":["deploy@shop","releaser@shop/prod\u001b"]})";
  server.on("POST /users", 201, answer);
  server.on("PATCH /users/kim", 200, answer);
  struct Case {
    std::vector<std::string> words;
    const char* body;
  };
  const std::vector<Case> cases = {
      {{"user", "add", "kim", "--role", "none", "--grant", "deploy@shop"},
       R"({"name":"kim","role":"none","grants":["deploy@shop"]})"},
      {{"user", "set", "kim", "--grant", "deploy@shop", "--grant", "releaser@shop/prod"},
       R"({"grants":["deploy@shop","releaser@shop/prod"]})"},
      {{"user", "set", "kim", "--no-grants"}, R"({"grants":[]})"},
  };
  for (const Case& one : cases) {
    const Ended ended = box.run(one.words);
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(server.last_body(), one.body);
    EXPECT_THAT(ended.out, HasSubstr("user 'kim': none with deploy@shop, releaser@shop/prod?\n"));
  }
  EXPECT_EQ(box.run({"user", "set", "kim", "--no-grants", "--grant", "deploy"}).code, 2);
}

TEST_F(AccountCommands, RolesAreListedMadeAndRemoved) {
  server.on(
      "GET /roles", 200,
      R"({"items":[{"name":"viewer","permissions":["monitor","view_logs"],"fixed":true}],"next":null})");
  server.on("PUT /roles/releaser", 200,
            R"({"name":"releaser","permissions":["deploy","rollback"],"fixed":false})");
  server.on("DELETE /roles/releaser", 204, "");
  EXPECT_THAT(box.run({"role", "list"}).out, HasSubstr("viewer  monitor, view_logs"));
  EXPECT_THAT(box.run({"role", "list", "--json"}).out, HasSubstr("\"fixed\":true"));
  const Ended made =
      box.run({"role", "set", "releaser", "--permission", "deploy", "--permission", "rollback"});
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.out, "the role 'releaser' may deploy, rollback\n");
  EXPECT_EQ(server.last_body(), R"({"permissions":["deploy","rollback"]})");
  EXPECT_EQ(box.run({"role", "remove", "releaser"}).out, "removed the role 'releaser'\n");
  EXPECT_EQ(box.run({"role", "set", "releaser"}).code, 2);
  EXPECT_EQ(box.run({"role", "remove"}).code, 2);
}

TEST_F(AccountCommands, TokensAreTheCallersByDefault) {
  const passwd* me = ::getpwuid(::geteuid());
  ASSERT_NE(me, nullptr);
  const std::string path = "/users/" + std::string(me->pw_name) + "/tokens";
  server.on("POST " + path, 201, R"({"id":4,"token":"rnr_abc"})");
  server.on(
      "GET " + path, 200,
      R"({"items":[{"id":4,"name":"ci","role":"viewer","created_at":"2026-01-31T16:47:55Z",)"
      R"("expires_at":"2126-01-31T16:47:55.000Z"},{"id":12,"name":"x","last_used_at":"2026-01-31T16:47:55Z","revoked_at":"2026-01-31T16:47:55Z"}],"next":null})");
  EXPECT_THAT(box.run({"token", "create", "--name", "ci", "--json"}).out, HasSubstr(R"("token":"rnr_abc")"));
  const Ended ended = box.run({"token", "list"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("2126-01-31T16:47:55Z\n"));
  EXPECT_THAT(ended.out, HasSubstr("12  x "));
  EXPECT_THAT(ended.out, HasSubstr("ago  revoked\n"));
}

TEST_F(AccountCommands, AServerThatHidesTheTokenIsAnError) {
  server.on("POST /users/robot/tokens", 201, R"({"id":4,"name":"ci"})");
  const Ended ended = box.run({"token", "create", "--user", "robot", "--name", "ci"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("the token has no 'token'"));
}

TEST_F(AccountCommands, RevokeTells) {
  server.on("DELETE /tokens/4", 204, "");
  EXPECT_EQ(box.run({"token", "revoke", "4"}).out, "revoked token 4\n");
  EXPECT_EQ(box.run({"token", "revoke", "4", "--json"}).out, "{\"revoked\":4}\n");
  EXPECT_EQ(box.run({"token", "revoke", "5"}).code, 1);
}

TEST_F(AccountCommands, UsersAreAddedChangedAndListed) {
  server.on("POST /users", 201, R"({"name":"ann","role":"viewer","disabled":false})");
  server.on("PATCH /users/ann", 200, R"({"name":"ann","role":"admin","disabled":true})");
  server.on(
      "GET /users", 200,
      R"({"items":[{"name":"ann","role":"admin","disabled":true},{"name":"b\u009bob","role":"viewer"}],"next":null})");
  EXPECT_EQ(box.run({"user", "add", "ann", "--role", "viewer"}).out, "added user 'ann': viewer\n");
  EXPECT_EQ(server.last_body(), R"({"name":"ann","role":"viewer"})");
  EXPECT_EQ(box.run({"user", "set", "ann", "--role", "admin", "--disable"}).out,
            "changed user 'ann': admin, disabled\n");
  EXPECT_EQ(server.last_body(), R"({"role":"admin","disabled":true})");
  EXPECT_EQ(box.run({"user", "set", "ann", "--enable"}).code, 0);
  EXPECT_EQ(server.last_body(), R"({"disabled":false})");
  EXPECT_EQ(box.run({"user", "list"}).out,
            "NAME  ROLE    GRANTS  GROUPS  STATE     ADDED\n"
            "ann   admin                   disabled\n"
            "b?ob  viewer\n");
  EXPECT_THAT(box.run({"user", "list", "--json"}).out, HasSubstr(R"(b\u009bob)"));
}

}  // namespace
}  // namespace runner::cli
