// The data key of a server is changed while it works, and while it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "runner/base/files.h"
#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kValue = "correct-horse-battery";

class DataKeyChange : public testing::Test {
 protected:
  DataKeyChange() {
    repository_.write(".gitlab-ci.yml", "use: {script: ['echo \"$PASSWORD\" > " + seen_.native() + "']}\n");
    repository_.push("here");
    server_.start();
    server_.api("POST", "/projects",
                {{"name", "shop"},
                 {"url", repository_.path()},
                 {"branches", {"none"}},
                 {"poll_interval_seconds", 0}});
    server_.api("POST", "/projects/shop/variables",
                {{"key", "PASSWORD"}, {"value", kValue}, {"masked", true}, {"environment_scope", "*"}});
    server_.api(
        "POST", "/projects/shop/schedules",
        {{"description", "nightly"}, {"cron", "0 3 * * *"}, {"ref", "main"}, {"variables", {{"A", "b"}}}});
  }
  json keys() { return server_.get("/keys"); }
  std::string sealing() { return keys().at("keys").at(0).at("id"); }
  /// A job is given the value, whatever key it is sealed with.
  void expect_a_job_reads_it() {
    fs::remove(seen_);
    server_.api("POST", "/projects/shop/pipelines", json{{"ref", "main"}});
    const auto pipelines = server_.wait_for(++runs_);
    EXPECT_EQ(pipelines.back().at("status"), "success");
    EXPECT_EQ(read_file(seen_).value_or(""), std::string(kValue) + "\n");
  }
  void wait_until_renewed() {
    server_.wait_until("all values have the key", [&] { return !keys().at("renewing").get<bool>(); });
    const json report = keys();
    EXPECT_TRUE(report.at("failures").empty()) << report;
    for (const json& key : report.at("keys"))
      EXPECT_EQ(key.at("values").get<int>() > 0, key.at("seals").get<bool>()) << report;
  }

  PushedRepository repository_;
  ServerProgram server_{repository_.top() / "data"};
  const fs::path seen_ = repository_.top() / "seen";
  std::size_t runs_ = 0;
};

TEST_F(DataKeyChange, WhileItWorksAndTheOldOneIsNeededByNothing) {
  expect_a_job_reads_it();
  const std::string before = sealing();
  const auto rotated = server_.command("keys rotate");
  EXPECT_EQ(rotated.code, 0) << rotated.output;
  EXPECT_THAT(rotated.output, HasSubstr("values have it now"));
  EXPECT_NE(sealing(), before);
  wait_until_renewed();
  EXPECT_TRUE(fs::exists(server_.data() / "secrets" / ("data-" + before + ".unused.key")));
  expect_a_job_reads_it();
  EXPECT_EQ(server_.command("keys remove " + sealing()).code, 1);
  EXPECT_EQ(server_.command("keys remove " + before).code, 0);
  EXPECT_FALSE(fs::exists(server_.data() / "secrets" / ("data-" + before + ".unused.key")));
  server_.stop();
  server_.start();
  expect_a_job_reads_it();
  EXPECT_EQ(server_.api("POST", "/schedules/1/play").at("status").is_string(), true);
  EXPECT_EQ(server_.wait_for(++runs_).back().at("status"), "success") << "its variables open, too";
  const auto audit = server_.command("audit list --action key.");
  for (const char* action : {"key.changed", "key.renewed", "key.removed"})
    EXPECT_THAT(audit.output, HasSubstr(action));
  EXPECT_EQ(server_.command("audit verify").code, 0);
}

TEST_F(DataKeyChange, AKillAnywhereLosesNoValue) {
  for (const char* point : {"data_key.synced", "data_key.next", "data_key.kept", "data_key.changed"}) {
    SCOPED_TRACE(point);
    server_.stop();
    server_.environment = {std::string("RUNNER_FAILPOINT=") + point};
    server_.start();
    EXPECT_NE(server_.command("keys rotate").code, 0) << "the server was killed in the middle of it";
    server_.kill();
    server_.environment.clear();
    server_.start();
    expect_a_job_reads_it();
    EXPECT_EQ(server_.command("keys rotate").code, 0);
    wait_until_renewed();
    expect_a_job_reads_it();
  }
}

TEST_F(DataKeyChange, ADatabaseOfBeforeIsReadWithTheKeysThatAreKept) {
  const fs::path backup = repository_.top() / "backup";
  server_.stop();
  fs::copy(server_.data() / "runner.db", backup);
  server_.start();
  const std::string before = sealing();
  EXPECT_EQ(server_.command("keys rotate").code, 0);
  wait_until_renewed();
  server_.stop();
  for (const char* name : {"runner.db", "runner.db-wal", "runner.db-shm"}) fs::remove(server_.data() / name);
  fs::copy(backup, server_.data() / "runner.db");
  server_.start();
  expect_a_job_reads_it();
  const json report = keys();
  EXPECT_GT(report.at("keys").at(1).at("values").get<int>(), 0) << report;
  EXPECT_EQ(server_.command("keys remove " + before).code, 1) << "it is needed again";
}

}  // namespace
}  // namespace runner::test
