// What build_image comes to, and what the engine makes of how the build ended.
#include "runner/engine/image_build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/engine/engine_harness.h"
#include "tests/engine/shell_launcher.h"

namespace runner::engine {
namespace {

using builds::BuildRequest;
using pipelines::FailureReason;
using pipelines::JobStatus;
using pipelines::VariableSource;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

pipelines::Variable variable(std::string name, std::string value) {
  pipelines::Variable made;
  made.name = std::move(name);
  made.value = std::move(value);
  made.source = VariableSource::job;
  return made;
}

class ImageBuildRequest : public testing::Test {
 protected:
  ImageBuildRequest() {
    job_.name = "image";
    job_.image_build.emplace();
    set("CI_COMMIT_REF_SLUG", "feature-x");
    set("CI_COMMIT_SHORT_SHA", "0123abcd");
    set("CI_COMMIT_BRANCH", "feature/x");
    set("CI_DEFAULT_BRANCH", "main");
    set("CI_PROJECT_PATH", "Team/My Shop");
    facts_.sha = std::string(40, 'a');
    facts_.ref_name = "feature/x";
    facts_.project_url = "https://git.example/team/shop";
    facts_.commit_timestamp = "1970-01-02T01:00:05+01:00";
  }

  void set(const std::string& name, const std::string& value) {
    for (pipelines::Variable& one : job_.variables) {
      if (one.name == name) return void(one.value = value);
    }
    job_.variables.push_back(variable(name, value));
  }
  pipelines::ImageBuildSpec& spec() { return *job_.image_build; }

  BuildRequest request() {
    RunFacts run;
    run.project_dir = "/builds/shop";
    run.builds_dir = "/builds";
    run.private_dir = dir_.path();
    environment_.emplace(pipelines::Plan(), job_, pipelines::PipelineFacts(),
                         std::map<std::string, std::string>(), NamedValues(), run);
    return build_request(spec(), *environment_, facts_, settings_);
  }
  std::string why_not() {
    try {
      request();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input);
      return error.what();
    }
    return "";
  }

