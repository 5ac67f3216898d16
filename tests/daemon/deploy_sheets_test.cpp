// What a deployment that waits is going to do and what it brings, on the whole program with a real
// repository.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// Each is the value of a variable that is for jobs only.
constexpr const char* kToken = "hunter22-token";
constexpr const char* kHost = "secrethost.internal";
constexpr const char* kKey = "-----BEGIN KEY-----\nAAAAB3NzaC1yc2EAAAA\n-----END KEY-----\n";
constexpr const char* kOpen = "unmasked-but-not-yours";
constexpr const char* kScoped = "scoped-secret-99";

constexpr const char* kHead = R"yml(
stages: [build, deploy]
variables:
  SITE: shop.example
  DB_URL: "postgres://shop:$TOKEN@db"
build: {stage: build, script: ['cp app.txt app.out'], artifacts: {paths: [app.out]}}
stage_it:
  stage: deploy
  environment: staging
  needs: [build]
  deploy: {release: {artifact: app.out}, target: script, script: {activate: 'true', rollback: 'true'}}
)yml";

constexpr const char* kScriptTarget = R"yml(
ship:
  stage: deploy
  environment: production
  needs: [build]
  deploy:
    release: {artifact: app.out}
    target: script
    script: {prepare: 'true', activate: 'true', verify: 'true', rollback: 'true'}
    strategy: {type: canary, steps: [{weight: 20%, hold: 1s}, {weight: 100%}]}
    health: {exec: 'true', interval: 1s, successes: 1}
)yml";

constexpr const char* kSshTarget = R"yml(
ship:
  stage: deploy
  environment: production
  needs: [build]
  deploy:
    release: {artifact: app.out}
    target: ssh
    ssh:
      hosts: [app1.internal, $SECRET_HOST, $LATER_HOST]
      user: deploy
      key: secret:SSH_KEY
      known_hosts: secret:KNOWN_HOSTS
      root: /srv/shop
      service: shop.service
      ports: 8080
    strategy: {type: rolling, max_parallel: 2, pause_between: 10s}
    balancer: {type: haproxy, socket: "/run/$OPEN/$SITE.sock", backend: shop}
    health: {http: {path: "/ready/$SITE/$TOKEN"}}
    smoke:
      after_switch: ['./check $TOKEN', 'echo hunter22-token', {http: "https://$SITE/$SCOPED"}, {http: "http://x/?u=$DB_URL"}]
    migrate: {run: ['./up --as $DB_URL'], list: ['./pending hunter22-token']}
)yml";

constexpr const char* kPlainJob = R"yml(
ship:
  stage: deploy
  environment: production
  needs: [build]
  before_script: ['./prepare']
  script: ['./ship --token hunter22-token', './ship $TOKEN']
)yml";

