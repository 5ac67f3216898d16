// Jobs with `deploy:` on the whole program: carried out, rolled back, killed, paused, taken back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

/// Processes of this deployment that carry it out: by what they were started with, which holds our directory.
std::vector<pid_t> steps_below(const std::filesystem::path& top) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = parse_integer(entry.path().filename().native());
    std::error_code gone;
    if (!pid || !std::filesystem::exists(entry.path() / "cmdline", gone)) continue;
    std::string words;
    try {
      words = read_file(entry.path() / "cmdline").value_or("");
    } catch (const std::exception&) {
      continue;
    }
    if (words.find(std::string("deploy-step") + '\0' + top.native()) != std::string::npos)
      found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

class DeployJob : public testing::Test {
 protected:
  /// `strategy`: lines below `deploy:`.
  void begin(const std::string& strategy) {
    const std::string log = log_.native(), top = repository_.top().native();
    repository_.write(".gitlab-ci.yml",
                      "build: {stage: build, script: ['cp app.txt app.out'], artifacts: {paths: [app.out]}}\n"
                      "ship:\n"
                      "  stage: deploy\n"
                      "  environment: staging\n"
                      "  needs: [build]\n"
                      "  deploy:\n"
                      "    release: {artifact: app.out}\n"
                      "    target: script\n"
                      "    script:\n"
                      "      prepare: 'test -s \"$RUNNER_ARTIFACT\"; cat \"$RUNNER_ARTIFACT\"'\n"
                      "      activate: 'echo activate $RUNNER_CANDIDATE_RELEASE $RUNNER_WEIGHT >> " +
                          log + "; while [ -e " + top +
                          "/hold ]; do sleep 0.05; done'\n"
                          "      verify: 'test ! -e " +
                          top +
                          "/sick'\n"
                          "      rollback: 'rm -f " +
                          top + "/sick; echo rollback $RUNNER_BASE_RELEASE >> " + log + "'\n" + strategy);
    repository_.write("app.txt", "one\n");
    repository_.push("here");
    server_.start();
    server_.api("POST", "/projects",
                {{"name", "shop"},
                 {"url", repository_.path()},
                 {"branches", {"none"}},
                 {"poll_interval_seconds", 0}});
  }
  void release(const std::string& text) {
    repository_.write("app.txt", text + "\n");
    repository_.push("here");
  }
  void run() { server_.api("POST", "/projects/shop/pipelines", json{{"ref", "main"}}); }
  json deployment(int id) { return server_.get("/deployments/" + std::to_string(id)); }
  std::string state(int id) {
    const auto answer = server_.ask("GET", "/api/v1/deployments/" + std::to_string(id));
    return answer.status == 200 ? json::parse(answer.body).at("state").get<std::string>() : std::string();
  }
  void wait_for_state(int id, const std::string& wanted) {
    server_.wait_until("deployment " + std::to_string(id) + " " + wanted,
                       [&] { return state(id) == wanted; });
  }
  /// The newest attempt of the job.
  json job(std::size_t pipeline) {
    json newest;
    const json found = server_.pipelines().at(pipeline);
    for (const json& one : found.at("jobs"))
      if (one.at("name") == "ship" && (newest.is_null() || newest.at("attempt") < one.at("attempt")))
        newest = one;
    return newest;
  }
  void deploy(int number, const std::string& wanted = "succeeded") {
    run();
    server_.wait_for(static_cast<std::size_t>(number));
    ASSERT_EQ(state(number), wanted) << server_.log_of(job(static_cast<std::size_t>(number - 1)));
  }
  void set(const std::string& name) { write_file_atomic(repository_.top() / name, "", 0644, false); }
  void unset(const std::string& name) { std::filesystem::remove(repository_.top() / name); }
  std::string said() { return read_file(log_).value_or(""); }
  /// Until `activate` was called so often.
  void wait_for_calls(std::size_t count) {
    server_.wait_until("calls", [&] { return lines_of(said()).size() >= count; });
  }
  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (const std::string_view line : split(text, '\n'))
      if (!line.empty()) lines.emplace_back(line);
    return lines;
  }
  http::testing::Ran command(const std::string& words) { return server_.command(words); }

  PushedRepository repository_;
  ServerProgram server_{repository_.top() / "data"};
  const std::filesystem::path log_ = repository_.top() / "calls";
};

