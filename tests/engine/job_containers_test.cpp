// What images and services of a job come to.
#include "runner/engine/job_containers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/engine/job_environment.h"
#include "runner/engine/shell_script.h"

namespace runner::engine {
namespace {

using executors::PullPolicy;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

pipelines::Variable variable(std::string name, std::string value,
                             pipelines::VariableSource source = pipelines::VariableSource::job) {
  pipelines::Variable made;
  made.name = std::move(name);
  made.value = std::move(value);
  made.source = source;
  return made;
}

TEST(EngineSocket, IsForTheProjectsThatWereNamed) {
  ContainerSettings settings;
  EXPECT_FALSE(gets_engine_socket(settings, "shop"));
  settings.engine_socket = true;
  EXPECT_TRUE(gets_engine_socket(settings, "shop"));
  settings.engine_socket_projects = {"tools", "mail"};
  EXPECT_FALSE(gets_engine_socket(settings, "shop"));
  EXPECT_TRUE(gets_engine_socket(settings, "mail"));
}

class JobContainers : public testing::Test {
 protected:
  JobContainers() {
    job_.name = "test";
    job_.image.emplace();
    job_.image->name = "alpine:$TAG";
    job_.variables.push_back(variable("TAG", "3.19"));
    settings_.socket = "/run/docker.sock";
  }

  pipelines::ServiceSpec& service(std::string image, std::vector<std::string> aliases = {}) {
    pipelines::ServiceSpec& made = job_.services.emplace_back();
    made.image.name = std::move(image);
    made.aliases = std::move(aliases);
    return made;
  }

  executors::ContainerSpec spec() {
    RunFacts run;
    run.project_dir = "/builds/shop";
    run.builds_dir = "/builds";
    run.private_dir = dir_.path();
    run.seen_dir = "/builds/shop.tmp";
    environment_.emplace(pipelines::Plan(), job_, pipelines::PipelineFacts(),
                         std::map<std::string, std::string>(), NamedValues(), run);
    notices_.clear();
    return container_spec(job_, *environment_, settings_, {}, notices_);
  }

  std::string why_not() {
    try {
      spec();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input);
      return error.what();
    }
    return "";
  }

  TempDir dir_;
  pipelines::PlanJob job_;
  ContainerSettings settings_;
  std::optional<JobEnvironment> environment_;
  std::vector<std::string> notices_;
};

TEST_F(JobContainers, NamesAreExpandedAndMayNotBeEmpty) {
  EXPECT_EQ(spec().image.name, "alpine:3.19");
  job_.image->name = "$NOTHING";
  EXPECT_THAT(why_not(), HasSubstr("no image given: '$NOTHING'"));
}

TEST_F(JobContainers, JobsWithoutAnImageTakeTheDefaultOne) {
  job_.image.reset();
  EXPECT_FALSE(wants_container(job_, settings_));
  settings_.default_image = "debian:12";
  EXPECT_TRUE(wants_container(job_, settings_));
  EXPECT_EQ(spec().image.name, "debian:12");
  settings_.socket.clear();
  EXPECT_FALSE(wants_container(job_, settings_)) << "there is no engine";
}

TEST_F(JobContainers, PoliciesAreThoseOfTheJobThatAreAllowed) {
  EXPECT_THAT(spec().image.pull, ElementsAre(PullPolicy::always));
  settings_.pull_policy = "if-not-present";
  EXPECT_THAT(spec().image.pull, ElementsAre(PullPolicy::if_not_present));
  job_.image->pull_policy = {"never", "always"};
  EXPECT_THAT(spec().image.pull, ElementsAre(PullPolicy::never, PullPolicy::always));
  settings_.allowed_pull_policies = {"always"};
  EXPECT_THAT(spec().image.pull, ElementsAre(PullPolicy::always));
  job_.image->pull_policy = {"never"};
  EXPECT_THAT(why_not(), HasSubstr("pull_policy never is not allowed here; allowed: always"));
}

TEST_F(JobContainers, ServicesAreReachedByTheNamesOfTheirImagesAndByAliases) {
  service("registry.example:5000/ns/db:$TAG", {"db, sql", "$TAG"});
  const auto made = spec();
  ASSERT_EQ(made.services.size(), 1U);
  EXPECT_EQ(made.services[0].image.name, "registry.example:5000/ns/db:3.19");
  EXPECT_THAT(made.services[0].aliases,
              ElementsAre("registry.example__ns__db", "registry.example-ns-db", "db", "sql", "3.19"));
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(JobContainers, AnAliasBelongsToTheFirstThatHasIt) {
  service("redis:7", {"cache"});
  service("redis:6");
  service("memcached", {"cache"});
  const auto made = spec();
  ASSERT_EQ(made.services.size(), 2U);
  EXPECT_THAT(made.services[1].aliases, ElementsAre("memcached"));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("'redis:6' is not reached as 'redis'"),
                                    HasSubstr("'redis:6' is not started"),
                                    HasSubstr("'memcached' is not reached as 'cache'")));
}

