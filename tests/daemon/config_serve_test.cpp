// A server that is started from a configuration file and reads it again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
