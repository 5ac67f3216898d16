// Configuration files: what is read.
#include <gmock/gmock.h>

#include "runner/base/error.h"
#include "runner/daemon/config_containers.h"
#include "tests/daemon/config_reader.h"
#include "tests/support/source_dir.h"

namespace runner::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class ConfigFileTest : public ConfigReader {};

TEST_F(ConfigFileTest, EverythingIsRead) {
  write("shop.token", "glpat-1\n");
  write("shop.hook", "h00k");
  write("shop.forge", "f0rge\n");
  write("tools.key", kKey);
  environment["DOCS_TOKEN"] = "t0ken";
  const ConfigFile config = good(R"yml(
listen: 0.0.0.0:9000
tls: {certificate: server.pem, key: /etc/ssl/server.key}
url: https://ci.example.com/runner
data: /srv/runner
jobs: 8
executors: {shell: {jobs: 3}, container: {jobs: 2}}
executor: shell
containers:
  engine: podman.sock
  image: debian:12
  pull_policy: if-not-present
  allowed_pull_policies: [if-not-present, never]
  privileged: yes
  memory: 512 MiB
  cpus: 0.5
  shm_size: 64MiB
  service_wait: never
  ulimits: {nofile: 4096}
  engine_socket: [shop, tools]
  image_budget: 20GB
  build_cache_budget: 2 GiB
timeout: 30m
keep_logs: 90d
log_level: debug
log_format: json
log_file: logs/runner.log
log_max_size: 16M
log_keep: 0
poll_interval: 2m
projects:
  - name: shop
    url: https://git.example.com/team/shop.git
    branches: [main, 'release/*']
    tags: v*
    pipeline_file: ci/all.yml
    poll_interval: never
    paused: yes
    priority: -7
    username: ci
    token_file: shop.token
    webhook_secret_file: shop.hook
    forge: gitlab
    forge_api: https://git.example.com/ci/api/v4
    forge_repository: team/shop
    forge_token_file: shop.forge
    merge_requests: true
    resource_groups: {production: oldest_first, 'test bench': newest_first}
    schedules:
      - {name: nightly, cron: '0 3 * * *', timezone: Europe/Zurich, ref: main, active: false, variables: {FULL: 1, A: b}}
      - {name: weekly, cron: '@weekly'}
  - {name: tools, url: 'git@git.example.com:team/tools.git', ssh_key_file: tools.key}
  - {name: docs, url: 'https://git.example.com/docs.git', token_env: DOCS_TOKEN, forge: auto}
)yml");
  EXPECT_EQ(config.path, dir.path() / "config.yaml");
  EXPECT_EQ(config.server.listen->host, "0.0.0.0");
  EXPECT_EQ(config.server.listen->port, 9000);
  EXPECT_EQ(config.server.certificate, dir.path() / "server.pem") << "relative to the file";
  EXPECT_EQ(config.server.key, "/etc/ssl/server.key");
  EXPECT_EQ(config.server.url, "https://ci.example.com/runner");
  EXPECT_EQ(config.server.data, "/srv/runner");
  EXPECT_EQ(config.server.jobs, 8U);
  EXPECT_THAT(config.server.executor_jobs, ElementsAre(Pair("container", 2U), Pair("shell", 3U)));
  engine::ContainerSettings containers;
  apply(config.server.containers, containers);
  EXPECT_EQ(config.server.containers.engine, dir.path() / "podman.sock");
  EXPECT_EQ(containers.default_image, "debian:12");
  EXPECT_EQ(containers.pull_policy, "if-not-present");
  EXPECT_THAT(containers.allowed_pull_policies, ElementsAre("if-not-present", "never"));
  EXPECT_TRUE(containers.privileged);
  EXPECT_EQ(containers.memory_bytes, 512U << 20U);
  EXPECT_EQ(containers.cpu_millis, 500U);
  EXPECT_EQ(containers.shm_bytes, 64U << 20U);
  EXPECT_LT(containers.service_wait.count(), 0) << "not at all";
  EXPECT_THAT(containers.ulimits, ElementsAre(Pair("nofile", Pair(4096U, 4096U))));
  EXPECT_TRUE(containers.engine_socket);
  EXPECT_THAT(containers.engine_socket_projects, ElementsAre("shop", "tools"));
  EXPECT_EQ(containers.image_budget, 20'000'000'000U);
  EXPECT_EQ(containers.build_cache_budget, 2U << 30U);
  EXPECT_EQ(config.server.shell_only, true);
  EXPECT_EQ(config.server.timeout, std::chrono::minutes(30));
  EXPECT_EQ(config.server.keep_logs, std::chrono::days(90));
  EXPECT_EQ(config.server.log_level, "debug");
  EXPECT_EQ(config.server.log_format, "json");
  EXPECT_EQ(config.server.log_file, dir.path() / "logs/runner.log");
  EXPECT_EQ(config.server.log_max_size, 16U << 20U);
  EXPECT_EQ(config.server.log_keep, 0U);
  ASSERT_EQ(config.projects.size(), 3U);
  const ConfigProject& shop = config.projects[0];
  EXPECT_EQ(shop.record.name, "shop");
  EXPECT_EQ(shop.record.url, "https://git.example.com/team/shop.git");
  EXPECT_THAT(shop.record.branches, ElementsAre("main", "release/*"));
  EXPECT_THAT(shop.record.tags, ElementsAre("v*"));
  EXPECT_EQ(shop.record.pipeline_file, "ci/all.yml");
  EXPECT_EQ(shop.record.poll_interval.count(), 0);
  EXPECT_TRUE(shop.record.paused);
  EXPECT_EQ(shop.priority, -7);
  EXPECT_EQ(shop.forge, "gitlab");
  EXPECT_EQ(shop.forge_api, "https://git.example.com/ci/api/v4");
  EXPECT_EQ(shop.forge_repository, "team/shop");
  EXPECT_EQ(shop.forge_token, "f0rge");
  EXPECT_EQ(shop.merge_requests, true);
  EXPECT_THAT(shop.resource_groups, ElementsAre(Pair("production", engine::ResourceMode::oldest_first),
                                                Pair("test bench", engine::ResourceMode::newest_first)));
  EXPECT_EQ(shop.username, "ci");
  EXPECT_EQ(shop.token, "glpat-1");
  EXPECT_EQ(shop.webhook_secret, "h00k");
  ASSERT_EQ(shop.schedules.size(), 2U);
  EXPECT_EQ(shop.schedules[0].time_zone, "Europe/Zurich");
  EXPECT_EQ(shop.schedules[0].ref, "main");
  EXPECT_FALSE(shop.schedules[0].active);
  EXPECT_THAT(shop.schedules[0].variables, ElementsAre(Pair("A", "b"), Pair("FULL", "1")));
  EXPECT_EQ(shop.schedules[1].time_zone, "UTC");
  EXPECT_EQ(config.projects[1].ssh_key, kKey);
  EXPECT_EQ(config.projects[1].record.poll_interval, std::chrono::minutes(2)) << "the file's default";
  EXPECT_THAT(config.projects[1].record.branches, ElementsAre("develop", "main"));
  EXPECT_EQ(config.projects[1].forge, std::nullopt) << "what is not said is nobody's business";
  EXPECT_EQ(config.projects[1].priority, std::nullopt);
  EXPECT_EQ(config.projects[1].merge_requests, std::nullopt);
  EXPECT_EQ(config.projects[2].token, "t0ken");
  EXPECT_EQ(config.projects[2].forge, "") << "as the address says";
  EXPECT_THAT(config.secret_variables, ElementsAre("DOCS_TOKEN"));
}

TEST_F(ConfigFileTest, AnEmptyFileSaysNothing) {
  for (const char* text : {"", "# nothing\n", "projects:\n", "projects: []\n"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(good(text).projects, IsEmpty());
  }
}

TEST_F(ConfigFileTest, TheExampleIsRightAsItIsAndWithAllItShows) {
  const std::string example = read_file(test::source_dir() / "packaging/config/config.yaml").value();
  EXPECT_THAT(good(example).projects, IsEmpty());
  std::string shown;
  for (const std::string_view line : split(example, '\n')) {
    const bool setting = line.size() > 1 && line[0] == '#' && (line[1] != ' ' || line.starts_with("#  "));
    shown += std::string(setting ? line.substr(1) : line) + "\n";
  }
  write("shop.token", "t");
  write("shop.hook", "h");
  write("shop.forge", "f");
  write("tools.key", kKey);
  const ConfigFile config = good(shown);
  EXPECT_EQ(config.projects.size(), 2U);
  EXPECT_EQ(config.server.log_keep, 14U);
  EXPECT_EQ(config.server.jobs, 4U);
}

TEST_F(ConfigFileTest, WhatChangedOfTheServerIsNamedByItsKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"listen: 0.0.0.0:1", "listen"},
      {"url: https://h", "url"},
      {"tls: {certificate: a, key: b}", "tls"},
      {"data: /x", "data"},
      {"jobs: 2", "jobs"},
      {"executors: {shell: {jobs: 2}}", "executors"},
      {"containers: {pull_policy: never}", "containers"},
      {"executor: shell", "executor"},
      {"timeout: 2h", "timeout"},
      {"keep_logs: forever", "keep_logs"},
      {"log_level: warn", "log_level"},
      {"log_format: json", "log_format"},
      {"log_file: x", "log_file"},
  };
  const ConfigServer none;
  EXPECT_THAT(changed_keys(none, none), IsEmpty());
  for (const auto& [text, key] : cases) {
    SCOPED_TRACE(text);
    const ConfigServer said = good(text).server;
    EXPECT_THAT(changed_keys(none, said), ElementsAre(key));
    EXPECT_THAT(changed_keys(said, none), ElementsAre(key));
    EXPECT_THAT(changed_keys(said, said), IsEmpty());
  }
  EXPECT_THAT(
      changed_keys(good("log_file: x").server, good("log_file: x\nlog_keep: 1\nlog_max_size: 2M\n").server),
      ElementsAre("log_keep", "log_max_size"));
}

TEST_F(ConfigFileTest, AFileThatIsNotThereIsNamed) {
  try {
    read_config(dir.path() / "nowhere.yaml", process_environment(), kNow);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_input);
    EXPECT_THAT(error.what(), HasSubstr("nowhere.yaml"));
  }
}

}  // namespace
}  // namespace runner::daemon
