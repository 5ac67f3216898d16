// Images, pulled from a real registry by a real engine.

#include "executors/containers/images.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <thread>

#include "runner/base/error.h"
#include "tests/executors/containers/container_fixture.h"

namespace runner::executors::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class ContainerImages : public ContainerFixture {
 protected:
  void SetUp() override {
    ContainerFixture::SetUp();
    if (IsSkipped()) return;
    if (!runner::test::has_program("docker-registry")) GTEST_SKIP() << "needs docker-registry";
    api_.emplace(engine().socket());
    api_->agree();
  }

  ImageFacts provide(const std::string& name, std::vector<PullPolicy> policies,
                     const std::vector<RegistryLogin>& logins = {},
                     const ImageRecords& records = ImageRecords({})) {
    ContainerImage image;
    image.name = name;
    image.pull = std::move(policies);
    return provide_image(*api_, image, logins, sink_, stop_.get_token(), records);
  }

  /// An image of its own in a registry, and in the engine no more.
  std::string push_own(const std::string& registry, const std::string& own) {
    const std::string name = registry + "/own/" + own;
    engine().load(name + ":1", R"({"Labels": {"own": ")" + own + R"("}})");
    api_->expect({"POST", "/images/" + name + "/push?tag=1", "", {"X-Registry-Auth: " + registry_auth({})}},
                 "push");
    forget(name + ":1");
    return name + ":1";
  }
  bool has(const std::string& name) { return api_->call({"GET", image_path(name) + "/json"}).ok(); }
  Reclaimed keep(const ImageRecords& records, std::uint64_t budget, std::chrono::seconds recent = {}) {
    return keep_image_budget(*api_, records, budget, recent,
                             std::chrono::steady_clock::now() + std::chrono::minutes(1));
  }

  /// Gives busybox another name.
  void tag(const std::string& repository, const std::string& name) {
    api_->expect({"POST", "/images/docker.io/library/busybox:latest/tag?repo=" + repository + "&tag=" + name},
                 "tag");
  }
  void forget(const std::string& name) { api_->expect({"DELETE", "/images/" + name}, "remove " + name); }

  /// Into a registry, and away from the engine.
  std::string push(const std::string& registry, const RegistryLogin& login = {}) {
    const std::string name = registry + "/group/app";
    tag(name, "1");
    const std::string said = api_->expect(
        {"POST", "/images/" + name + "/push?tag=1", "", {"X-Registry-Auth: " + registry_auth(login)}},
        "push");
    EXPECT_THAT(said, Not(HasSubstr("\"error\"")));
    forget(name + ":1");
    return name + ":1";
  }

  std::optional<EngineApi> api_;
  std::stop_source stop_;
};
WITH_BOTH_ENGINES(ContainerImages);

TEST_P(ContainerImages, AlwaysPullsAndSaysWhatIsUsed) {
  const std::string name = push(engine().start_registry());
  std::string text;
  EXPECT_EQ(error_of([&] { provide(name, {PullPolicy::never}); }, &text), ErrorCode::invalid_input);
  EXPECT_EQ(text, "image '" + name + "' cannot be pulled: it is not there, and the pull policy is 'never'");
  const ImageFacts facts = provide(name, {PullPolicy::always});
  EXPECT_THAT(facts.id, MatchesRegex("sha256:[0-9a-f]{64}"));
  EXPECT_EQ(sink_.text(), "Pulling " + name + " (always)\nUsing " + name + ": " + facts.digest + "\n");
  EXPECT_THAT(facts.digest, HasSubstr("/group/app@sha256:"));
  // And by its digest, which is there now.
  EXPECT_EQ(provide(facts.digest, {PullPolicy::if_not_present}).id, facts.id);
  forget(name);
  EXPECT_EQ(provide(facts.digest, {PullPolicy::always}).id, facts.id);
}

TEST_P(ContainerImages, IfNotPresentAsksNobodyWhenItIsThere) {
  tag("127.0.0.1:1/local", "1");
  EXPECT_FALSE(provide("127.0.0.1:1/local:1", {PullPolicy::if_not_present}).id.empty());
  EXPECT_THAT(sink_.text(), Not(HasSubstr("Pulling")));
  const std::string name = push(engine().start_registry());
  provide(name, {PullPolicy::if_not_present});
  EXPECT_THAT(sink_.text(), HasSubstr("Pulling " + name + " (if-not-present)\n"));
}

