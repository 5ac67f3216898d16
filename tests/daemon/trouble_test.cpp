// Servers in trouble: what they say, that they take nothing new, and that they go on without a hand when it
// is over, with nothing lost and nothing done twice.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/daemon/pushed_repository.h"
#include "tests/daemon/trouble.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AnyOf;
using testing::HasSubstr;

/// A project whose job waits for a gate; what ran is written where no trouble comes.
struct TroubleTest : testing::Test {
  void SetUp() override {
    make_directories(ran);
    const std::string gate = (repository.top() / "gate").native();
    repository.write(".gitlab-ci.yml",
                     "workflow: {auto_cancel: {on_new_commit: none}}\nstages: [a, b]\n"
                     "first:\n  stage: a\n  retry: 2\n"
                     "  script: ['echo x >> " +
                         ran.native() + "/first-$CI_COMMIT_SHA', 'while [ ! -e " + gate +
                         " ]; do sleep 0.05; done', 'echo x >> " + ran.native() +
                         "/through-$CI_COMMIT_SHA']\n"
                         "second:\n  stage: b\n  script: ['echo x >> " +
                         ran.native() + "/second-$CI_COMMIT_SHA']\n");
    server.options = {"--jobs", "3"};
  }
  void open_gate() const { write_file_atomic(repository.top() / "gate", ""); }
  bool did(const std::string& what, const std::string& sha) const {
    return fs::exists(ran / (what + "-" + sha));
  }
  /// The server runs, and its first job waits for the gate.
  std::string begin() {
    server.start();
    const std::string sha = repository.push("here");
    server.api("POST", "/projects",
               {{"name", "shop"}, {"url", repository.path()}, {"poll_interval_seconds", 1}});
    server.wait_until("a job that runs", [&] { return did("first", sha); });
    return sha;
  }
  int readiness() const { return server.ask("GET", "/readyz").status; }
  double looks() const {
    return server.metric("runner_repository_looks_total{result=\"success\"}") +
           server.metric("runner_repository_looks_total{result=\"failure\"}");
  }
  void expect_refused(const char* check) const {
    const auto health = server.ask("GET", "/healthz");
    EXPECT_EQ(health.status, 503);
    EXPECT_EQ(json::parse(health.body).at("checks").at(check).at("status"), "fail") << health.body;
    EXPECT_EQ(server.ask("GET", "/livez").status, 200);
    const auto refused = server.ask("POST", "/api/v1/projects/shop/pipelines", json::object());
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_FALSE(refused.header("retry-after").empty());
    // What is there can be read all the same.
    EXPECT_EQ(server.get("/pipelines/1").at("status"), "running");
    EXPECT_EQ(server.metric("runner_ready"), 0);
  }
  void expect_all_done_once(const std::vector<std::string>& commits) {
    const auto pipelines = server.wait_for(commits.size());
    ASSERT_EQ(pipelines.size(), commits.size());
    for (std::size_t i = 0; i < commits.size(); ++i) {
      EXPECT_EQ(pipelines[i].at("status"), "success") << pipelines[i].dump(2);
      EXPECT_EQ(pipelines[i].at("sha"), commits[i]);
      for (const char* what : {"first-", "through-", "second-"})
        EXPECT_EQ(read_file(ran / (what + commits[i])).value_or("never"), "x\n") << what << i;
      for (const json& job : pipelines[i].at("jobs")) EXPECT_EQ(job.at("attempt"), 1) << job.dump(2);
    }
    server.wait_until("no directory of a job", [&] { return fs::is_empty(server.data() / "jobs"); });
    EXPECT_EQ(readiness(), 200);
    EXPECT_EQ(server.metric("runner_jobs_total{failure_reason=\"\",project=\"shop\",status=\"success\"}"),
              static_cast<double>(commits.size() * 2));
  }

  PushedRepository repository;
  const fs::path ran{repository.top() / "ran"};
  ServerProgram server{repository.top() / "data"};
};

TEST_F(TroubleTest, AFullDiskIsWaitedForAndNothingIsLost) {
  if (const std::string why = SmallDisk::missing(); !why.empty()) GTEST_SKIP() << why;
  const SmallDisk disk(server.data(), 64);
  const std::string one = begin();
  disk.fill();
  server.wait_until("a full disk", [&] { return readiness() == 503; });
  EXPECT_THAT(server.ask("GET", "/readyz").body,
              AnyOf(HasSubstr("is nearly full"), HasSubstr("No space left")));
  expect_refused("disk");
  const std::string two = repository.push("here");
  const double before = looks();
  open_gate();
  server.wait_until("a script that ended on the full disk", [&] { return did("through", one); });
  // Time in which a server that takes work would look, and start what comes next.
  std::set<std::string> checks;
  server.wait_until("three more checks", [&] {
    checks.insert(json::parse(server.ask("GET", "/healthz").body).at("checked_at").dump());
    return checks.size() > 3;
  });
  EXPECT_LE(looks(), before + 1);
  EXPECT_FALSE(did("second", one));
  EXPECT_FALSE(did("first", two));
  disk.make_room();
  expect_all_done_once({one, two});
  EXPECT_EQ(server.stop().code, 0);
}

TEST_F(TroubleTest, ADatabaseThatAnotherProgramHoldsIsWaitedFor) {
  const std::string one = begin();
  {
    const DatabaseHolder holder(server.data() / "runner.db");
    open_gate();
    server.wait_until("a database that does not answer", [&] { return readiness() == 503; });
    EXPECT_THAT(server.ask("GET", "/readyz").body, HasSubstr("another program holds it"));
    expect_refused("database");
    EXPECT_FALSE(did("second", one));
  }
  const std::string two = repository.push("here");
  expect_all_done_once({one, two});
}

TEST_F(TroubleTest, ADirectoryThatCannotBeWrittenIsToldAtTheStart) {
  if (const std::string why = SmallDisk::missing(); !why.empty()) GTEST_SKIP() << why;
  const SmallDisk disk(server.data(), 64);
  for (const bool used : {false, true}) {
    if (used) {
      server.start();
      server.stop();
    }
    disk.mount_again(true);
    const ProgramEnd end = server.start_in_vain();
    EXPECT_EQ(end.code, 3);
    EXPECT_THAT(end.err, HasSubstr(server.data().native()));
    EXPECT_THAT(end.err, HasSubstr("Read-only file system"));
    disk.mount_again(false);
  }
  const std::string one = begin();
  open_gate();
  expect_all_done_once({one});
}

TEST_F(TroubleTest, ADiskThatGetsReadOnlyIsWaitedFor) {
  OtherWorld world(repository.top(), server.data());
  server.environment = world.environment();
  const std::string one = begin();
  world.set_read_only(true);
  server.wait_until("a disk that cannot be written", [&] { return readiness() == 503; });
  EXPECT_THAT(server.ask("GET", "/readyz").body, HasSubstr("Read-only file system"));
  expect_refused("disk");
  open_gate();
  server.wait_until("a script that ended", [&] { return did("through", one); });
  EXPECT_FALSE(did("second", one));
  world.set_read_only(false);
  const std::string two = repository.push("here");
  expect_all_done_once({one, two});
  EXPECT_EQ(server.stop().code, 0);
}

}  // namespace
}  // namespace runner::test