class DeploySheets : public testing::Test {
 protected:
  void begin(const std::string& ship) {
    repository_.write(".gitlab-ci.yml", kHead + ship);
    repository_.write("app.txt", "one\n");
    repository_.push("here");
    server_.start();
    server_.api("POST", "/projects",
                {{"name", "shop"},
                 {"url", repository_.path()},
                 {"branches", {"none"}},
                 {"poll_interval_seconds", 0}});
    variable("TOKEN", kToken, true);
    variable("SECRET_HOST", kHost, true);
    variable("SSH_KEY", kKey, false);
    variable("KNOWN_HOSTS", kKey, false);
    variable("OPEN", kOpen, false);
    variable("SCOPED", kScoped, true, "production");
    server_.api(
        "PUT", "/projects/shop/environments/production",
        {{"protection",
          {{"approvals", {{"rules", {{{"name", "peers"}, {"count", 1}, {"who", {"role:developer"}}}}}}}}}});
    server_.api("POST", "/users", {{"name", "ben"}, {"role", "developer"}});
    token_ = server_.api("POST", "/users/ben/tokens", {{"name", "test"}}).at("token");
  }
  void variable(const std::string& key, const std::string& value, bool masked,
                const std::string& scope = "*") {
    server_.api("POST", "/projects/shop/variables",
                {{"key", key}, {"value", value}, {"masked", masked}, {"environment_scope", scope}});
  }
  void run() { server_.api("POST", "/projects/shop/pipelines", json{{"ref", "main"}}); }
  std::string state(std::int64_t id) {
    const auto answer = server_.ask("GET", "/api/v1/deployments/" + std::to_string(id));
    return answer.status == 200 ? json::parse(answer.body).at("state").get<std::string>() : std::string();
  }
  void wait_for_state(std::int64_t id, const std::string& wanted) {
    server_.wait_until("deployment " + std::to_string(id) + " " + wanted,
                       [&] { return state(id) == wanted; });
  }
  /// The newest there, once it is so far.
  std::int64_t deployment(const std::string& environment, const std::string& wanted) {
    std::int64_t id = 0;
    server_.wait_until("a deployment to " + environment + " " + wanted, [&] {
      const auto answer =
          server_.ask("GET", "/api/v1/projects/shop/environments/" + environment + "/deployments?limit=1");
      if (answer.status != 200) return false;
      const json items = json::parse(answer.body).at("items");
      if (items.empty() || items[0].at("state") != wanted) return false;
      id = items[0].at("id");
      return true;
    });
    return id;
  }
  void approve(std::int64_t id) {
    auto client = http::testing::Client::tcp(server_.port());
    client.send(request_text("POST", "/api/v1/deployments/" + std::to_string(id) + "/approve",
                             "Authorization: Bearer " + token_ + "\r\n", "{}"));
    EXPECT_EQ(client.read_answer().status, 200);
  }
  json sheet(std::int64_t id, const std::string& verb) {
    return server_.get("/deployments/" + std::to_string(id) + "/" + verb);
  }
  std::string said(const std::string& words) {
    const auto ran = server_.command(words);
    EXPECT_EQ(ran.code, 0) << ran.output;
    return ran.output;
  }
  static void expect_no_secret(const std::string& text) {
    for (const char* secret : {kToken, kHost, "AAAAB3NzaC1yc2EAAAA", kOpen, kScoped})
      EXPECT_THAT(text, Not(HasSubstr(secret)));
  }

  PushedRepository repository_;
  ServerProgram server_{repository_.top() / "data"};
  std::string token_;
};

TEST_F(DeploySheets, ThePlanHasWhatEverybodyMaySeeAndOfSecretsTheNames) {
  begin(kSshTarget);
  run();
  const std::int64_t id = deployment("production", "waiting_approval");
  const json plan = sheet(id, "plan");
  const std::string words = said("deploy plan " + std::to_string(id));
  for (const std::string& text : {plan.dump(), words, sheet(id, "diff").dump()}) expect_no_secret(text);
  const json& outline = plan.at("outline");
  EXPECT_EQ(outline.at("units"), (json{"app1.internal", "$SECRET_HOST", "$LATER_HOST"}));
  for (const char* text :
       {"ssh, rolling, behind haproxy", "batch 1 of 2: end what runs on app1.internal, $SECRET_HOST",
        "batch 2 of 2", "wait 10.0 s", "http /ready/shop.example/$TOKEN passes 3 times",
        "GET https://shop.example/$SCOPED", "./check $TOKEN", "echo [MASKED]", "./up --as $DB_URL",
        "./pending [MASKED]", "migrate on app1.internal, within 15 m 00 s",
        "compatible: the old release works", "nothing that was deployed from here",
        "it stays, as the old release works"})
    EXPECT_THAT(words, HasSubstr(text));
}

TEST_F(DeploySheets, OfAPlainJobTheLinesAreShown) {
  begin(kPlainJob);
  run();
  const std::int64_t id = deployment("production", "waiting_approval");
  const json plan = sheet(id, "plan");
  expect_no_secret(plan.dump());
  EXPECT_EQ(plan.at("carried_out_by"), "script");
  EXPECT_EQ(plan.at("script"), (json{"./prepare", "./ship --token [MASKED]", "./ship $TOKEN"}));
  EXPECT_THAT(said("deploy plan " + std::to_string(id)), HasSubstr("its job has a script of its own"));
}

