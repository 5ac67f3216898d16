// `runner exec` with jobs that name an image.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/containers/engine_fixture.h"
#include "tests/support/source_dir.h"

namespace runner::test {
namespace {

using cli::Ended;
using cli::Sandboxed;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ExecImages : public EngineFixture {
 protected:
  std::unique_ptr<Sandboxed> box(std::string_view pipeline) const {
    auto made = std::make_unique<Sandboxed>(pipeline);
    made->environment.push_back(engine_variable());
    return made;
  }
};

TEST_P(ExecImages, JobsSeeTheWorkspaceTheirImageAndWhatOthersLeft) {
  const auto made = box(R"yaml(
stages: [one, two, three]
variables: {WORD: hello}
build:
  stage: one
  image: box:latest
  script:
    - test -f source.txt && test "$(pwd)" = "$CI_PROJECT_DIR"
    - echo "$WORD from $CI_JOB_IMAGE" > made.txt
    - echo changed > source.txt
    - echo kept > /outside
    - echo "PASSED_ON=yes" >> build.env
  after_script: ['test "$(cat /outside)" = kept && echo "after $CI_JOB_STATUS"']
  artifacts: {paths: [made.txt], reports: {dotenv: build.env}}
  cache: {key: one, paths: [cached/]}
use:
  stage: two
  image: {name: "box", entrypoint: [""]}
  script: ['cat made.txt', 'cat source.txt', 'echo "$PASSED_ON" > passed.txt']
  artifacts: {paths: [passed.txt]}
here:
  stage: three
  script: ['cat made.txt passed.txt', 'test ! -e /outside']
)yaml");
  made->write("source.txt", "original\n");
  made->shell("git add source.txt && git commit -qm source");
  const Ended ended = made->run({"exec"});
  ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("hello from box:latest"), HasSubstr("original"), HasSubstr("yes"),
                               HasSubstr("after success")));
  EXPECT_EQ(read_file(made->project() / "source.txt"), "original\n") << "the user's tree is not written to";
}

