// The contract of executors, in a container. Left out is what no container can keep, each with its reason.

#include <gtest/gtest.h>

#include "tests/executors/containers/container_fixture.h"
#include "tests/executors/shell_harness.h"

namespace runner::executors::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kImage = "docker.io/library/contract:1";

class ContainerHarness final : public Harness {
 public:
  explicit ContainerHarness(std::string kind) : kind_(std::move(kind)) {}

  std::string refusal() override {
    static const std::map<std::string, std::string> left_out_tests = {
        {"EndsAreDecoded", "the first process of a container is not ended by its own signals"},
        {"EnvironmentIsWhatWasGiven", "a container has variables of its own"},
        {"NoOtherDescriptorIsOpen",
         "busybox is its own ls, within the shell; steps_test.cpp asks another process"},
        {"NoSignalIsBlockedOrIgnored",
         "the engine of a test ignores one already; steps_test.cpp knows which"},
        {"CommandThatCannotBeStartedIsInvalidInput",
         "what is in an image is known when it runs: codes 126, 127"},
        {"BackgroundOutputShortlyAfterTheEndIsKept", "a container ends with its first process"}};
    if (std::string missing = runner::test::RealEngine::missing(kind_); !missing.empty()) return missing;
    std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    test = test.substr(0, test.find('/'));
    const auto left_out = left_out_tests.find(test);
    return left_out == left_out_tests.end() ? "" : left_out->second;
  }

  Executor& executor() override {
    if (executor_) return *executor_;
    auto& engine = runner::test::RealEngine::shared(kind_);
    std::vector<std::string> programs;
    for (const char* name : {"bash", "sleep", "pgrep", "cat"})
      programs.push_back("usr/bin/" + std::string(name) + "=/usr/bin/" + name);
    engine.load(kImage, "{}", programs);
    ContainerOptions options = container_options(engine.socket(), unique_mark());
    options.program = CONTAINER_PROGRAM;
    executor_ = std::make_unique<ContainerExecutor>(test_launcher(), options);
    executor_->probe();  // its connection is kept, and counted before the test
    return *executor_;
  }

  SandboxSpec sandbox(const std::string& id) override {
    SandboxSpec spec = container_sandbox(dir_.path(), id);
    spec.workspace = dir_.path() / id / "workspace";
    make_directories(spec.workspace);
    spec.container->image.name = kImage;
    // Gates are made there.
    const fs::path temporary = fs::temp_directory_path();
    spec.container->binds = {{temporary, temporary, false}};
    return spec;
  }

 private:
  const std::string kind_;
  TempDir dir_;
  std::unique_ptr<ContainerExecutor> executor_;
};

HarnessKind container_harness(const std::string& kind) {
  return {kind, [kind] { return std::make_unique<ContainerHarness>(kind); }};
}

INSTANTIATE_TEST_SUITE_P(Docker, ExecutorContract, testing::Values(container_harness("docker")),
                         [](const auto& kind) { return kind.param.name; });
INSTANTIATE_TEST_SUITE_P(Podman, ExecutorContract, testing::Values(container_harness("podman")),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace runner::executors::test