TEST_F(DeployJob, IsCarriedOutAndTheEnvironmentKnowsWhatRuns) {
  begin("");
  deploy(1);
  const json first = deployment(1);
  EXPECT_EQ(first.at("kind"), "deploy");
  EXPECT_EQ(first.at("plan").at("target"), "script");
  EXPECT_EQ(first.at("plan").at("artifact").at("path"), "app.out");
  const std::string release_one = first.at("release");
  EXPECT_EQ(said(), "activate " + release_one + " 100\n");
  const std::string log = server_.log_of(job(0));
  EXPECT_THAT(log, HasSubstr("Deployment 1 to 'staging', release " + release_one));
  EXPECT_THAT(log, HasSubstr("one\n")) << "the output of its commands";
  EXPECT_EQ(server_.get("/projects/shop/environments/staging").at("current").at("release"), release_one);
  release("two");
  deploy(2);
  EXPECT_NE(deployment(2).at("release"), release_one);
  EXPECT_EQ(deployment(2).at("base"), 1);
  EXPECT_THAT(command("env history shop staging").output, HasSubstr("succeeded"));
  EXPECT_THAT(command("deploy status 2").output, HasSubstr("forward: start script, done"));
  EXPECT_TRUE(steps_below(repository_.top()).empty());
}

TEST_F(DeployJob, AReleaseThatIsSickIsRolledBackAndTheJobFails) {
  begin("");
  deploy(1);
  release("two");
  set("sick");
  deploy(2, "rolled_back");
  const json failed = job(1);
  EXPECT_EQ(failed.at("status"), "failed");
  EXPECT_EQ(failed.at("exit_code"), 3);
  EXPECT_THAT(failed.at("reason").get<std::string>(), HasSubstr("deployment 2 was rolled back: "));
  EXPECT_THAT(said(), HasSubstr("rollback " + deployment(1).at("release").get<std::string>()));
  EXPECT_EQ(server_.get("/projects/shop/environments/staging").at("current").at("id"), 1);
  const auto watched = command("deploy watch 2");
  EXPECT_EQ(watched.code, 3) << watched.output;
  EXPECT_THAT(watched.output, HasSubstr("rolled_back"));
  EXPECT_EQ(command("deploy watch 1").code, 0);
  EXPECT_EQ(command("deploy watch 99").code, 2);
}

TEST_F(DeployJob, IsNotDisturbedByAServerThatIsKilled) {
  begin("");
  set("hold");
  run();
  wait_for_calls(1);
  server_.kill();
  server_.start();
  EXPECT_EQ(state(1), "progressing");
  unset("hold");
  server_.wait_for(1);
  EXPECT_EQ(state(1), "succeeded");
  EXPECT_EQ(lines_of(said()).size(), 1U) << "nothing happens twice";
  EXPECT_EQ(job(0).at("attempt"), 1);
}

TEST_F(DeployJob, GoesOnInAnotherAttemptWhenItsProcessIsKilled) {
  begin("");
  set("hold");
  run();
  wait_for_calls(1);
  const auto steps = steps_below(repository_.top());
  ASSERT_EQ(steps.size(), 1U);
  ::kill(steps.front(), SIGKILL);
  wait_for_calls(2);
  unset("hold");
  wait_for_state(1, "succeeded");
  server_.wait_for(1);
  EXPECT_EQ(job(0).at("attempt"), 2);
  EXPECT_EQ(job(0).at("status"), "success");
  EXPECT_THAT(server_.log_of(job(0)), HasSubstr("going on with a deployment that was progressing"));
  EXPECT_EQ(server_.pipelines().at(0).at("status"), "success");
}

TEST_F(DeployJob, IsRolledBackWhenItsJobIsCanceled) {
  begin("");
  deploy(1);
  release("two");
  set("hold");
  run();
  wait_for_calls(2);
  server_.api("POST", "/jobs/" + std::to_string(job(1).at("id").get<int>()) + "/cancel");
  wait_for_state(2, "rolled_back");
  server_.wait_for(2);
  EXPECT_EQ(job(1).at("status"), "canceled");
  EXPECT_THAT(said(), HasSubstr("rollback " + deployment(1).at("release").get<std::string>()));
  EXPECT_THAT(deployment(2).at("reason").get<std::string>(), HasSubstr("canceled"));
}