TEST_P(ContainerImages, PoliciesAreTriedInTheirOrder) {
  const std::string name = engine().start_registry() + "/only/here";
  tag(name, "1");
  provide(name + ":1", {PullPolicy::always, PullPolicy::if_not_present});
  EXPECT_THAT(sink_.text(), HasSubstr("WARNING: image '" + name + ":1' cannot be pulled: there is no such "));
  EXPECT_THAT(sink_.text(), HasSubstr("\nUsing " + name + ":1: "));
  forget(name + ":1");
  EXPECT_EQ(error_of([&] {
              provide(name + ":1", {PullPolicy::always, PullPolicy::never});
            }),
            ErrorCode::invalid_input);
}

TEST_P(ContainerImages, ReasonsOfFailuresAreNamed) {
  const std::string registry = engine().start_registry();
  push(registry);
  const std::tuple<std::string, ErrorCode, std::string> cases[] = {
      {registry + "/group/app:2", ErrorCode::invalid_input, "there is no such tag or digest"},
      {registry + "/no/such:1", ErrorCode::invalid_input, "there is no such "},
      {"127.0.0.1:1/app:1", ErrorCode::unavailable, "the registry does not answer; check its address"},
      {"no-such-host.invalid/app:1", ErrorCode::unavailable, ""},
      {"not a name", ErrorCode::invalid_input, "image 'not a name', character 4"},
      {registry + "/Upper:1", ErrorCode::invalid_input, ""}};
  for (const auto& [name, code, reason] : cases) {
    std::string text;
    EXPECT_EQ(error_of([&, image = name] { provide(image, {PullPolicy::always}); }, &text), code) << text;
    EXPECT_THAT(text, HasSubstr(reason));
    EXPECT_THAT(text, HasSubstr(name));
  }
}

TEST_P(ContainerImages, LoginIsSentToTheRegistryItIsFor) {
  const std::string registry = engine().start_registry("me", "secret");
  const std::string name = push(registry, {registry, "me", "secret"});
  const std::vector<RegistryLogin> wrong[] = {
      {}, {{registry, "me", "other"}}, {{"other.example", "me", "secret"}}};
  for (const auto& logins : wrong) {
    std::string text;
    EXPECT_EQ(error_of([&] { provide(name, {PullPolicy::always}, logins); }, &text),
              ErrorCode::invalid_input);
    EXPECT_THAT(text, HasSubstr("login"));
    EXPECT_THAT(text, Not(HasSubstr("secret")));
  }
  EXPECT_FALSE(provide(name, {PullPolicy::always}, {{registry + "/group", "me", "secret"}}).id.empty());
}

