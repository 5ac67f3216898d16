#pragma once
// Tests of the container executor against a real engine; the parameter is "docker" or "podman".

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "executors/containers/container_executor.h"
#include "tests/executors/container_specs.h"
#include "tests/executors/contract.h"
#include "tests/support/real_engine.h"

namespace runner::executors::test {

/// Instantiates a suite with both engines.
#define WITH_BOTH_ENGINES(Suite)                                                                            \
  INSTANTIATE_TEST_SUITE_P(Docker, Suite, testing::Values("docker"), [](const auto&) { return "docker"; }); \
  INSTANTIATE_TEST_SUITE_P(Podman, Suite, testing::Values("podman"), [](const auto&) { return "podman"; })

/// A FIFO that a script in a container reaches as /gates/NAME.
class ContainerGate {
 public:
  ContainerGate(const SandboxSpec& spec, std::string name);
  std::string path() const { return std::string(kGates) + "/" + name_; }
  /// Blocks until a script has written a line.
  std::string read() const;
  /// Blocks until a script reads.
  void write() const;

 private:
  std::string name_;
  std::filesystem::path file_;
};

class ContainerFixture : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override;
  void TearDown() override;

  runner::test::RealEngine& engine() { return *engine_; }
  /// Takes another engine than the one that tests share.
  void use_engine(runner::test::RealEngine& engine);
  ContainerExecutor& executor() { return *executor_; }
  const std::string& owner() const { return owner_; }
  const std::filesystem::path& base() const { return dir_.path(); }

  /// A new one; destroyed at the end of the test.
  SandboxSpec& sandbox(const std::string& id = "job");
  std::unique_ptr<Sandbox> prepare(const SandboxSpec& spec) { return executor().prepare(spec, sink_, {}); }
  StepSpec shell(const std::string& script, const std::string& id = "script");
  /// Runs a script to its end in a sandbox of its own.
  StepEnd run(const std::string& script) { return prepare(sandbox())->start(shell(script), sink_)->wait(); }
  void destroy(const std::string& id = "job");
  /// How many containers, volumes and networks the engine has with our label.
  std::size_t things();

  RecordingSink sink_;

 private:
  TempDir dir_;
  std::string owner_;
  runner::test::RealEngine* engine_ = nullptr;
  std::unique_ptr<ContainerExecutor> executor_;
  std::map<std::string, SandboxSpec> specs_;
};

/// The code of the Error that `act` throws; its text is in `text`.
ErrorCode error_of(const std::function<void()>& act, std::string* text = nullptr);

}  // namespace runner::executors::test
