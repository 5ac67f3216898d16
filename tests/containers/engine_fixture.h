#pragma once
// The program with a real engine beside it; the parameter is "docker" or "podman".

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/cli/program.h"
#include "tests/support/real_engine.h"

namespace runner::test {

#define WITH_BOTH_ENGINES(Suite)                                                                            \
  INSTANTIATE_TEST_SUITE_P(Docker, Suite, testing::Values("docker"), [](const auto&) { return "docker"; }); \
  INSTANTIATE_TEST_SUITE_P(Podman, Suite, testing::Values("podman"), [](const auto&) { return "podman"; })

class EngineFixture : public testing::TestWithParam<const char*> {
 protected:
  /// Has the images "box" (busybox with a shell) and "talker" (its entrypoint says a word, then runs what it
  /// is given).
  void SetUp() override;
  /// Nothing of ours may be left in the engine.
  void TearDown() override;

  RealEngine& engine() { return *engine_; }
  /// "NAME=value" that names the engine to the program.
  std::string engine_variable() const { return "DOCKER_HOST=unix://" + engine_->socket().native(); }
  /// What the engine has with a label of ours: "container NAME", "volume NAME", "network NAME".
  std::vector<std::string> things() const;
  /// Waits until there is nothing.
  void wait_until_empty() const;
  /// An image of busybox in a registry of the engine's, and in the engine no more: its name.
  std::string push_box(const std::string& registry);
  /// An answer of the engine, as text.
  std::string ask(const std::string& path) const;

 private:
  RealEngine* engine_ = nullptr;
};

}  // namespace runner::test
