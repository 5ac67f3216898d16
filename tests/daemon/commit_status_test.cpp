// Commit statuses from pushes to each forge, through failures, ends and kills of the server.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "runner/daemon/commit_statuses.h"
#include "runner/daemon/data_directory.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/outbox_table.h"
#include "runner/storage/status_report_table.h"
#include "tests/daemon/served.h"
#include "tests/forge/support/fake_forge.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using forge::ForgeKind;
using testing::HasSubstr;
using testing::IsEmpty;
using States = std::vector<std::string>;

class CommitStatusTest : public testing::TestWithParam<ForgeKind> {
 public:
  CommitStatusTest() {
    served.options.statuses.hold_back = std::chrono::milliseconds(0);
    served.options.statuses.sender.server = "https://ci.example.com";
    served.options.statuses.sender.first_wait = std::chrono::milliseconds(20);
    served.options.statuses.sender.longest_wait = std::chrono::milliseconds(200);
  }
  ~CommitStatusTest() override {
    served.stop();
    EXPECT_THAT(fake.complaints(), IsEmpty());
  }

  void add_project() {
    storage::ProjectRecord project;
    project.forge = to_string(fake.kind());
    project.forge_api = fake.api();
    project.forge_repository = "team/shop";
    project = served.add_project(project);
    const storage::Sealer sealer = daemon::open_sealer(served.data(), served.store());
    served.store().write([&](storage::Tx& tx) {
      storage::CredentialRecord credential;
      credential.project = project.id;
      credential.kind = storage::CredentialKind::forge_token;
      storage::Credentials(tx, sealer).insert(credential, FakeForge::kToken);
    });
  }
  bool all_sent() {
    return fake.wait_until([&] {
      std::int64_t waiting = 0;
      served.store().read([&](storage::Tx& tx) { waiting = storage::Outbox(tx).count(forge::kStatusKind); });
      return waiting == 0;
    });
  }
  /// The states of one name, in order, without repetitions.
  States states_of(const std::string& name) const {
    States states;
    for (const ToldStatus& told : fake.told()) {
      if (told.name == name && (states.empty() || states.back() != told.state)) states.push_back(told.state);
    }
    return states;
  }
  const ToldStatus last(const std::string& name) const {
    ToldStatus found;
    for (const ToldStatus& told : fake.told()) {
      if (told.name == name) found = told;
    }
    return found;
  }

