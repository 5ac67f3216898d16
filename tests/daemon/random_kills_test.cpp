// A server that is killed again and again, at any moment, while commits are pushed. RUNNER_TEST_PUSHES and
// RUNNER_TEST_KILLS in the environment make it longer, RUNNER_TEST_SEED another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <random>
#include <set>

#include "runner/base/text.h"
#include "tests/daemon/served.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using pipelines::JobStatus;
using testing::HasSubstr;
using testing::IsEmpty;

int setting(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<int>(parse_integer(text).value_or(otherwise));
}

pid_t start_server(const fs::path& data) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execl(SERVE_PROGRAM, SERVE_PROGRAM, data.c_str(), nullptr);
    ::_exit(127);
  }
  return pid;
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory, none)) names.push_back(entry.path().filename());
  return names;
}

TEST(RandomKills, LoseNothingAndDoNothingTwice) {
  const int pushes = setting("RUNNER_TEST_PUSHES", 10), kills = setting("RUNNER_TEST_KILLS", 15);
  std::minstd_rand random(static_cast<unsigned>(setting("RUNNER_TEST_SEED", 7)));
  Served served;
  served.patience = std::chrono::minutes(1 + pushes / 50);
  const fs::path ran = served.data() / "ran";
  make_directories(ran);
  served.write(".gitlab-ci.yml",
               "stages: [build, test]\nbuild:\n  stage: build\n  script: ['echo x >> " + ran.native() +
                   "/build-$CI_COMMIT_SHA', 'seq 1 500', 'cp number out']\n" +
                   "  artifacts: {paths: [out]}\n  interruptible: false\n" +
                   "test:\n  stage: test\n  script: ['echo x >> " + ran.native() +
                   "/test-$CI_COMMIT_SHA', 'diff out number']\n  after_script: [echo after]\n");
  // Each commit is a branch of its own: no newer one ends what it is for.
  storage::ProjectRecord project;
  project.branches = {"b*"};
  std::set<std::string> commits;
  int killed = 0;
  pid_t server = -1;
  const auto kill_server = [&] {
    ::kill(server, SIGKILL);
    ::waitpid(server, nullptr, 0);
    ++killed;
  };
  served.write("number", "0");
  served.commit("first");
  served.add_project(project);
  for (int push = 1; push <= pushes || killed < kills; ++push) {
    if (push <= pushes) {
      served.write("number", std::to_string(push));
      commits.insert(served.commit("change " + std::to_string(push)));
      served.git("git branch b" + std::to_string(push));
    }
    if (server < 0) server = start_server(served.data());
    // Up to what it takes to start, look, plan and run one.
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::uniform_int_distribution<>(1'000, 400'000)(random)));
    if (killed < kills) {
      kill_server();
      server = start_server(served.data());
    }
  }
  const auto pipelines = served.wait_until([&](const auto& found) {
    std::size_t over = 0;
    for (const auto& pipeline : found) over += is_completed(pipeline.status) ? 1U : 0U;
    return over == static_cast<std::size_t>(pushes) &&
           std::all_of(found.begin(), found.end(), [](const auto& one) { return is_completed(one.status); });
  });
  served.wait_until([&](const auto&) { return names_in(served.data() / "jobs").empty(); });
  ::kill(server, SIGTERM);
  int status = 0;
  ::waitpid(server, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);

  std::map<std::string, int> of_commit;
  for (const auto& pipeline : pipelines) {
    ++of_commit[pipeline.sha];
    EXPECT_EQ(pipeline.status, JobStatus::success) << pipeline.id;
    const auto jobs = served.jobs(pipeline.id);
    ASSERT_EQ(jobs.size(), 2U);
    EXPECT_THAT(served.log(jobs[0]), HasSubstr("499\n500\n"));
    EXPECT_THAT(served.log(jobs[1]), HasSubstr("after\n"));
  }
  for (const std::string& commit : commits) EXPECT_EQ(of_commit[commit], 1) << commit;
  for (const std::string& commit : commits) {
    EXPECT_EQ(read_file(ran / ("build-" + commit)), "x\n");
    EXPECT_EQ(read_file(ran / ("test-" + commit)), "x\n");
  }
  EXPECT_THAT(names_in(served.data() / "work"), IsEmpty());
  EXPECT_THAT(names_in(served.data() / "layers" / "drafts"), IsEmpty());
  RecordProperty("kills", killed);
}

}  // namespace
}  // namespace runner::test