TEST_F(JobContainers, AServiceWithoutANameIsLeftOut) {
  service("$NOTHING");
  EXPECT_THAT(spec().services, IsEmpty());
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("a service without a name is left out: '$NOTHING'")));
}

TEST_F(JobContainers, ServicesSeeWhatThePipelineFileSaysAndNothingSecret) {
  using pipelines::VariableSource;
  pipelines::Variable secret = variable("PASSWORD", "correct horse", VariableSource::job);
  secret.masked = true;
  job_.variables.push_back(secret);
  job_.variables.push_back(variable("DEPLOY_KEY", "of the project", VariableSource::project));
  job_.variables.push_back(variable("HANDED_OVER", "by a job", VariableSource::dotenv));
  pipelines::ServiceSpec& db = service("postgres:15");
  db.variables = {variable("POSTGRES_PASSWORD", "$PASSWORD"), variable("TAG", "own")};
  const auto env = spec().services.at(0).env;
  EXPECT_EQ(env.at("POSTGRES_PASSWORD"), "correct horse") << "it was named";
  EXPECT_EQ(env.at("TAG"), "own");
  EXPECT_EQ(env.at("CI_PROJECT_DIR"), "/builds/shop");
  for (const char* name : {"PASSWORD", "DEPLOY_KEY", "HANDED_OVER"}) EXPECT_EQ(env.count(name), 0U) << name;
}

TEST_F(JobContainers, LoginsComeFromTheJobThenFromTheOwner) {
  std::ofstream(dir_.path() / "config.json")
      << R"({"auths": {"registry.example": {"auth": "b3duZXI6b3duLXBhc3M="}}})";
  settings_.login_files = {dir_.path() / "not-there.json", dir_.path() / "config.json"};
  job_.image->name = "registry.example/app";
  auto logins = spec().logins;
  ASSERT_EQ(logins.size(), 1U);
  EXPECT_EQ(logins[0].username, "owner");
  job_.variables.push_back(variable("CI_REGISTRY", "registry.example"));
  job_.variables.push_back(variable("CI_REGISTRY_USER", "ci"));
  job_.variables.push_back(variable("CI_REGISTRY_PASSWORD", "token"));
  logins = spec().logins;
  ASSERT_EQ(logins.size(), 1U);
  EXPECT_EQ(logins[0].username, "ci");
  job_.variables.push_back(
      variable("DOCKER_AUTH_CONFIG", R"({"auths": {"registry.example": {"auth": "am9iOnNlY3JldA=="}}})"));
  logins = spec().logins;
  ASSERT_EQ(logins.size(), 1U);
  EXPECT_EQ(logins[0].registry, "registry.example/app");
  EXPECT_EQ(logins[0].username, "job");
  EXPECT_EQ(logins[0].password, "secret");
}

TEST_F(JobContainers, DamagedLoginsAreSaidAndNotShown) {
  job_.variables.push_back(
      variable("DOCKER_AUTH_CONFIG", R"({"auths": {"a": {"auth": "not-base64-hunter2"}}})"));
  const std::string why = why_not();
  EXPECT_THAT(why, HasSubstr("DOCKER_AUTH_CONFIG"));
  EXPECT_THAT(why, testing::Not(HasSubstr("hunter2")));
}

TEST_F(JobContainers, FilesOfVariablesAreNamedAsTheContainerSeesThem) {
  pipelines::Variable file = variable("KUBECONFIG", "content");
  file.file = true;
  job_.variables.push_back(file);
  const auto env = spec().env;
  EXPECT_EQ(env.at("KUBECONFIG"), "/builds/shop.tmp/files/KUBECONFIG");
  EXPECT_EQ(env.at("GITLAB_ENV"), "/builds/shop.tmp/job_env");
  EXPECT_EQ(read_file(dir_.path() / "files/KUBECONFIG"), "content");
}

TEST_F(JobContainers, ALinkInPlaceOfTheHandOverFileIsNotRead) {
  std::ofstream(dir_.path() / "secret-of-the-machine") << "STOLEN=1\n";
  spec();
  std::filesystem::create_symlink(dir_.path() / "secret-of-the-machine", dir_.path() / "job_env");
  environment_->read_hand_over_file();
  EXPECT_EQ(environment_->value("STOLEN"), "");
  EXPECT_THAT(environment_->take_warnings(), testing::Contains(HasSubstr("$GITLAB_ENV")));
}

TEST_F(JobContainers, TheFirstShellOfTheImageRunsTheScript) {
  const std::filesystem::path script = dir_.path() / "script.sh";
  std::ofstream(script) << "echo \"ran by ${BASH_VERSION:+bash}\"\n";
  const std::vector<std::string> argv = find_and_run(script.string());
  ASSERT_EQ(argv.size(), 4U);
  EXPECT_EQ(argv[0], "sh");
  EXPECT_EQ(argv[3], script.string());
}

}  // namespace
}  // namespace runner::engine