TEST_P(ContainerImages, StopEndsAPullAtOnce) {
  const std::string name = engine().start_silence() + "/app:1";
  const auto begun = std::chrono::steady_clock::now();
  std::thread canceller([&] {
    while (sink_.text().find("Pulling") == std::string::npos) std::this_thread::yield();
    stop_.request_stop();
  });
  EXPECT_EQ(error_of([&] { provide(name, {PullPolicy::always, PullPolicy::always}); }), ErrorCode::cancelled);
  canceller.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST_P(ContainerImages, BudgetRemovesWhatWePulledAndUsedLeastRecently) {
  const std::string registry = engine().start_registry();
  const std::string one = push_own(registry, "one"), two = push_own(registry, "two");
  const std::string theirs = registry + "/theirs/box";
  tag(theirs, "1");
  const std::filesystem::path place = base() / "images";
  const ImageFacts first = provide(one, {PullPolicy::always}, {}, ImageRecords(place));
  provide(two, {PullPolicy::always}, {}, ImageRecords(place));
  provide(theirs + ":1", {PullPolicy::if_not_present}, {}, ImageRecords(place));
  std::filesystem::last_write_time(place / first.id.substr(7),
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  const ImageRecords records(place);  // as another process finds them
  ASSERT_EQ(records.list().size(), 2U) << "what was there is nobody's business";
  EXPECT_EQ(records.list()[0].names, std::vector<std::string>{one});
  EXPECT_EQ(keep(records, 1U << 30U).images, 0U) << "there is room";
  EXPECT_EQ(keep(records, 1, std::chrono::hours(3)).images, 0U) << "all were used just now";
  const Reclaimed reclaimed = keep(records, 1, std::chrono::hours(1));
  EXPECT_EQ(reclaimed.names, std::vector<std::string>{one});
  EXPECT_GT(reclaimed.bytes, 1'000'000U);
  EXPECT_FALSE(has(one));
  EXPECT_TRUE(has(two) && has(theirs + ":1"));
  ASSERT_EQ(records.list().size(), 1U);
  EXPECT_EQ(keep(records, 1).images, 1U);
  EXPECT_TRUE(!has(two) && has(theirs + ":1") && has(kBusybox)) << "what we did not pull stays";
}

TEST_P(ContainerImages, BudgetKeepsWhatIsInUseOrHasBecomeSomebodyElses) {
  const std::string registry = engine().start_registry();
  const std::string used = push_own(registry, "used"), taken = push_own(registry, "taken");
  const ImageRecords records(base() / "images");
  provide(used, {PullPolicy::always}, {}, records);
  provide(taken, {PullPolicy::always}, {}, records);
  api_->expect({"POST", "/images/" + taken + "/tag?repo=" + registry + "/mine&tag=1"}, "tag");
  SandboxSpec& spec = sandbox();
  spec.container->image.name = used;
  prepare(spec);
  EXPECT_EQ(keep(records, 1).images, 0U);
  EXPECT_TRUE(has(used) && has(taken));
  EXPECT_EQ(records.list().size(), 1U) << "it has a name that we did not give";
  destroy();
  EXPECT_EQ(keep(records, 1).images, 1U);
  EXPECT_TRUE(!has(used) && has(taken));
}

TEST_P(ContainerImages, WhatWasThereBeforeAPullStaysSomebodyElses) {
  const std::string registry = engine().start_registry();
  const std::string name = push_own(registry, "before");
  provide(name, {PullPolicy::always});
  const ImageRecords records(base() / "images");
  provide(name, {PullPolicy::always}, {}, records);
  EXPECT_TRUE(records.list().empty());
  EXPECT_EQ(keep(records, 1).images, 0U);
  EXPECT_TRUE(has(name));
}

TEST_P(ContainerImages, BuildCacheIsKeptWithinItsBudget) {
  if (!std::filesystem::exists("/usr/bin/docker")) GTEST_SKIP() << "needs docker.io";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  if (GetParam() == std::string("podman")) {
    EXPECT_EQ(keep_build_cache_budget(*api_, 1, deadline), 0U);
    return;
  }
  const std::filesystem::path place = base() / "context";
  make_directories(place);
  write_file_atomic(place / "Dockerfile", "FROM scratch\nCOPY large /\n", 0644, false);
  write_file_atomic(place / "large", std::string(1U << 20U, 'x'), 0644, false);
  runner::test::run_program({"env", "DOCKER_BUILDKIT=1", "/usr/bin/docker", "-H",
                             "unix://" + engine().socket().native(), "build", "-q", place.native()});
  EXPECT_EQ(keep_build_cache_budget(*api_, 1U << 30U, deadline), 0U);
  EXPECT_GT(keep_build_cache_budget(*api_, 1, deadline), 1U << 19U);
}

TEST_P(ContainerImages, FactsOfAnImageAreRead) {
  engine().load(
      "docker.io/library/facts:1",
      R"({"Entrypoint": ["/e"], "Cmd": ["c", "d"], "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "9": {}},
                    "Healthcheck": {"Test": ["CMD", "true"]}})");
  const ImageFacts facts = provide("facts:1", {PullPolicy::never});
  EXPECT_EQ(facts.entrypoint, (std::vector<std::string>{"/e"}));
  EXPECT_EQ(facts.command, (std::vector<std::string>{"c", "d"}));
  EXPECT_THAT(facts.tcp_ports, testing::Contains(80));
  EXPECT_THAT(facts.tcp_ports, Not(testing::Contains(53)));
}

}  // namespace
}  // namespace runner::executors::test
