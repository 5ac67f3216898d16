// A server that is started from a configuration file and reads it again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "runner/storage/project_table.h"
#include "tests/daemon/served.h"

namespace runner::test {
namespace {

using pipelines::JobStatus;

class ConfiguredServer : public testing::Test {
 public:
  ConfiguredServer() {
    served.write(".gitlab-ci.yml", "job: {script: ['true']}\n");
    served.commit("first");
  }
  void write(const std::string& text) const { write_file_atomic(path, text, 0600); }
  std::string shop(const std::string& interval = "30s") const {
    return "projects:\n  - name: shop\n    url: " + served.repository().native() +
           "\n    poll_interval: " + interval + "\n";
  }
  void start() {
    auto reading = daemon::read_config(path, daemon::process_environment(), SystemClock().now());
    served.options.config = std::move(reading.config.value());
    served.start();
  }
  std::optional<storage::ProjectRecord> project(const std::string& name) {
    std::optional<storage::ProjectRecord> found;
    served.store().read([&](storage::Tx& tx) { found = storage::Projects(tx).find(name); });
    return found;
  }

  Served served;
  const std::filesystem::path path = served.data() / "config.yaml";
};

TEST_F(ConfiguredServer, RunsAPushOfItsProject) {
  write(shop());
  start();
  const auto pipelines = served.wait_for(1);
  EXPECT_EQ(pipelines[0].status, JobStatus::success);
  EXPECT_EQ(pipelines[0].project, "shop");
}

TEST_F(ConfiguredServer, ReadsItAgainWhenAsked) {
  write("jobs: 4\n");
  start();
  EXPECT_EQ(project("shop"), std::nullopt);
  write(shop() + "    schedules: [{name: nightly, cron: '@daily'}]\n");
  served.daemon().reload();
  served.wait_for(1);  // it is looked at without a restart
  EXPECT_EQ(project("shop")->poll_interval, std::chrono::seconds(30));
  write(shop("5m"));
  served.daemon().reload();
  EXPECT_EQ(project("shop")->poll_interval, std::chrono::minutes(5));
  write("jobs: 4\n");
  served.daemon().reload();
  EXPECT_TRUE(project("shop")->paused);
}

TEST_F(ConfiguredServer, ABrokenFileChangesNothing) {
  write(shop());
  start();
  served.wait_for(1);
  write(shop("5m") + "    nonsense: 1\n");
  served.daemon().reload();
  EXPECT_EQ(project("shop")->poll_interval, std::chrono::seconds(30));
  EXPECT_FALSE(project("shop")->paused);
  std::filesystem::remove(path);
  served.daemon().reload();
  EXPECT_FALSE(project("shop")->paused);
  write(shop("5m"));
  served.daemon().reload();
  EXPECT_EQ(project("shop")->poll_interval, std::chrono::minutes(5)) << "mended, it counts";
}

TEST_F(ConfiguredServer, AVariableThatAReloadNamesIsKeptFromJobsOfEarlierPipelinesToo) {
  ::setenv("SHOP_HOOK", "s3cret", 1);
  served.options.base_environment["SHOP_HOOK"] = "s3cret";
  served.options.base_environment["OTHER"] = "here";
  const std::filesystem::path gate = served.data() / "gate";
  served.write(
      ".gitlab-ci.yml",
      "before: {script: ['echo \"[$SHOP_HOOK]\"; while [ ! -e " + gate.native() +
          " ]; do sleep 0.01; done']}\nafter: {needs: [before], script: ['echo \"[$SHOP_HOOK$OTHER]\"']}\n");
  served.commit("second");
  write(shop("1s"));
  start();
  const auto running = [&](const auto& pipelines) {
    return pipelines.size() == 1 &&
           served.log(served.jobs(pipelines[0].id)[0]).find("[s3cret]") != std::string::npos;
  };
  const auto pipelines = served.wait_until(running);
  write(shop("1s") + "    webhook_secret_env: SHOP_HOOK\n");
  served.daemon().reload();
  write_file_atomic(gate, "");
  served.wait_for(1);
  EXPECT_THAT(served.log(served.jobs(pipelines[0].id)[1]), testing::HasSubstr("[here]"));
  served.commit("third");
  served.wait_for(2);
  EXPECT_THAT(served.log(served.jobs(served.pipelines()[1].id)[0]), testing::HasSubstr("[]"));
  ::unsetenv("SHOP_HOOK");
}

TEST_F(ConfiguredServer, AResourceGroupIsHandedOnAsTheFileSays) {
  const std::filesystem::path gate = served.data() / "gate", ran = served.data() / "ran";
  served.write(".gitlab-ci.yml", "job: {resource_group: prod, script: ['while [ ! -e " + gate.native() +
                                     " ]; do sleep 0.01; done; echo $CI_PIPELINE_ID >> " + ran.native() +
                                     "']}\n");
  served.commit("second");
  served.git("git branch b1 && git branch b2 && git branch b3");
  const std::string file = shop() + "    branches: ['b*']\n";
  write(file);
  start();
  served.wait_until([&](const auto& pipelines) {
    std::size_t waiting = 0;
    for (const auto& pipeline : pipelines)
      waiting += served.jobs(pipeline.id)[0].status == JobStatus::waiting_for_resource ? 1U : 0U;
    return pipelines.size() == 3 && waiting == 2;
  });
  write(file + "    resource_groups: {prod: newest_first}\n");
  served.daemon().reload();
  write_file_atomic(gate, "");
  served.wait_for(3);
  EXPECT_EQ(read_file(ran).value_or(""), "1\n3\n2\n");
}

TEST_F(ConfiguredServer, WhatVanishedWhileNobodyServedIsPaused) {
  write(shop());
  start();
  served.wait_for(1);
  served.stop();
  write("projects: []\n");
  start();
  EXPECT_TRUE(project("shop")->paused);
}

}  // namespace
}  // namespace runner::test
