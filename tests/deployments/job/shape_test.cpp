// What people are told of a target before it is made, against the target that is made.
#include "deployments/job/deploy_shape.h"

#include <gtest/gtest.h>

#include "deployments/job/deploy_parts.h"
#include "pipelines/deploy_block.h"
#include "runner/base/files.h"

namespace runner::deployments {
namespace {

constexpr const char* kSsh =
    R"("known_hosts": "hosts", "root": "/srv/shop", "service": "shop@%slot.service")";

struct Case {
  const char* name;
  std::string block;
};

std::vector<Case> cases() {
  const std::string ssh(kSsh);
  const std::string health = R"(, "health": {"tcp": {"port": 80}})";
  const std::string own_port = R"(, "health": {"http": {"path": "/"}})";  // each place has one
  const std::string haproxy =
      R"(, "balancer": {"type": "haproxy", "socket": "/run/admin.sock", "backend": "shop"})";
  const std::string nginx =
      R"(, "balancer": {"type": "nginx", "upstream_file": "/etc/up.conf", "reload": "true"})";
  return {
      {"script", R"({"target": "script", "script": {"activate": ["a"], "rollback": ["b"]}})"},
      {"script_canary", R"({"target": "script", "script": {"activate": ["a"], "rollback": ["b"]},
        "strategy": {"type": "canary", "steps": [{"weight": 10}, {"weight": 100}]},
        "health": {"exec": "true"}})"},
      {"ssh_one",
       R"({"release": {"artifact": "a.tar"}, "target": "ssh", "ssh": {"hosts": ["a@app1", "app2:2222"], "ports": 80, )" +
           ssh + "}}"},
      {"ssh_two",
       R"({"release": {"artifact": "a.tar"}, "target": "ssh", "ssh": {"hosts": ["app1", "app2"], "ports": {"blue": 1, "green": 2}, )" +
           ssh + R"(}, "strategy": "blue_green")" + health + haproxy + "}"},
      {"ssh_mixed",
       R"({"release": {"artifact": "a.tar"}, "target": "ssh", "ssh": {"hosts": [{"address": "app1", "ports": {"blue": 1, "green": 2}},
        {"address": "app2", "ports": 80}], )" +
           ssh + "}}"},
      {"ssh_rolling_nginx",
       R"({"release": {"artifact": "a.tar"}, "target": "ssh", "ssh": {"hosts": ["app1", "app2"], "ports": 80, )" +
           ssh + R"(}, "strategy": "rolling")" + health + nginx + "}"},
      {"compose",
       R"({"target": "compose", "compose": {"file": "c.yml", "host": "unix:///nowhere/engine.sock", "service": "web"},
        "release": {"image": "r.example/shop"}})"},
      {"compose_two", R"({"target": "compose", "release": {"image": "r.example/shop"},
        "compose": {"file": "c.yml", "host": "unix:///nowhere/engine.sock", "service": "web", "ports": {"blue": 1, "green": 2}},
        "strategy": "blue_green")" +
                          own_port + haproxy + "}"},
      {"compose_rolling", R"({"target": "compose", "release": {"image": "r.example/shop"},
        "compose": {"file": "c.yml", "host": "unix:///nowhere/engine.sock", "service": "web", "ports": [1, 2, 3]},
        "strategy": "rolling")" +
                              own_port + haproxy + "}"},
  };
}

TEST(DeployShape, IsThatOfThePartsThatAreMade) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.name);
    TempDir dir;
    write_file_atomic(dir.path() / "hosts", "app1 ssh-ed25519 AAAA\n", 0600, false);
    const std::map<std::string, std::string> none;
    const pipelines::DeploySpec spec = pipelines::parse_deploy_block(one.block);
    const DeployParts parts = make_parts(spec, {dir.path(),
                                                dir.path() / "place",
                                                none,
                                                "shop",
                                                "staging",
                                                {},
                                                {{"SSH_AUTH_SOCK", "/nowhere"}},
                                                [](auto&&...) {}});
    const CourseShape shape = shape_of(spec);
    EXPECT_EQ(shape.units, parts.target->units());
    EXPECT_EQ(shape.slots, parts.target->has_slots());
    EXPECT_EQ(shape.balanced, parts.balancer != nullptr);
  }
}

TEST(DeployShape, AHostThatIsAVariableIsCalledByIt) {
  const auto spec = pipelines::parse_deploy_block(
      R"({"release": {"artifact": "a.tar"}, "target": "ssh", "ssh": {"hosts": ["$APP_HOST"], "ports": 80, )" +
      std::string(kSsh) + "}}");
  EXPECT_EQ(shape_of(spec).units, std::vector<std::string>{"$APP_HOST"});
}

}  // namespace
}  // namespace runner::deployments
