// `runner serve` with jobs that name an image: they outlive it, and nothing of theirs stays.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runner/base/text.h"
#include "tests/cli/program.h"
#include "tests/containers/engine_fixture.h"
#include "tests/daemon/server_program.h"

namespace runner::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class ServeImages : public EngineFixture {
 protected:
  void SetUp() override {
    EngineFixture::SetUp();
    if (IsSkipped()) return;
    std::ofstream(dir_.path() / "config.yaml")
        << "containers:\n  engine: " << engine().socket().native() << "\n  pull_policy: if-not-present\n";
    server_.emplace(dir_.path() / "data");
    server_->options = {"--config", (dir_.path() / "config.yaml").native()};
  }

  /// A project whose pipeline runs at once.
  void add_project(const std::string& pipeline) {
    repository_.emplace(pipeline);
    server_->api(
        "POST", "/projects",
        {{"name", "shop"}, {"url", repository_->project().native()}, {"branches", {"main", "master"}}});
  }
  /// The log of the only job once it holds `text`.
  void wait_for_log(const std::string& text) {
    server_->wait_until("the log says '" + text + "'", [&] {
      const auto pipelines = server_->pipelines();
      if (pipelines.empty()) return false;
      const auto& job = pipelines.at(0).at("jobs").at(0);
      return job.at("status") == "running" && server_->log_of(job).find(text) != std::string::npos;
    });
  }
  /// Makes the file that the script of an attempt waits for, in the directory that its container shares.
  void let_go(int attempt) {
    const auto shared = dir_.path() / "data/jobs" / std::to_string(attempt) / "work/shared";
    server_->wait_until("the attempt has begun", [&] { return std::filesystem::exists(shared); });
    std::ofstream(shared / "go") << "go\n";
  }
  ServerProgram& server() { return *server_; }
  /// SIGKILL to all processes of an attempt.
  void kill_attempt(int attempt) {
    const auto place = dir_.path() / "data/jobs" / std::to_string(attempt);
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
      const auto pid = parse_integer(process.path().filename().native());
      std::error_code gone;
      if (!pid || *pid == server_->pid()) continue;
      for (const auto& file : std::filesystem::directory_iterator(process.path() / "fd", gone)) {
        const std::string target = std::filesystem::read_symlink(file.path(), gone);
        if (target == place.native() || target.starts_with(place.native() + "/")) {
          ::kill(static_cast<pid_t>(*pid), SIGKILL);
          break;
        }
      }
    }
  }
  json only_job() { return server_->wait_for(1).at(0).at("jobs").at(0); }

 private:
  TempDir dir_;
  std::optional<cli::Sandboxed> repository_;
  std::optional<ServerProgram> server_;
};

TEST_P(ServeImages, FromAPushToAGreenPipelineWithAnArtifact) {
  server().start();
  add_project(
      "job: {image: box, script: ['echo made > made.txt', 'echo in the box'], artifacts: {paths: "
      "[made.txt]}}\n");
  const json job = only_job();
  EXPECT_EQ(job.at("status"), "success") << server().log_of(job);
  EXPECT_THAT(server().log_of(job), HasSubstr("in the box"));
}

TEST_P(ServeImages, AJobOutlivesAServerThatIsKilled) {
  server().start();
  add_project(
      "job: {image: box, script: ['echo begun', 'while [ ! -e $CI_PROJECT_DIR.tmp/go ]; do sleep 0.1; done', "
      "'echo gone on']}\n");
  wait_for_log("begun");
  server().kill();
  server().start();
  const auto containers = json::parse(ask("/containers/json"));
  ASSERT_EQ(containers.size(), 1U);
  let_go(1);
  const json job = only_job();
  const std::string log = server().log_of(job);
  EXPECT_EQ(job.at("status"), "success") << log;
  EXPECT_NE(log.find("\nbegun\n"), std::string::npos) << log;
  EXPECT_EQ(log.find("\nbegun\n"), log.rfind("\nbegun\n")) << "it ran twice: " << log;
  EXPECT_THAT(log, HasSubstr("gone on"));
}

TEST_P(ServeImages, ALostEngineIsTheMachinesFaultAndTheJobRunsAgain) {
  server().start();
  add_project(
      "job: {image: box, retry: {max: 1, when: runner_system_failure}, script: ['echo begun', "
      "'while [ ! -e $CI_PROJECT_DIR.tmp/go ]; do sleep 0.1; done']}\n");
  wait_for_log("begun");
  engine().kill();
  engine().start();
  server().wait_until("the second attempt runs", [&] {
    const auto pipelines = server().pipelines();
    const json& job = pipelines.at(0).at("jobs").back();
    return job.at("attempt") == 2 && job.at("status") == "running";
  });
  let_go(2);
  const json pipeline = server().wait_for(1).at(0);
  EXPECT_EQ(pipeline.at("status"), "success") << pipeline;
  const json& first = pipeline.at("jobs").at(0);
  EXPECT_EQ(first.at("failure"), "runner_system_failure") << first;
  // What could not be removed while the engine was away is at the next start.
  server().stop();
  server().start();
}

TEST_P(ServeImages, AServerKilledDuringAPullFindsTheJobAgain) {
  if (!has_program("docker-registry")) GTEST_SKIP() << "needs docker-registry";
  const std::string registry = engine().start_registry();
  const std::string image = push_box(registry);
  engine().hold_registry(registry);
  server().start();
  add_project("job: {image: '" + image + "', script: ['echo in the box']}\n");
  wait_for_log("Pulling " + image);
  server().kill();
  server().start();
  engine().release_registry(registry);
  const json job = only_job();
  EXPECT_EQ(job.at("status"), "success") << server().log_of(job);
  EXPECT_EQ(job.at("attempt"), 1);
  EXPECT_THAT(server().log_of(job), HasSubstr("in the box"));
}

TEST_P(ServeImages, AJobKilledWithTheServerDuringAPullRunsAgain) {
  if (!has_program("docker-registry")) GTEST_SKIP() << "needs docker-registry";
  const std::string registry = engine().start_registry();
  const std::string image = push_box(registry);
  engine().hold_registry(registry);
  server().start();
  add_project("job: {image: '" + image +
              "', retry: {max: 1, when: runner_system_failure}, script: ['echo in the box']}\n");
  wait_for_log("Pulling " + image);
  server().kill();
  kill_attempt(1);
  engine().release_registry(registry);
  server().start();
  const json pipeline = server().wait_for(1).at(0);
  EXPECT_EQ(pipeline.at("status"), "success") << pipeline;
  const json& first = pipeline.at("jobs").at(0);
  EXPECT_EQ(first.at("failure"), "runner_system_failure") << first;
  EXPECT_THAT(server().log_of(pipeline.at("jobs").back()), HasSubstr("in the box"));
}

WITH_BOTH_ENGINES(ServeImages);

}  // namespace
}  // namespace runner::test