TEST_P(ExecImages, TheCodeOfAScriptIsTheJobs) {
  const auto made = box("fail: {image: box, script: ['exit 7'], allow_failure: {exit_codes: 7}}\n");
  const Ended ended = made->run({"exec", "--json"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  const json job = json::parse(ended.out).at("jobs").at(0);
  EXPECT_EQ(job.at("exit_code"), 7);
  EXPECT_EQ(job.at("status"), "warning");
}

TEST_P(ExecImages, AnEntrypointWrapsTheScript) {
  const auto made =
      box("wrapped: {image: talker, script: ['echo ran']}\n"
          "bare: {image: {name: talker, entrypoint: ['']}, script: ['echo ran']}\n");
  const Ended ended = made->run({"exec", "--json"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  for (const json& job : json::parse(ended.out).at("jobs")) {
    const bool wrapped = job.at("name") == "wrapped";
    EXPECT_EQ(job.at("log").get<std::string>().find("entered") != std::string::npos, wrapped) << job;
  }
}

TEST_P(ExecImages, SecretsAndFilesAreAsOnTheMachine) {
  const auto made =
      box("show: {image: box, script: ['echo \"token is $TOKEN\"', 'echo \"$CI_BUILDS_DIR\" | wc -l']}\n");
  const Ended ended = made->run({"exec", "--secret", "TOKEN=correct-horse-battery"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("token is [MASKED]"), Not(HasSubstr("correct-horse"))));
}

TEST_P(ExecImages, ServicesAreReachedByName) {
  engine().load(
      "web:latest",
      R"({"Cmd": ["/bin/sh", "-c", "mkdir -p /www && echo served > /www/index.html && exec httpd -f -p 8080 -h /www"], "ExposedPorts": {"8080/tcp": {}}})");
  const auto made = box(
      "ask:\n"
      "  image: box\n"
      "  services: [{name: web, alias: site}]\n"
      "  script: ['wget -q -O - http://site:8080/index.html', 'wget -q -O - http://web:8080/index.html']\n");
  const Ended ended = made->run({"exec"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("served"));
}

TEST_P(ExecImages, AnImageThatIsNotThereIsNamed) {
  const auto made = box("job: {image: {name: 'localhost:1/no/such:1'}, script: [exit 0]}\n");
  const Ended ended = made->run({"exec"});
  EXPECT_EQ(ended.code, 1) << ended.out;
  EXPECT_THAT(ended.out + ended.err, HasSubstr("image 'localhost:1/no/such:1' cannot be pulled"));
}

TEST_P(ExecImages, NothingIsPulledWhenPolicySaysSo) {
  const auto made = box("job: {image: not-here, script: [exit 0]}\n");
  const Ended ended = made->run({"exec", "--pull-policy", "never"});
  EXPECT_EQ(ended.code, 1) << ended.out;
  EXPECT_THAT(ended.out + ended.err, HasSubstr("not-here"));
}

TEST_P(ExecImages, JobsWithoutAnImageTakeTheOneGiven) {
  const auto made = box("job: {script: ['test -x /bin/busybox && test ! -e /usr/bin/git && echo inside']}\n");
  const Ended ended = made->run({"exec", "--image", "box"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("inside"));
  const Ended refused = made->run({"exec", "--executor", "container"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.err, HasSubstr("jobs without an image: 'job'"));
}

TEST_P(ExecImages, AnInterruptEndsTheContainer) {
  const auto made =
      box("job:\n  image: box\n  script: ['echo begun; sleep 1000']\n  after_script: ['echo after "
          "$CI_JOB_STATUS']\n");
  const auto running = made->start({"exec"});
  ASSERT_TRUE(running->wait_for("begun"));
  running->signal_group(SIGINT);
  const Ended ended = running->wait();
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("after canceled"))
      << "the command in front was ended, not killed with all";
  EXPECT_THAT(things(), testing::IsEmpty());
}

TEST_P(ExecImages, WhatAKilledRunLeftIsRemovedByTheNext) {
  const auto made =
      box("job: {image: box, script: ['if [ -n \"$STAY\" ]; then echo begun; sleep 1000; fi']}\n");
  const auto running = made->start({"exec", "--var", "STAY=yes"});
  ASSERT_TRUE(running->wait_for("begun"));
  running->kill_alone();
  running->wait();
  const Ended ended = made->run({"exec"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(things(), testing::IsEmpty());
}

TEST_P(ExecImages, ATimeoutEndsTheContainer) {
  const auto made =
      box("job: {image: box, timeout: 1s, script: ['trap \"\" TERM; echo begun; sleep 1000']}\n");
  const Ended ended = made->run({"exec", "--json"});
  EXPECT_EQ(ended.code, 1);
  const json job = json::parse(ended.out).at("jobs").at(0);
  EXPECT_EQ(job.at("failure_reason"), "job_execution_timeout") << job;
}

TEST_P(ExecImages, TheEnginesSocketIsThereWhenItIsAskedFor) {
  if (!std::filesystem::exists("/usr/bin/docker")) GTEST_SKIP() << "needs docker.io";
  engine().load("client:latest", "{}", {"bin/docker=/usr/bin/docker"});
  const auto made = box(R"yaml(
job:
  image: client
  script:
    - printf 'FROM scratch\nCOPY source.txt /\n' > Dockerfile
    - DOCKER_BUILDKIT=0 docker build -q -t made-by-a-job:1 .
    - docker image inspect --format 'made {{.Id}}' made-by-a-job:1
    - docker rmi made-by-a-job:1
)yaml");
  made->write("source.txt", "original\n");
  made->shell("git add source.txt && git commit -qm source");
  const Ended ended = made->run({"exec", "--engine-socket"});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("made sha256:"));
  const auto without =
      box("job: {image: box, script: ['test ! -e /var/run/docker.sock', 'echo \"<$DOCKER_HOST>\"']}\n");
  const Ended none = without->run({"exec"});
  EXPECT_EQ(none.code, 0) << none.out << none.err;
  EXPECT_THAT(none.out, HasSubstr("<>"));
}

TEST_P(ExecImages, AShellIsOpenedInTheContainerOfAFailedJob) {
  const auto made =
      box("variables: {WORD: hello}\n"
          "job:\n"
          "  image: box\n"
          "  script: ['echo inside > file', 'echo outside > /outside', 'exit 3']\n"
          "  after_script: ['echo \"after $CI_JOB_STATUS, $(cat file)\"']\n");
  const auto running = made->start_program(
      {"/usr/bin/env", "python3", (source_dir() / "tests/support/on_terminal.py").native(),
       "Ctrl-D leaves it",
       "test -t 0 && echo \"$WORD $CI_JOB_NAME\" $(cat file /outside); echo more >> file\n",
       "hello job inside outside", "sh -c 'echo be$((1))gun; exec sleep 1000'\n", "be1gun", "\x03", "",
       "echo code=$?.\n", "code=130.", "exit 9\n", "going on", "", "--", "runner", "exec",
       "--shell-on-failure"});
  const Ended ended = running->wait();
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("job 'job' failed: exit code 3"),
                               HasSubstr("after failed, inside\r\n"), HasSubstr("more\r\n")));
}

WITH_BOTH_ENGINES(ExecImages);

}  // namespace
}  // namespace runner::test
