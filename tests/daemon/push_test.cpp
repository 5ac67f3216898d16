// From `git push` to a green pipeline with artifacts: the real program, the real git, a real server of git.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "runner/base/text.h"
#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

struct PushTest : testing::Test {
  PushedRepository repository;
  ServerProgram server{repository.top() / "data"};
};

TEST_F(PushTest, OverHttpWithATokenFoundByPolling) {
  const std::string url = repository.serve_http();
  server.start();
  std::string sha = repository.push("http");
  server.api("POST", "/projects",
             {{"name", "shop"},
              {"url", url},
              {"username", PushedRepository::kUser},
              {"token", PushedRepository::kToken},
              {"poll_interval_seconds", 1}});
  expect_green(server, server.wait_for(1).at(0), sha);
  sha = repository.push("http");
  expect_green(server, server.wait_for(2).at(1), sha);
  EXPECT_EQ(server.get("/projects/shop").at("last_look").at("ok"), true);
  EXPECT_THAT(server.command("project show shop").output, HasSubstr("went well"));
  // Nothing that was sent or stored in the open shows the token.
  EXPECT_THAT(read_file(repository.top() / "data/runner.db").value_or(""), Not(HasSubstr("s3cret")));
  EXPECT_THAT(server.said(), Not(HasSubstr("s3cret")));
}

TEST_F(PushTest, AWrongTokenIsToldAndTheRightOneHeals) {
  const std::string url = repository.serve_http();
  server.start();
  const std::string sha = repository.push("http");
  // The next poll is far away: what heals is the change itself.
  server.api("POST", "/projects",
             {{"name", "shop"},
              {"url", url},
              {"username", "ann"},
              {"token", "not-this-one"},
              {"poll_interval_seconds", 600}});
  json look;
  server.wait_until("a look that failed", [&] {
    look = server.get("/projects/shop").at("last_look");
    return !look.is_null();
  });
  EXPECT_EQ(look.at("ok"), false);
  EXPECT_TRUE(look.at("ok_at").is_null());
  EXPECT_THAT(look.at("why"), HasSubstr("401"));
  const json reach = server.api("POST", "/projects/shop/test");
  EXPECT_EQ(reach.at("ok"), false);
  EXPECT_THAT(reach.at("why"), HasSubstr("token"));
  const auto shown = server.command("project show shop");
  EXPECT_EQ(shown.code, 0);
  EXPECT_THAT(shown.output, HasSubstr("failed, "));
  const auto tested = server.command("project test shop");
  EXPECT_EQ(tested.code, 1);
  EXPECT_THAT(tested.output, HasSubstr("cannot reach the repository of 'shop'"));
  EXPECT_THAT(shown.output + tested.output + server.said(), Not(HasSubstr("not-this-one")));
  EXPECT_EQ(json::parse(server.ask("GET", "/healthz").body).at("checks").at("repositories").at("unreachable"),
            1);

  std::ofstream(repository.top() / "token") << PushedRepository::kToken << "\n";
  EXPECT_EQ(server.command("project set shop --token-file " + (repository.top() / "token").native()).code, 0);
  expect_green(server, server.wait_for(1).at(0), sha);
  look = server.get("/projects/shop").at("last_look");
  EXPECT_EQ(look.at("ok"), true) << look;
  EXPECT_EQ(server.api("POST", "/projects/shop/test").at("ok"), true);
}

TEST_F(PushTest, OverSshWithAKeyFoundByPolling) {
  if (const std::string why = git::testing::SshServer::missing(); !why.empty()) GTEST_SKIP() << why;
  const std::string url = repository.serve_ssh();
  server.start();
  std::string sha = repository.push("ssh");
  server.api(
      "POST", "/projects",
      {{"name", "shop"}, {"url", url}, {"ssh_key", repository.ssh_key()}, {"poll_interval_seconds", 1}});
  expect_green(server, server.wait_for(1).at(0), sha);
  sha = repository.push("ssh");
  expect_green(server, server.wait_for(2).at(1), sha);
  // The host's key was noted, and nothing of the key that was sent.
  EXPECT_THAT(read_file(server.data() / "known_hosts").value_or(""), HasSubstr("ssh-ed25519"));
  EXPECT_THAT(server.said(), Not(HasSubstr("PRIVATE KEY")));
}

}  // namespace
}  // namespace runner::test