TEST_F(DeployJob, WaitsForAPersonAtAStepOfACanaryAndObeysThem) {
  begin(
      "    health: {exec: 'true', interval: 1s, successes: 1}\n"
      "    strategy: {type: canary, steps: [{weight: 20%, approve: true}, {weight: 100%}]}\n");
  deploy(1);
  release("two");
  run();
  wait_for_state(2, "paused");
  const auto watched = command("deploy watch 2");
  EXPECT_EQ(watched.code, 8) << watched.output;
  EXPECT_THAT(watched.output, HasSubstr("paused: it waits to be promoted"));
  EXPECT_THAT(said(), HasSubstr(deployment(2).at("release").get<std::string>() + " 20\n"));
  EXPECT_EQ(command("deploy pause 2").code, 1) << "it is paused already";
  EXPECT_EQ(command("deploy promote 2").code, 0);
  wait_for_state(2, "succeeded");
  EXPECT_THAT(said(), HasSubstr(deployment(2).at("release").get<std::string>() + " 100\n"));
  release("three");
  run();
  wait_for_state(3, "paused");
  EXPECT_EQ(command("deploy abort 3").code, 0);
  wait_for_state(3, "rolled_back");
  server_.wait_for(3);
  EXPECT_EQ(job(2).at("exit_code"), 3);
  EXPECT_THAT(command("deploy abort 3").output, HasSubstr("deployment 3 is rolled_back"));
}

TEST_F(DeployJob, IsTakenBackByAPersonAlsoOverAKill) {
  begin("");
  deploy(1);
  EXPECT_THAT(command("deploy rollback shop staging").output, HasSubstr("no other release was there before"));
  release("two");
  deploy(2);
  release("three");
  deploy(3);
  const std::string one = deployment(1).at("release"), two = deployment(2).at("release");
  const auto back = command("deploy rollback shop staging --wait");
  EXPECT_EQ(back.code, 0) << back.output;
  EXPECT_THAT(back.output, HasSubstr("began a rollback, deployment 4 of 'shop' to 'staging'"));
  EXPECT_EQ(deployment(4).at("kind"), "rollback");
  EXPECT_EQ(deployment(4).at("release"), two);
  EXPECT_EQ(server_.get("/projects/shop/environments/staging").at("current").at("release"), two);
  EXPECT_EQ(lines_of(said()).back(), "activate " + two + " 100");
  set("hold");
  EXPECT_EQ(command("deploy rollback shop staging --to 1").code, 0);
  server_.kill();
  server_.start();
  unset("hold");
  wait_for_state(5, "succeeded");
  EXPECT_EQ(lines_of(said()).back(), "activate " + one + " 100");
  EXPECT_THAT(command("deploy rollback shop staging --to 17").output,
              HasSubstr("number 17 did not succeed there"));
}

TEST_F(DeployJob, AnEnvironmentIsTakenFromWhoeverHasIt) {
  begin("");
  EXPECT_THAT(command("deploy unlock shop staging --reason x").output, HasSubstr("no environment 'staging'"));
  set("hold");
  run();
  wait_for_calls(1);
  EXPECT_EQ(command("deploy unlock shop staging --reason 'it hangs'").code, 0);
  wait_for_state(1, "resolved");
  EXPECT_THAT(deployment(1).at("reason").get<std::string>(), HasSubstr("it hangs"));
  unset("hold");
  server_.wait_for(1);
  EXPECT_EQ(job(0).at("status"), "failed");
  EXPECT_EQ(state(1), "resolved") << "what it did after that counts for nothing";
  release("two");
  deploy(2);
}

TEST_F(DeployJob, WhatCannotBeDoneFailsBeforeAnythingIsChanged) {
  begin("");
  repository_.write(".gitlab-ci.yml",
                    "ship:\n"
                    "  environment: staging\n"
                    "  deploy: {target: script, script: {activate: 'echo ran >> " +
                        log_.native() + "'}, release: {artifact: none.tar}}\n");
  repository_.push("here");
  deploy(1, "failed");
  EXPECT_EQ(said(), "");
  EXPECT_EQ(job(0).at("exit_code"), 2);
  EXPECT_THAT(job(0).at("reason").get<std::string>(),
              HasSubstr("there is no file 'none.tar' in the workspace"));
  EXPECT_TRUE(server_.get("/projects/shop/environments/staging").at("holder").is_null());
}

}  // namespace
}  // namespace runner::test
