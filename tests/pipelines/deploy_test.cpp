// `deploy:`: what is read, and every rule that refuses.
#include "pipelines/deploy_reader.h"

#include <gmock/gmock.h>

#include "pipelines/deploy_block.h"
#include "pipelines/yaml_reader.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "tests/pipelines/planning_support.h"

namespace runner::pipelines {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

/// A job with the block, indented below `deploy:`; the messages of planning it, one a line.
std::string messages(const std::string& block) {
  PlanWorld world;
  const PlanResult result = world.plan("job:\n  environment: staging\n  deploy:\n" + block);
  std::string text;
  for (const Diagnostic& one : result.diagnostics.all()) text += one.message + "\n";
  return text;
}

const std::string kSsh =
    "    release: {artifact: shop.tar.zst}\n"
    "    target: ssh\n"
    "    ssh: {hosts: [a, b, c], root: /srv/shop, known_hosts: 'secret:HOSTS', service: "
    "'shop@%slot.service', "
    "ports: {blue: 8001, green: 8002}}\n";
const std::string kHealth = "    health: {http: {path: /ready}}\n";
const std::string kCompose =
    "    target: compose\n    release: {image: r.example/shop:1}\n"
    "    compose: {file: compose.yml, service: web, ports: {blue: 8001, green: 8002}}\n";
const std::string kThree =
    "    target: compose\n    release: {image: r.example/shop:1}\n"
    "    compose: {file: compose.yml, service: web, ports: [8101, 8102, 8103]}\n";
const std::string kHaproxy = "    balancer: {type: haproxy, socket: /run/haproxy.sock, backend: shop}\n";

TEST(Deploy, WhatIsRightIsOnlySaidNotToRunHere) {
  for (const std::string& block :
       {kSsh + kHealth + "    strategy: rolling\n", kSsh + kHealth + kHaproxy + "    strategy: blue_green\n",
        std::string("    target: script\n    script: {activate: ./go}\n"),
        kCompose + kHealth + kHaproxy + "    strategy: blue_green\n",
        kThree + kHealth + kHaproxy + "    strategy: rolling\n",
        kThree + kHealth + kHaproxy +
            "    strategy: {type: rolling, max_parallel: 2, pause_between: 5s, order: stop_first}\n",
        std::string("    target: compose\n    release: {image: r.example/shop:1}\n"
                    "    compose: {file: compose.yml, service: web, host: 'unix:///run/x.sock'}\n")})
    EXPECT_EQ(messages(block), "") << block;
}

TEST(Deploy, EachRuleRefuses) {
  const std::string canary = kSsh + kHealth + kHaproxy;
  struct Case {
    std::string block, message;
  };
  const Case cases[] = {
      {kSsh + "    stratgy: rolling\n", "unknown key 'stratgy'"},
      {"    strategy: rolling\n", "deploy needs a target"},
      {"    target: ssh\n    release: {artifact: x}\n", "deploy:target ssh needs the mapping ssh"},
      {kSsh + "    compose: {file: f, service: s}\n", "deploy:compose is not for the target ssh"},
      {"    target: swarm\n    swarm: {}\n", "deploy:target swarm is not there yet"},
      {"    target: heroku\n", "heroku"},
      {"    target: script\n    script: {prepare: x}\n", "deploy:script needs activate"},
      {"    target: ssh\n    release: {artifact: x}\n    ssh: {hosts: [a], root: srv, service: s, "
       "known_hosts: f}\n",
       "deploy:ssh:root must be an absolute path"},
      {"    target: ssh\n    release: {artifact: x}\n    ssh: {hosts: [a], root: /s, service: s}\n",
       "nobody is trusted at first sight"},
      {"    target: ssh\n    release: {artifact: x}\n    ssh: {hosts: [a], root: /s, known_hosts: f}\n",
       "needs either service, or start and stop"},
      {"    target: ssh\n    release: {artifact: x}\n    ssh: {hosts: [a], root: /s, known_hosts: f, start: "
       "x}\n",
       "start and stop go together"},
      {"    target: ssh\n    release: {artifact: x}\n    ssh: {hosts: [a], root: /s, known_hosts: f, "
       "service: s, key: "
       "AAAA}\n",
       "deploy:ssh:key: expected the name of a variable, not its value"},
      {"    target: ssh\n    release: {artifact: x}\n    ssh: {hosts: [a], root: /s, known_hosts: f, "
       "service: s, "
       "keep_releases: 1}\n",
       "deploy:ssh:keep_releases must be from 2"},
      {"    target: ssh\n    ssh: {hosts: [a], root: /s, known_hosts: f, service: s}\n",
       "deploy:target ssh needs release:artifact"},
      {"    target: compose\n    compose: {file: f, service: s}\n",
       "deploy:target compose needs release:image"},
      {kCompose + kHealth + kHaproxy + "    strategy: rolling\n",
       "deploy:compose:ports needs a list for rolling: one port for each replica"},
      {"    target: compose\n    strategy: rolling\n    release: {image: a}\n    compose: {file: f, service: "
       "s}\n",
       "deploy:compose:ports needs a list for rolling"},
      {replace_all(kThree, "8101, 8102, 8103", "") + kHealth + kHaproxy + "    strategy: rolling\n",
       "deploy:compose:ports needs a list for rolling"},
      {replace_all(kThree, "8102", "web") + kHealth + kHaproxy + "    strategy: rolling\n",
       "deploy:compose:ports: each is a port, from 1 to 65535"},
      {replace_all(kThree, "8102", "8101") + kHealth + kHaproxy + "    strategy: rolling\n",
       "deploy:compose:ports has 8101 twice"},
      {kThree + kHealth, "deploy:compose:ports is a list with a port for each replica, which is for rolling"},
      {kThree + kHealth + kHaproxy + "    strategy: blue_green\n", "not for blue_green"},
      {kThree + kHealth + kHaproxy + "    strategy: {type: rolling, order: start_first}\n",
       "deploy:strategy:order start_first is not for the target compose"},
      {kThree + kHealth + kHaproxy + "    strategy: {type: rolling, max_parallel: 3}\n",
       "is all 3 replicas: this equals recreate"},
      {kThree + kHealth + "    strategy: rolling\n", "deploy:strategy rolling without a balancer"},
      {kThree + kHaproxy + "    strategy: rolling\n", "deploy:health is needed for rolling"},
      {kThree + "    health: {http: {port: 8101}}\n" + kHaproxy + "    strategy: rolling\n",
       "deploy:health has a port, but on this machine each that runs has one of its own"},
      {replace_all(kSsh, "8001", "[8001]") + kHealth, "blue"},
      {kCompose, "deploy:compose:ports has blue and green, but recreate runs in one place"},
      {"    target: compose\n    release: {image: a}\n    compose: {file: f, service: s, ports: 80}\n" +
           kHealth + kHaproxy + "    strategy: blue_green\n",
       "deploy:compose:ports needs blue and green for blue_green"},
      {"    target: compose\n    release: {image: a}\n    compose: {file: f, service: s, ports: {blue: 1, "
       "green: "
       "1}}\n" +
           kHealth + kHaproxy + "    strategy: blue_green\n",
       "deploy:compose:ports: blue and green run at the same time"},
      {"    target: compose\n    release: {image: a}\n    compose: {file: f, service: s}\n" + kHealth,
       "deploy:compose needs ports"},
      {"    target: compose\n    release: {image: a}\n    compose: {file: f, service: s, host: "
       "'ssh://u@h'}\n",
       "deploy:compose:host ssh://u@h is not there yet"},
      {"    target: compose\n    release: {image: a}\n    compose: {file: f, service: s, host: "
       "'tcp://h:1'}\n",
       "deploy:compose:host tcp://h:1 is not there yet"},
      {"    target: compose\n    release: {image: a, config: [x]}\n    compose: {file: f, service: s}\n",
       "deploy:release:config is not for the target compose"},
      {kSsh + kHealth + "    strategy: blue_green\n", "deploy:balancer is needed for blue_green"},
      {kSsh + kHealth + "    strategy: blue_green\n    balancer: {type: haproxy}\n",
       "needs socket and backend"},
      {kSsh + "    strategy: rolling\n", "deploy:health is needed for rolling"},
      {kSsh + "    outputs: {ulr: 'https://x/'}\n", "deploy:outputs has the unknown key 'ulr'"},
      {"    target: ssh\n    release: {image: a, config: [b]}\n    ssh: {hosts: [a], root: /s, known_hosts: "
       "f, service: s}\n",
       "deploy:release:image is not for the target ssh"},
      {"    target: script\n    script: {activate: x}\n" + kHaproxy,
       "deploy:balancer is not for the target script"},
      {kSsh + kHealth + "    migrate: {run: m, list: l}\n", "deploy:migrate:list"},
      {kSsh, "deploy:ssh:ports has blue and green, but recreate runs in one place"},
      {kSsh + kHealth + "    strategy: {type: rolling, order: stop_first}\n",
       "but rolling runs in one place"},
      {kSsh + kHealth + "    strategy: {type: rolling, max_parallel: 3}\n", "this equals recreate"},
      {kSsh + kHealth + "    strategy: {type: rolling, max_parallel: 0}\n",
       "a number from 1, or a percentage"},
      {kSsh + kHealth + "    strategy: {type: rolling, steps: [{weight: 100}]}\n",
       "steps is for canary only"},
      {canary + "    strategy: canary\n", "deploy:strategy canary needs steps"},
      {canary + "    strategy: {type: canary, steps: [{weight: 10%}, {weight: 5%}, {weight: 100%}]}\n",
       "weights must go up"},
      {canary + "    strategy: {type: canary, steps: [{weight: 10%}]}\n", "steps must end at 100%"},
      {canary + "    strategy: {type: canary, steps: [{hold: 1m}, {weight: 100}]}\n",
       "a step needs a weight"},
      {canary + "    strategy: {type: canary, steps: [{weight: 100}], checks: [{metric: http_5xx_ratio}]}\n",
       "a check needs max"},
      {canary + "    strategy: {type: canary, steps: [{weight: 100}], checks: [{metric: load, max: 1}]}\n",
       "load"},
      {kSsh + kHealth + "    strategy: {type: rolling, checks: [{metric: http_5xx_ratio, max: 0.1}]}\n",
       "checks needs the balancer haproxy"},
      {kSsh + kHealth +
           "    strategy: blue_green\n    balancer: {type: nginx, upstream_file: /f, reload: r}\n",
       "nginx closes idle keep-alive connections"},
      {kSsh + "    health: {interval: 1s}\n", "deploy:health needs one of http, tcp and exec"},
      {kSsh + "    health: {http: {path: ready}}\n", "must begin with '/'"},
      {kSsh + "    health: {http: {status: 299-200}}\n", "is no status"},
      {kSsh + "    health: {tcp: {port: 70000}}\n", "must be from 1 to 65535"},
      {kSsh + "    health: {http: {}, deadline: 20m}\n", "must be shorter than deploy:timeout:progress"},
      {kSsh + "    health: {http: {}, interval: 1m, successes: 3}\n", "deploy:health can never pass"},
      {kSsh + "    timeout: {progress: 2h}\n", "must be shorter than deploy:timeout:total"},
      {kSsh + "    timeout: {progress: soon}\n", "is not a duration"},
      {kSsh + kHealth + "    strategy: rolling\n    migrate: {run: m, compatible: false, down: d}\n",
       "compatible false cannot be used with rolling"},
      {kSsh + "    migrate: {run: m, compatible: false}\n", "deploy:migrate needs down"},
      {kSsh + "    migrate: {down: d}\n", "deploy:migrate needs run"},
      {kSsh + "    migrate: {run: m, backup_before: true}\n", "needs backup"},
      {kSsh + "    rollback: {when: [fire]}\n", "there is no reason 'fire'"},
      {kSsh + "    rollback: {on_restart: retry}\n", "retry"},
      {kSsh + "    smoke: {after_switch: [{status: 200}]}\n", "a check needs http"}};
  for (const Case& one : cases) EXPECT_THAT(messages(one.block), HasSubstr(one.message)) << one.block;
}

TEST(Deploy, AllOfItIsRead) {
  const std::string text = R"(
release: {artifact: dist/shop.tar.zst, config: [prod.env.tmpl]}
target: ssh
ssh:
  hosts: [app1, {address: 'deploy@app2:2222', root: /srv/other, ports: {blue: 1, green: 2}}]
  user: deploy
  key: secret:KEY
  known_hosts: secret:HOSTS
  root: /srv/shop
  service: shop@%slot.service
  ports: {blue: 8001, green: 8002}
  keep_releases: 7
strategy:
  type: canary
  steps:
    - {weight: 5%, hold: 3m}
    - {weight: 25, hold: 5m, approve: true}
    - {weight: 100%}
  checks:
    - {name: errors, of: candidate, metric: http_5xx_ratio, max: 0.01, min_samples: 200}
    - {metric: http_mean_seconds, max_ratio_to: stable, ratio: 1.5}
  limits: {failures: 2, unknown: 9, interval: 20s}
balancer: {type: haproxy, socket: [/a, 'lb:9999'], backend: shop, server: '%unit_%slot'}
health: {http: {path: /ready, port: 8080, status: 200-204}, interval: 1s, timeout: 3s, successes: 2, start_period: 0, deadline: 90s}
smoke:
  before_switch: ['./smoke.sh $RUNNER_CANDIDATE_URL']
  after_switch: [{http: 'https://shop.example/health', status: 200}]
  timeout: 2m
migrate: {run: [./migrate up], list: ./migrate list, backup_before: true, backup: ./dump, idempotent: true, timeout: 15m}
drain: {timeout: 45s, stop_grace: 5s}
rollback: {auto: true, when: [health, checks], keep_old: 30m, on_restart: hold}
timeout: {progress: 5m, total: 45m, lock: 10m}
outputs: {url: https://shop.example}
)";
  NodeArena arena;
  Diagnostics diagnostics;
  NoEffect no_effect;
  Shapes in(&diagnostics, no_effect, "job");
  const auto documents = read_yaml(FileId{}, text, arena, diagnostics);
  ASSERT_TRUE(documents);
  const DeploySpec spec = read_deploy_spec(in, *documents->at(0));
  for (const Diagnostic& one : diagnostics.all()) ADD_FAILURE() << one.message;
  EXPECT_EQ(spec.release.artifact, "dist/shop.tar.zst");
  EXPECT_EQ(spec.target, DeployTarget::ssh);
  ASSERT_EQ(spec.ssh->hosts.size(), 2U);
  EXPECT_EQ(spec.ssh->hosts[0].address, "app1");
  EXPECT_EQ(spec.ssh->hosts[0].root, "");
  EXPECT_EQ(spec.ssh->hosts[1].address, "deploy@app2:2222");
  EXPECT_EQ(spec.ssh->hosts[1].root, "/srv/other");
  EXPECT_EQ(spec.ssh->hosts[1].ports.at("green"), 2);
  EXPECT_EQ(spec.ssh->key, "secret:KEY");
  EXPECT_EQ(spec.ssh->ports.at("green"), 8002);
  EXPECT_EQ(spec.ssh->keep_releases, 7);
  EXPECT_EQ(spec.strategy.type, DeployStrategy::canary);
  ASSERT_EQ(spec.strategy.steps.size(), 3U);
  EXPECT_EQ(spec.strategy.steps[1].weight, 25);
  EXPECT_EQ(spec.strategy.steps[1].hold, minutes(5));
  EXPECT_TRUE(spec.strategy.steps[1].approve);
  ASSERT_EQ(spec.strategy.checks.size(), 2U);
  EXPECT_EQ(spec.strategy.checks[0].max, 0.01);
  EXPECT_EQ(spec.strategy.checks[0].min_samples, 200);
  EXPECT_EQ(spec.strategy.checks[1].ratio, 1.5);
  EXPECT_EQ(spec.strategy.checks[1].name, "http_mean_seconds");
  EXPECT_EQ(spec.strategy.failures, 2);
  EXPECT_EQ(spec.strategy.unknown, 9);
  EXPECT_EQ(spec.balancer.sockets.size(), 2U);
  EXPECT_EQ(spec.balancer.server, "%unit_%slot");
  EXPECT_EQ(spec.health.port, 8080);
  EXPECT_EQ(spec.health.status_high, 204);
  EXPECT_EQ(spec.health.start_period, milliseconds(0));
  EXPECT_EQ(spec.health.deadline, seconds(90));
  EXPECT_EQ(spec.smoke.before_switch.at(0).command, "./smoke.sh $RUNNER_CANDIDATE_URL");
  EXPECT_EQ(spec.smoke.after_switch.at(0).url, "https://shop.example/health");
  EXPECT_EQ(spec.smoke.after_switch.at(0).status_high, 200);
  EXPECT_TRUE(spec.migrate->idempotent);
  EXPECT_EQ(spec.migrate->timeout, minutes(15));
  EXPECT_EQ(spec.drain_timeout, seconds(45));
  EXPECT_EQ(spec.stop_grace, seconds(5));
  EXPECT_TRUE(spec.rollback.on_health);
  EXPECT_FALSE(spec.rollback.on_smoke);
  EXPECT_EQ(spec.rollback.keep_old, minutes(30));
  EXPECT_EQ(spec.rollback.on_restart, AfterRestart::hold);
  EXPECT_EQ(spec.timeout.total, minutes(45));
  EXPECT_EQ(spec.outputs.at("url"), "https://shop.example");
}

PlanJob planned(const std::string& job) {
  PlanWorld world;
  const PlanResult result = world.plan("job:\n" + job);
  for (const Diagnostic& one : result.diagnostics.all())
    if (one.severity == Severity::error) ADD_FAILURE() << one.message;
  return result.plan ? result.plan->jobs.at(0) : PlanJob();
}

const std::string kScript =
    "  deploy:\n    target: script\n    script: {activate: './put $RUNNER_CANDIDATE_RELEASE'}\n";

TEST(DeployJob, ThePlanKeepsTheBlock) {
  const PlanJob job =
      planned("  environment: staging\n" + kScript + "    outputs: {url: 'https://$HOST/'}\n");
  EXPECT_EQ(job.unsupported, "");
  EXPECT_EQ(job.environment->url, "https://$HOST/") << "where it is found, when the environment does not say";
  const DeploySpec spec = parse_deploy_block(job.deploy);
  EXPECT_EQ(spec.target, DeployTarget::script);
  EXPECT_THAT(spec.script->activate, testing::ElementsAre("./put $RUNNER_CANDIDATE_RELEASE"));
  EXPECT_EQ(planned("  environment: {name: staging, url: 'https://own/'}\n" + kScript +
                    "    outputs: {url: 'https://other/'}\n")
                .environment->url,
            "https://own/");
}

TEST(DeployJob, InputsOfTheJobArePutIn) {
  const PlanJob job = planned(
      "  inputs: {where: {default: srv7}}\n  environment: staging\n  deploy:\n    target: script\n"
      "    script: {activate: 'put ${{ job.inputs.where }}'}\n");
  EXPECT_THAT(parse_deploy_block(job.deploy).script->activate, testing::ElementsAre("put srv7"));
}

TEST(DeployJob, SaysWhereToAndHasNoScript) {
  const auto said = [](const std::string& job) {
    PlanWorld world;
    const PlanResult result = world.plan("job:\n" + job);
    std::string text;
    for (const Diagnostic& one : result.diagnostics.all()) text += one.message + "\n";
    return text;
  };
  EXPECT_THAT(said(kScript), HasSubstr("deploy needs environment"));
  EXPECT_THAT(said("  environment: {name: a, action: stop}\n" + kScript),
              HasSubstr("deploy cannot be used with environment:action: stop"));
  for (const std::string key :
       {"script: x", "before_script: x", "image: a", "services: [a]", "build_image: {}"})
    EXPECT_THAT(said("  environment: a\n  " + key + "\n" + kScript),
                HasSubstr("key cannot be used with deploy: '" + key.substr(0, key.find(':')) + "'"))
        << key;
  EXPECT_EQ(planned("  environment: a\n" + kScript).before_script.size(), 0U);
}

TEST(DeployJob, ANewerPushDoesNotInterruptIt) {
  PlanWorld world;
  const std::string defaults = "default: {interruptible: true, before_script: [x]}\n";
  const auto job = [&](const std::string& more) {
    return world.plan(defaults + "job:\n  environment: a\n" + more + kScript).plan->jobs.at(0);
  };
  EXPECT_FALSE(job("").interruptible);
  EXPECT_TRUE(job("").before_script.empty());
  EXPECT_TRUE(job("  interruptible: true\n").interruptible);
}

TEST(DeployJob, ComposeIsCarriedOut) {
  const PlanJob job = planned(
      "  environment: a\n  deploy:\n    target: compose\n    release: {image: a}\n"
      "    compose: {file: f, service: s}\n");
  EXPECT_EQ(job.unsupported, "");
  EXPECT_THAT(job.deploy, HasSubstr("compose"));
}

TEST(DeployJob, TextsAreFilledInButCommandsAreTheShells) {
  DeploySpec spec;
  spec.release.artifact = "dist/$V.zip";
  spec.ssh.emplace();
  spec.ssh->hosts = {{"$A", "/$R", {}}, {"b", "", {}}};
  spec.ssh->service = "$V@%slot.service";
  spec.ssh->start = "run $V";
  spec.balancer.server = "%unit-%slot";
  spec.smoke.after_switch = {{"./smoke $V", "", 0, 0}, {"", "https://$V/", 0, 0}};
  spec.outputs["url"] = "u$V";
  expand_deploy_texts(spec, [](std::string_view text) { return "<" + std::string(text) + ">"; });
  EXPECT_EQ(spec.release.artifact, "<dist/$V.zip>");
  EXPECT_EQ(spec.ssh->hosts[0].address, "<$A>");
  EXPECT_EQ(spec.ssh->hosts[0].root, "</$R>");
  EXPECT_EQ(spec.ssh->hosts[1].address, "b");
  EXPECT_EQ(spec.ssh->service, "<$V@%slot.service>");
  EXPECT_EQ(spec.ssh->start, "run $V");
  EXPECT_EQ(spec.balancer.server, "%unit-%slot");
  EXPECT_EQ(spec.smoke.after_switch[0].command, "./smoke $V");
  EXPECT_EQ(spec.smoke.after_switch[1].url, "<https://$V/>");
  EXPECT_EQ(spec.outputs["url"], "<u$V>");
}

TEST(DeployJob, SecretsAreKnownByTheirNames) {
  DeploySpec spec;
  EXPECT_TRUE(deploy_secrets(spec).empty());
  spec.ssh.emplace();
  spec.ssh->key = "secret:KEY";
  spec.ssh->known_hosts = "known_hosts";
  EXPECT_THAT(deploy_secrets(spec), testing::ElementsAre("KEY"));
  EXPECT_EQ(secret_name("secret:"), "");
  EXPECT_EQ(secret_name("KEY"), "");
}

TEST(DeployJob, ABlockThatIsNoneIsRefused) {
  for (const char* text : {"", "[]", "3", "{\"target\":\"nowhere\"}", "{\"target\":\"ssh\"}", "{"}) {
    try {
      parse_deploy_block(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input) << text;
    }
  }
}

}  // namespace
}  // namespace runner::pipelines