  TempDir dir_;
  pipelines::PlanJob job_;
  pipelines::PipelineFacts facts_;
  ContainerSettings settings_;
  std::optional<JobEnvironment> environment_;
};

TEST_F(ImageBuildRequest, WithoutARegistryTheImageStaysOnThisMachine) {
  const BuildRequest made = request();
  EXPECT_THAT(made.tags, ElementsAre("localhost/team/my-shop:feature-x", "localhost/team/my-shop:0123abcd"));
  EXPECT_FALSE(made.push);
  EXPECT_EQ(made.context, ".");
  EXPECT_EQ(made.revision, facts_.sha);
  EXPECT_EQ(made.version, "feature/x");
  EXPECT_EQ(made.source, facts_.project_url);
  EXPECT_EQ(made.created, 24 * 60 * 60 + 5);
}

TEST_F(ImageBuildRequest, InTheProjectsRegistryItIsCalledAfterBranchAndCommitAndPushed) {
  set("CI_REGISTRY_IMAGE", "registry.example:5000/team/shop");
  const std::string name = "registry.example:5000/team/shop:";
  BuildRequest made = request();
  EXPECT_THAT(made.tags, ElementsAre(name + "feature-x", name + "0123abcd"));
  EXPECT_TRUE(made.push);
  EXPECT_THAT(made.cache.from, ElementsAre(name + "feature-x", name + "main"));
  EXPECT_THAT(made.insecure, IsEmpty());

  set("CI_COMMIT_BRANCH", "main");
  set("CI_COMMIT_REF_SLUG", "main");
  EXPECT_THAT(request().tags, ElementsAre(name + "main", name + "0123abcd", name + "latest"));

  set("CI_COMMIT_BRANCH", "");
  set("CI_COMMIT_TAG", "v1.2.3");
  set("CI_COMMIT_REF_SLUG", "v1-2-3");
  EXPECT_THAT(request().tags, ElementsAre(name + "v1.2.3", name + "0123abcd"));
  set("CI_COMMIT_TAG", "release/1+2");
  EXPECT_THAT(request().tags, Contains(name + "v1-2-3"));

  spec().push = false;
  EXPECT_FALSE(request().push);
}

TEST_F(ImageBuildRequest, WhatTheJobSaysComesWithItsVariablesFilledIn) {
  set("WHERE", "app");
  set("VERSION", "7");
  spec().context = "$WHERE";
  spec().dockerfile = "docker/$WHERE.Dockerfile";
  spec().target = "run-$VERSION";
  spec().args = {variable("A", "v$VERSION"), variable("B", "$VERSION")};
  spec().args[1].raw = true;
  spec().platforms = {"linux/arm64"};
  spec().tags = {"127.0.0.1:5000/$WHERE:$VERSION", "127.0.0.1:5000/app:7", "127.0.0.1:5000/app"};
  spec().cache_from = {"other/image:base"};
  spec().cache_to = "127.0.0.1:5000/cache";
  const BuildRequest made = request();
  EXPECT_EQ(made.context, "app");
  EXPECT_EQ(made.dockerfile, "docker/app.Dockerfile");
  EXPECT_EQ(made.target, "run-7");
  EXPECT_EQ(made.args, (std::map<std::string, std::string>{{"A", "v7"}, {"B", "$VERSION"}}));
  EXPECT_THAT(made.platforms, ElementsAre("linux/arm64"));
  EXPECT_THAT(made.tags, ElementsAre("127.0.0.1:5000/app:7", "127.0.0.1:5000/app:latest"));
  EXPECT_TRUE(made.push);
  EXPECT_THAT(made.insecure, ElementsAre("127.0.0.1:5000")) << "as both engines have it";
  EXPECT_THAT(made.cache.from, ElementsAre("docker.io/other/image:base", "127.0.0.1:5000/app:7",
                                           "127.0.0.1:5000/app:feature-x", "127.0.0.1:5000/app:main"));
  EXPECT_EQ(made.cache.to, "127.0.0.1:5000/cache");
}

TEST_F(ImageBuildRequest, SecretsAreVariablesTheirFilesContentsAndMasked) {
  set("TOKEN", "a-very-secret-token");
  set("KEY", "-----BEGIN KEY-----\nabcdefghijkl\n");
  job_.variables.back().file = true;
  spec().secrets = {{"npm", "TOKEN"}, {"key", "KEY"}};
  const BuildRequest made = request();
  EXPECT_EQ(made.secrets.at("npm"), "a-very-secret-token");
  EXPECT_EQ(made.secrets.at("key"), "-----BEGIN KEY-----\nabcdefghijkl\n");
  EXPECT_THAT(environment_->secrets(), Contains("a-very-secret-token"));
  spec().secrets = {{"npm", "NOWHERE"}};
  EXPECT_THAT(why_not(), HasSubstr("'npm' is to be the variable NOWHERE, which is not set"));
}

TEST_F(ImageBuildRequest, LoginsOfTheJobComeBeforeThoseOfWhoeverRunsUs) {
  set("DOCKER_AUTH_CONFIG", R"({"auths":{"a":{}}})");
  set("CI_REGISTRY", "registry.example");
  set("CI_REGISTRY_USER", "ci");
  set("CI_REGISTRY_PASSWORD", "pass\"word");
  settings_.login_files = {"/root/.docker/config.json"};
  const BuildRequest made = request();
  EXPECT_THAT(
      made.auth_configs,
      ElementsAre(R"({"auths":{"a":{}}})", R"({"auths":{"registry.example":{"auth":"Y2k6cGFzcyJ3b3Jk"}}})"));
  EXPECT_THAT(made.auth_files, ElementsAre("/root/.docker/config.json"));
}

TEST_F(ImageBuildRequest, WhatCannotBeDoneIsSaid) {
  const auto refused = [&](auto&& change, const char* words) {
    const auto before = job_;
    change();
    EXPECT_THAT(why_not(), HasSubstr(words));
    job_ = before;
  };
  refused([&] { spec().tags = {"$NOTHING"}; }, "tags: '$NOTHING' is empty once its variables are filled in");
  refused([&] { spec().tags = {"UPPER/Case"}; }, "UPPER/Case");
  refused([&] { spec().tags = {"a@sha256:" + std::string(64, '0')}; }, "has a digest");
  refused([&] { spec().context = "$NOTHING"; }, "context: '$NOTHING' is empty");
  refused([&] { spec().push = true; }, "names no registry; set CI_REGISTRY_IMAGE");
}

/// Stands for the program that builds: says what it was asked, and ends as the file `how` in the sources
/// says.
class ImageBuildJob : public testing::Test {
 protected:
  ImageBuildJob() {
    write_file_atomic(program_,
                      "#!/bin/sh\nset -e\ndir=$2\ntest \"$1\" = image-build\ntest \"$PWD\" = "
                      "\"$CI_PROJECT_DIR\"\ntest \"$(stat -c %a \"$dir/request\")\" = 600\n"
                      "grep -o '\"target\":\"[a-z]*\"' \"$dir/request\"\n. ./how\n",
                      0755, false);
  }
  engine::PipelineEnd run(const std::string& how) {
    write_file_atomic(harness_.source() / "how", how + "\n", 0644, false);
    test::PlanBuilder plan({"build", "test"});
    pipelines::PlanJob& job = plan.add("image", 0, {});
    job.image_build.emplace();
    job.image_build->target = "final";
    job.variables.push_back(variable("TOKEN", "unmasked-but-secret"));
    job.image_build->secrets = {{"t", "TOKEN"}};
    plan.add("after", 1, {"echo \"got $IMAGE\""});
    return harness_.run(plan.plan());
  }