  Served served;
  FakeForge fake{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Forges, CommitStatusTest,
                         testing::Values(ForgeKind::github, ForgeKind::gitlab, ForgeKind::gitea),
                         [](const auto& of) { return std::string(to_string(of.param)); });

TEST_P(CommitStatusTest, FollowAPipelineOfTwoJobs) {
  const fs::path first = served.data() / "first", second = served.data() / "second";
  const auto wait_for = [](const fs::path& gate) {
    return "script: ['while [ ! -e " + gate.native() + " ]; do sleep 0.02; done']";
  };
  served.write(".gitlab-ci.yml", "build: {" + wait_for(first) + "}\ncheck: {" + wait_for(second) + "}\n");
  served.options.engine.capacity = 1;
  const std::string sha = served.commit("first");
  add_project();
  served.start();
  const bool gitlab = GetParam() == ForgeKind::gitlab;
  const std::string running = gitlab ? "running" : "pending";
  ASSERT_TRUE(fake.wait_until([&] { return last("runner / build").description == "runs"; }));
  ASSERT_TRUE(fake.wait_until([&] { return last("runner").state == running; }));
  // There is room for one.
  ASSERT_TRUE(fake.wait_until([&] { return last("runner / check").description == "waits for its turn"; }));
  EXPECT_EQ(last("runner / check").state, "pending");
  write_file_atomic(first, "");
  ASSERT_TRUE(fake.wait_until([&] { return last("runner / check").description == "runs"; }));
  EXPECT_EQ(last("runner / build").state, "success");
  EXPECT_EQ(last("runner").state, running);
  write_file_atomic(second, "");
  served.wait_for(1);
  ASSERT_TRUE(all_sent());
  const States all = gitlab ? States{"pending", "running", "success"} : States{"pending", "success"};
  EXPECT_EQ(states_of("runner / check"), all);
  for (const char* name : {"runner", "runner / build", "runner / check"}) {
    // What was over before it was sent is left out.
    States seen = states_of(name);
    if (seen.front() != "pending") seen.insert(seen.begin(), "pending");
    EXPECT_EQ(seen, all) << name;
    EXPECT_EQ(last(name).sha, sha);
    EXPECT_EQ(last(name).ref, gitlab ? "main" : "");
    EXPECT_THAT(last(name).description, testing::StartsWith("passed in "));
  }
  const auto jobs = served.jobs(1);
  EXPECT_EQ(last("runner").target, "https://ci.example.com/api/v1/pipelines/1");
  EXPECT_EQ(last("runner / build").target,
            "https://ci.example.com/api/v1/jobs/" + std::to_string(jobs[0].id) + "/log");
}

TEST_P(CommitStatusTest, SayWhatFailedAndWhatMayFail) {
  served.write(".gitlab-ci.yml",
               "stages: [a, b]\nbad: {stage: a, script: ['exit 2']}\n"
               "may: {stage: a, allow_failure: true, script: ['exit 3']}\n"
               "hand: {stage: a, when: manual, script: ['true']}\n"
               "late: {stage: b, script: ['true']}\n");
  const std::string sha = served.commit("first");
  add_project();
  served.start();
  served.wait_for(1);
  ASSERT_TRUE(all_sent());
  const std::string red = GetParam() == ForgeKind::gitlab ? "failed" : "failure";
  EXPECT_EQ(fake.last_of(sha), (std::map<std::string, std::string>{{"runner", red},
                                                                   {"runner / bad", red},
                                                                   {"runner / may", "success"},
                                                                   {"runner / hand", "success"},
                                                                   {"runner / late", "success"}}));
  EXPECT_THAT(last("runner / bad").description, HasSubstr("2"));
  EXPECT_THAT(last("runner / bad").description, testing::StartsWith("failed: "));
  EXPECT_THAT(last("runner / may").description, testing::StartsWith("failed, which is allowed: "));
  EXPECT_THAT(last("runner / late").description, testing::StartsWith("skipped"));
}

TEST_P(CommitStatusTest, TellOfAPipelineFileWithMistakes) {
  served.write(".gitlab-ci.yml", "build: {stage: nowhere, script: ['true']}\n");
  const std::string sha = served.commit("broken");
  add_project();
  served.start();
  served.wait_for(1);
  ASSERT_TRUE(fake.wait_until([&] { return !fake.told().empty(); }));
  EXPECT_EQ(last("runner").state, GetParam() == ForgeKind::gitlab ? "failed" : "failure");
  EXPECT_EQ(last("runner").sha, sha);
}

TEST_P(CommitStatusTest, ArriveAfterTroubleOfTheForge) {
  fake.answer_next({forge_answer(503), forge_answer(429, {{"Retry-After", "1"}}), forge_answer(500)});
  served.write(".gitlab-ci.yml", "build: {script: ['true']}\n");
  const std::string sha = served.commit("first");
  add_project();
  served.start();
  served.wait_for(1);
  ASSERT_TRUE(all_sent());
  EXPECT_EQ(fake.last_of(sha),
            (std::map<std::string, std::string>{{"runner", "success"}, {"runner / build", "success"}}));
}

TEST_P(CommitStatusTest, ThatAreRefusedAreSaidWithTheProject) {
  fake.answer_all([] { return forge_answer(401, {}, R"({"message":"Bad credentials"})"); });
  served.write(".gitlab-ci.yml", "build: {script: ['true']}\n");
  served.commit("first");
  add_project();
  served.start();
  served.wait_for(1);
  ASSERT_TRUE(all_sent());
  storage::StatusReport report;
  served.store().read([&](storage::Tx& tx) { report = storage::StatusReports(tx).of_project(1); });
  EXPECT_THAT(report.failure, HasSubstr("HTTP 401 (Bad credentials)"));
  EXPECT_LE(fake.requests(), 16U) << "four times each of what is there at the most";
}

TEST(CommitStatusMetrics, AreThereBeforeAnythingWasSent) {
  const SystemClock clock;
  const auto store = storage::make_memory_store(clock);
  const storage::Sealer sealer(storage::Secret::copy_of(std::string(storage::kDataKeySize, 'k')));
  const daemon::CommitStatuses statuses(*store, sealer, clock, {});
  store->write([](storage::Tx& tx) {
    storage::Outbox(tx).append({"a", forge::kStatusKind, {}, "", TimePoint()});
  });
  daemon::MetricsText text;
  statuses.add_metrics(text);
  const std::string scrape = text.take();
  for (const char* name : {"github", "gitlab", "gitea"}) {
    for (const char* result : {"delivered", "failed", "dropped"})
      EXPECT_THAT(scrape, HasSubstr("runner_commit_statuses_total{forge=\"" + std::string(name) +
                                    "\",result=\"" + result + "\"} 0\n"));
  }
  EXPECT_THAT(scrape, HasSubstr("\nrunner_commit_statuses_waiting 1\n"));
}

pid_t start_server(const fs::path& data) {
  const std::string said = (data / "said").native();
  const pid_t pid = ::fork();
  if (pid == 0) {
    // Not the test's own: whoever waits for the end of those would wait for all that this leaves behind.
    const int out = ::open(said.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execl(SERVE_PROGRAM, SERVE_PROGRAM, data.c_str(), "100", nullptr);
    ::_exit(127);
  }
  return pid;
}

TEST_P(CommitStatusTest, TheLastArrivesThoughForgeAndServerWereGone) {
  const fs::path gate = served.data() / "gate", began = served.data() / "began";
  served.write(".gitlab-ci.yml", "build: {script: ['touch " + began.native() + "', 'while [ ! -e " +
                                     gate.native() + " ]; do sleep 0.02; done']}\n");
  const std::string sha = served.commit("first");
  add_project();
  pid_t server = start_server(served.data());
  const auto kill_it = [&] {
    ::kill(server, SIGKILL);
    ::waitpid(server, nullptr, 0);
  };
  EXPECT_TRUE(
      fake.wait_until([&] { return fs::exists(began) && last("runner / build").description == "runs"; }));
  fake.stop();
  write_file_atomic(gate, "");
  served.wait_for(1);
  kill_it();
  const std::size_t before = fake.told().size();
  fake.start();
  server = start_server(served.data());
  EXPECT_TRUE(all_sent());
  kill_it();
  EXPECT_EQ(fake.last_of(sha),
            (std::map<std::string, std::string>{{"runner", "success"}, {"runner / build", "success"}}));
  // And nothing older after it.
  const auto told = fake.told();
  for (std::size_t at = before; at < told.size(); ++at) EXPECT_EQ(told[at].state, "success") << told[at].name;
}

}  // namespace
}  // namespace runner::test
