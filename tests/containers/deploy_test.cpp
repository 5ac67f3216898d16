// `runner exec` of a job that deploys a service of a compose file.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/containers/engine_fixture.h"

namespace runner::test {
namespace {

using cli::Ended;
using cli::Sandboxed;
using testing::AllOf;
using testing::HasSubstr;

class ExecCompose : public EngineFixture {
 protected:
  void SetUp() override {
    EngineFixture::SetUp();
    if (!IsSkipped() && !has_program("docker-compose")) GTEST_SKIP() << "needs docker-compose";
  }
};
WITH_BOTH_ENGINES(ExecCompose);

TEST_P(ExecCompose, PinsATagAndRunsItAndGoesBackWhenItIsSick) {
  const std::string image = push_box(engine().start_registry());
  // Its registry is out of the program's reach: the engine says what the tag is.
  const std::size_t colon = image.rfind(':');
  run_program({"curl", "-sf", "-o", "/dev/null", "--unix-socket", engine().socket().native(), "-X", "POST",
               "http://engine/images/create?fromImage=" + image.substr(0, colon) +
                   "&tag=" + image.substr(colon + 1)});
  Sandboxed box(
      "ship:\n"
      "  environment: production\n"
      "  variables: {WORD: one}\n"
      "  deploy:\n"
      "    release: {image: '" +
      image +
      "'}\n"
      "    target: compose\n"
      "    compose: {file: compose.yml, service: shop}\n"
      "    strategy: recreate\n"
      "    health: {exec: 'test \"$WORD\" = one', interval: 1s, successes: 1, deadline: 10s}\n"
      "    drain: {stop_grace: 1s}\n"
      "    migrate: {run: ['echo \"migrating by $WORD $CI_JOB_NAME\"']}\n");
  box.environment.push_back(engine_variable());
  const auto write = [&](const std::string& word) {
    box.write("compose.yml",
              "services:\n  shop:\n    image: ${IMAGE}\n    command: [sh, -c, 'sleep 1000']\n"
              "    environment: {WORD: " +
                  word +
                  "}\n"
                  "    ulimits: {nofile: {soft: 1024, hard: 4096}, nproc: {soft: 1024, hard: 4096}}\n");
    box.shell("git add . && git commit -qm " + word);
  };
  const auto running = [&] {
    const auto all = nlohmann::json::parse(
        ask("/containers/json?filters=%7B%22label%22%3A%5B%22com.docker.compose.service%3Dshop%22%5D%7D"));
    EXPECT_EQ(all.size(), 1U) << all;
    if (all.size() != 1) return nlohmann::json();
    return nlohmann::json::parse(ask("/containers/" + all[0].at("Id").get<std::string>() + "/json"))
        .at("Config");
  };

  write("one");
  const Ended first = box.run({"exec"});
  ASSERT_EQ(first.code, 0) << first.out << first.err;
  EXPECT_THAT(first.out,
              AllOf(HasSubstr("the digest of " + image + " is what the engine has"),
                    HasSubstr("Deployment 1 to 'production'"), HasSubstr("migrating by one ship")));
  const auto config = running();
  EXPECT_THAT(config.at("Image").get<std::string>(), HasSubstr("/team/box@sha256:"));
  EXPECT_THAT(config.at("Env").dump(), HasSubstr("WORD=one"));

  write("two");
  const Ended sick = box.run({"exec"});
  EXPECT_EQ(sick.code, 1) << sick.out;
  EXPECT_THAT(sick.out, AllOf(HasSubstr("was not healthy within 10 s"), HasSubstr("was rolled back")));
  EXPECT_THAT(running().at("Env").dump(), HasSubstr("WORD=one")) << "by the file of then";
}

}  // namespace
}  // namespace runner::test