  TempDir dir_;
  const std::filesystem::path program_ = dir_.path() / "program";
  executors::ShellExecutor executor_{test::test_launcher()};
  test::EngineHarness harness_{executor_, cache::MountMode::copy, {}, {}, program_.native()};
};

TEST_F(ImageBuildJob, HandsWhatTheImageIsCalledToLaterJobs) {
  const auto end =
      run("echo \"$TOKEN\"; printf 'IMAGE=a/b@sha256:12\\nIMAGE_DIGEST=sha256:12\\n' > \"$dir/outputs.env\"");
  EXPECT_EQ(end.status, JobStatus::success) << harness_.log("image");
  EXPECT_THAT(harness_.log("image"), HasSubstr("\"target\":\"final\""));
  EXPECT_THAT(harness_.log("image"), Not(HasSubstr("unmasked-but-secret")))
      << "a secret of the build is one of the log";
  EXPECT_THAT(harness_.log_lines("after"), Contains("got a/b@sha256:12"));
  EXPECT_THAT(harness_.leftovers(), IsEmpty());
}

TEST_F(ImageBuildJob, WhoIsToBlameIsInTheVerdict) {
  struct Case {
    const char* how;
    builds::BuildExit verdict;
    const char* why;
    FailureReason reason;
    const char* told;
  };
  using enum builds::BuildExit;
  const char* const with_verdict = "cp verdict \"$dir/verdict\"; exit 7";
  const Case cases[] = {
      {with_verdict, failed, "line 3 failed", FailureReason::script_failure, "line 3 failed"},
      {with_verdict, invalid, "no Dockerfile", FailureReason::script_failure, "no Dockerfile"},
      {with_verdict, machinery, "the registry is away", FailureReason::runner_system_failure,
       "the registry is away"},
      {"exit 9", done, "", FailureReason::runner_system_failure, "ended with exit code 9"},
      {"kill -9 $$", done, "", FailureReason::script_failure, "signal 9"},
      {"true", done, "", FailureReason::runner_system_failure, "what it is called was not left"},
  };
  for (const Case& one : cases) {
    builds::write_build_verdict(harness_.source(), {one.verdict, one.why});
    EXPECT_EQ(run(one.how).status, JobStatus::failed) << one.how;
    EXPECT_EQ(harness_.job("image").failure, one.reason) << one.how;
    EXPECT_THAT(harness_.job("image").reason, HasSubstr(one.told)) << one.how;
    EXPECT_EQ(harness_.status("after"), JobStatus::skipped);
  }
}

}  // namespace
}  // namespace runner::engine
