// Compose files and their names: what is taken, and what is refused.
#include "deployments/targets/compose_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "deployments/targets/compose_options.h"
#include "runner/base/error.h"

namespace runner::deployments {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

ComposeWishes wishes(std::uint16_t port, bool slots = false) {
  return {"web", "r.example/web@sha256:1", port, "PORT", slots, "/work/job"};
}

std::string refusal(const std::string& rendered, const ComposeWishes& wishes) {
  try {
    compose_config(rendered, wishes);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ComposeFile, EachRuleRefuses) {
  struct Case {
    std::string service;
    std::uint16_t port;
    bool slots;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"image: x", 0, false, ""},
      {"ports: ['127.0.0.1:81:8080/tcp']", 81, false, ""},
      {"ports: ['81:8080']", 81, false, ""},
      {"ports: [{published: 81, target: 80}]", 81, false, ""},
      {"network_mode: host", 81, false, ""},
      {"ports: ['8080']", 81, false, "does not publish port 81; write ports: [\"127.0.0.1:${PORT}:PORT\"]"},
      {"ports: ['80:81']", 81, false, "does not publish port 81"},
      {"scale: 1, deploy: {replicas: 1}", 0, false, ""},
      {"scale: 2", 0, false, "shall run 2 times"},
      {"deploy: {replicas: 0}", 0, false, "shall run 0 times"},
      {"container_name: web", 0, false, ""},
      {"container_name: web", 0, true, "has a container_name, but several of it run at the same time"},
      {"volumes: ['data:/data:rw', '/etc/x:/x:ro', {type: volume, source: d, target: /d}]", 0, false, ""},
      {"volumes: ['/work/job/conf/x:/x:rw']", 0, false, "mounts 'conf/x' of the workspace"},
      {"volumes: [{type: bind, source: /work/job/conf, target: /x}]", 0, false,
       "mounts 'conf' of the workspace"},
      {"secrets: [{source: s}]", 0, false, "mounts 's.txt' of the workspace"}};
  for (const Case& one : cases) {
    const std::string why =
        refusal("services: {web: {" + one.service + "}}\nsecrets: {s: {file: /work/job/s.txt}}\n",
                wishes(one.port, one.slots));
    if (one.message.empty())
      EXPECT_EQ(why, "") << one.service;
    else
      EXPECT_THAT(why, HasSubstr(one.message)) << one.service;
  }
  EXPECT_THAT(refusal("services: {other: {image: x}}\n", wishes(0)), HasSubstr("has no service 'web'"));
  EXPECT_THAT(refusal("[", wishes(0)), HasSubstr("cannot be read"));
}

TEST(ComposeFile, TheImageIsPinnedAndLabelsAreAdded) {
  const std::string config = compose_config(
      "services: {web: {image: old, build: ., environment: {A: 'x$$y'}, labels: [a=b]}, db: {image: d}}\n"
      "version: '3.9'\n",
      wishes(0));
  const Json file = Json::parse(service_file(config, "web", {{"release", "1$2"}}));
  EXPECT_EQ(file["services"]["web"]["image"], "r.example/web@sha256:1");
  EXPECT_FALSE(file["services"]["web"].contains("build"));
  EXPECT_EQ(file["services"]["web"]["labels"], (Json{{"a", "b"}, {"release", "1$$2"}}));
  EXPECT_EQ(file["services"]["web"]["environment"]["A"], "x$$y");
  EXPECT_EQ(file["version"], "3.9");
  EXPECT_TRUE(file["services"].contains("db"));
}

TEST(ComposeFile, ACommandHasWhatTheServiceHasButNotItsPlace) {
  const std::string config = compose_config(
      "services: {web: {image: old, environment: {A: x}, ports: ['81:80'], container_name: w, restart: "
      "always,\n"
      "  networks: {back: null}, depends_on: {db: {condition: service_started}}}, db: {image: d}}\n",
      wishes(81));
  const Json file = Json::parse(command_file(config, "web", "web-migrate", "echo $HOME", {{"B", "$"}}, {}));
  ASSERT_EQ(file["services"].size(), 1U);
  const Json& service = file["services"]["web-migrate"];
  EXPECT_EQ(service["entrypoint"], Json({"sh"}));
  EXPECT_EQ(service["command"], Json({"-ec", "echo $$HOME"}));
  EXPECT_EQ(service["environment"], (Json{{"A", "x"}, {"B", "$$"}}));
  EXPECT_EQ(service["networks"], (Json{{"back", nullptr}}));
  for (const char* key : {"ports", "container_name", "restart", "depends_on"})
    EXPECT_FALSE(service.contains(key)) << key;
}

TEST(ComposeOptions, AProjectIsNamedByItsEnvironment) {
  EXPECT_EQ(compose_project("shop", "production"), "shop-production");
  EXPECT_THAT(compose_project("Shop", "production"), testing::MatchesRegex("shop-production-[0-9a-f]{8}"));
  EXPECT_NE(compose_project("shop", "review/a"), compose_project("shop", "review-a"));
  EXPECT_NE(compose_project("shop", "review/a"), compose_project("shop", "review.a"));
  EXPECT_THAT(compose_project("", "/"), testing::MatchesRegex("runner-[0-9a-f]{8}"));
  EXPECT_LT(compose_project(std::string(200, 'x'), "y").size(), 60U);
}

TEST(ComposeOptions, AnEngineIsASocketOfThisMachine) {
  EXPECT_EQ(compose_socket("unix:///a/b", {{"DOCKER_HOST", "unix:///c"}}), "/a/b");
  EXPECT_EQ(compose_socket("", {{"DOCKER_HOST", "unix:///c"}}), "/c");
  for (const auto& [host, variable] : std::vector<std::pair<std::string, std::string>>{
           {"ssh://a", ""}, {"", "tcp://127.0.0.1:1"}, {"unix://x", ""}})
    EXPECT_THROW(compose_socket(host, {{"DOCKER_HOST", variable}}), Error) << host << variable;
}

}  // namespace
}  // namespace runner::deployments
