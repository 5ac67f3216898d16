// `build_image`, as `runner exec` and `runner serve` run it: built, pushed, and run by its digest.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/containers/engine_fixture.h"
#include "tests/daemon/server_program.h"

namespace runner::test {
namespace {

using cli::Ended;
using cli::Sandboxed;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kDockerfile = R"file(FROM localhost/box:latest
ARG VERSION
RUN --mount=type=secret,id=token echo "the token is $(cat /run/secrets/token)"
COPY greeting /greeting
RUN echo "$VERSION" > /version
)file";

class BuildJobs : public EngineFixture {
 protected:
  void SetUp() override {
    EngineFixture::SetUp();
    if (IsSkipped()) return;
    engine().load("localhost/box:latest");
  }
};

TEST_P(BuildJobs, FromLintToAnImageThatIsPulledByItsDigestAndRun) {
  const auto registry = engine().start_tls_registry("ci", "registry-s3cret");
  Sandboxed box(R"yaml(
stages: [lint, test, build, deploy]
lint: {stage: lint, script: ['grep -q hello greeting']}
test: {stage: test, script: ['echo VERSION=1.2 > version.env'], artifacts: {reports: {dotenv: version.env}}}
build:
  stage: build
  build_image:
    args: {VERSION: $VERSION}
    secrets: {token: TOKEN}
deploy:
  stage: deploy
  image: {name: $IMAGE, pull_policy: always}
  script: ['cat /greeting', 'echo "version $(cat /version)"', 'test ! -s /run/secrets/token']
)yaml");
  box.environment.push_back(engine_variable());
  box.write("Dockerfile", kDockerfile);
  box.write("greeting", "hello from the image\n");
  box.shell("git add -A && git commit -qm all");
  const auto run = [&] {
    auto words = engine().in_network();
    words[0] = "/usr/bin/" + words[0];
    for (const std::string& word :
         {std::string("runner"), std::string("exec"), std::string("--var"), "CI_REGISTRY=" + registry.host,
          std::string("--var"), "CI_REGISTRY_IMAGE=" + registry.host + "/team/shop", std::string("--var"),
          std::string("CI_REGISTRY_USER=ci"), std::string("--var"),
          std::string("CI_REGISTRY_PASSWORD=registry-s3cret"), std::string("--var"),
          std::string("TOKEN=a-build-secret")})
      words.push_back(word);
    return box.start_program(words)->wait();
  };
  const Ended first = run();
  ASSERT_EQ(first.code, 0) << first.out << first.err;
  EXPECT_THAT(first.out, AllOf(HasSubstr("hello from the image"), HasSubstr("version 1.2"),
                               HasSubstr("Pulling " + registry.host + "/team/shop@sha256:")));
  EXPECT_THAT(first.out, HasSubstr("the token is [MASKED]")) << "it prints its secret";
  EXPECT_THAT(first.out + first.err,
              AllOf(Not(HasSubstr("a-build-secret")), Not(HasSubstr("registry-s3cret"))));

  const Ended second = run();
  ASSERT_EQ(second.code, 0) << second.out << second.err;
  EXPECT_THAT(second.out, AllOf(HasSubstr("Unchanged: "), Not(HasSubstr("the token is"))));

  box.write("greeting", "hello again\n");
  const Ended third = run();
  ASSERT_EQ(third.code, 0) << third.out << third.err;
  EXPECT_THAT(third.out, AllOf(HasSubstr("hello again"), HasSubstr("context")));
}

TEST_P(BuildJobs, WhatIsWrongIsSaidWhereItIs) {
  struct Case {
    const char* dockerfile;
    const char* told;
  };
  for (const Case& one : {Case{"FROM localhost/box:latest\nRUN false\n", "was not built"},
                          Case{"FROM localhost/nobody:1\n", "Dockerfile:1"},
                          Case{"FROM localhost/box:latest\nCOPY nothing /\n", "nothing"}}) {
    Sandboxed box("job: {build_image: {}}\n");
    box.environment.push_back(engine_variable());
    box.write("Dockerfile", one.dockerfile);
    box.shell("git add -A && git commit -qm all");
    const Ended ended = box.run({"exec"});
    EXPECT_EQ(ended.code, 1) << one.dockerfile << ended.out << ended.err;
    EXPECT_THAT(ended.out + ended.err, HasSubstr(one.told));
  }
}

class ServeBuilds : public BuildJobs {
 protected:
  void SetUp() override {
    BuildJobs::SetUp();
    if (IsSkipped()) return;
    std::ofstream(dir_.path() / "config.yaml")
        << "containers:\n  engine: " << engine().socket().native() << "\n";
    server_.emplace(dir_.path() / "data");
    server_->options = {"--config", (dir_.path() / "config.yaml").native()};
    server_->start();
  }
  /// A project whose Dockerfile takes a while, so that something can happen meanwhile.
  void add_project(const std::string& job) {
    repository_.emplace("job: " + job + "\n");
    // A name of its own, so that no engine has the layer already.
    const std::string word = dir_.path().filename();
    repository_->write("Dockerfile", "FROM localhost/box:latest\nRUN echo begun-" + word +
                                         " && sleep 3 && echo ended-" + word + "\n");
    repository_->shell("git add -A && git commit -qm all");
    server_->api(
        "POST", "/projects",
        {{"name", "shop"}, {"url", repository_->project().native()}, {"branches", {"main", "master"}}});
    server_->wait_until("the build has begun", [&] {
      const auto pipelines = server_->pipelines();
      if (pipelines.empty()) return false;
      const json& job_row = pipelines.at(0).at("jobs").at(0);
      return job_row.at("status") == "running" &&
             server_->log_of(job_row).find("begun-" + word + "\n") != std::string::npos;
    });
  }
  ServerProgram& server() { return *server_; }

 private:
  TempDir dir_;
  std::optional<Sandboxed> repository_;
  std::optional<ServerProgram> server_;
};

TEST_P(ServeBuilds, ABuildOutlivesAServerThatIsKilled) {
  add_project("{build_image: {}}");
  server().kill();
  server().start();
  const json job = server().wait_for(1).at(0).at("jobs").at(0);
  const std::string log = server().log_of(job);
  EXPECT_EQ(job.at("status"), "success") << log;
  EXPECT_EQ(job.at("attempt"), 1);
  EXPECT_THAT(log, HasSubstr("Tag localhost/"));
}

TEST_P(ServeBuilds, ALostEngineIsTheMachinesFaultAndTheBuildRunsAgain) {
  add_project("{build_image: {}, retry: {max: 1, when: runner_system_failure}}");
  engine().kill();
  engine().start();
  const json pipeline = server().wait_for(1).at(0);
  EXPECT_EQ(pipeline.at("status"), "success") << pipeline;
  EXPECT_EQ(pipeline.at("jobs").at(0).at("failure"), "runner_system_failure") << pipeline;
}

WITH_BOTH_ENGINES(BuildJobs);
WITH_BOTH_ENGINES(ServeBuilds);

}  // namespace
}  // namespace runner::test