TEST_F(DeploySheets, WhatWasPlannedIsWhatIsDoneTheSecondTimeAsTheFirst) {
  begin(kScriptTarget);
  using Row = std::tuple<std::string, int, std::string, std::string, std::string>;
  for (const bool first : {true, false}) {
    repository_.write("app.txt", first ? "one\n" : "two\n");
    repository_.push("here");
    run();
    const std::int64_t id = deployment("production", "waiting_approval");
    const json outline = sheet(id, "plan").at("outline");
    EXPECT_EQ(outline.at("first_release"), first);
    std::set<Row> planned, done;
    for (const json& step : outline.at("steps")) {
      const json nowhere = json::array({{{"unit", "*"}, {"slot", "single"}}});
      for (const json& place : step.at("places").empty() ? nowhere : step.at("places"))
        planned.emplace(step.at("part"), step.at("n"), step.at("action"), place.at("unit"), place.at("slot"));
    }
    approve(id);
    wait_for_state(id, "succeeded");
    const json ended = server_.get("/deployments/" + std::to_string(id));
    for (const json& step : ended.at("steps"))
      done.emplace(step.at("part"), step.at("n"), step.at("action"), step.at("unit"), step.at("slot"));
    EXPECT_EQ(planned, done);
    EXPECT_EQ(sheet(id, "plan").at("before").at("known_by"), "seen");
  }
}

TEST_F(DeploySheets, TheDiffNamesWhatIsNew) {
  begin(kScriptTarget);
  run();
  const std::int64_t first = deployment("production", "waiting_approval");
  EXPECT_TRUE(sheet(first, "diff").at("base").is_null());
  approve(first);
  wait_for_state(first, "succeeded");
  deployment("staging", "succeeded");
  EXPECT_EQ(said("env diff shop staging production -q"), "");
  std::string ship = kScriptTarget;
  ship.replace(ship.find("weight: 20"), 10, "weight: 30");
  repository_.write(".gitlab-ci.yml", kHead + ship);
  repository_.write("app.txt", "two\n");
  repository_.run("git config user.name 'Ann B'");
  const std::string sha = repository_.push("here");
  server_.api("PUT", "/projects/shop/variables/TOKEN", {{"value", "hunter22-token-new"}});
  run();
  const std::int64_t second = deployment("production", "waiting_approval");
  const json diff = sheet(second, "diff");
  expect_no_secret(diff.dump());
  EXPECT_EQ(diff.at("base").at("id"), first);
  ASSERT_EQ(diff.at("commits").at("new").size(), 1U);
  EXPECT_EQ(diff.at("commits").at("new")[0].at("sha"), sha);
  EXPECT_EQ(diff.at("commits").at("new")[0].at("subject"), "change 2");
  EXPECT_EQ(diff.at("commits").at("files_changed"), 3);
  ASSERT_EQ(diff.at("inputs").size(), 1U);
  EXPECT_EQ(diff.at("inputs")[0].at("what"), "build: archive");
  EXPECT_EQ(diff.at("inputs")[0].at("change"), "changed");
  ASSERT_EQ(diff.at("block").size(), 1U) << diff.at("block");
  EXPECT_EQ(diff.at("block")[0].at("key"), "strategy:steps");
  for (const json& one : diff.at("variables"))
    EXPECT_EQ(one.at("change"), one.at("key") == "TOKEN" ? "changed" : "unchanged") << one;
  deployment("staging", "succeeded");
  server_.wait_until("staging", [&] {
    return server_.get("/projects/shop/environments/staging").at("current").at("sha") == sha;
  });
  EXPECT_EQ(said("env diff shop staging production -q"), sha + "\n");
  EXPECT_EQ(said("env diff shop staging -q"), sha + "\n");
  EXPECT_EQ(said("deploy diff " + std::to_string(second) + " -q"), sha + "\n");
  EXPECT_THAT(said("env diff shop staging production"), HasSubstr("1 commit, 3 files changed"));
  EXPECT_EQ(server_.command("env diff shop staging nowhere").code, 1);
}

}  // namespace
}  // namespace runner::test
