#pragma once
// A service of a compose file on a real engine, its images in a real registry. The parameter is "docker" or
// "podman". The test is in the engine's network, so that it reaches what is published there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "deployments/targets/compose_target.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/support/real_engine.h"

namespace runner::deployments {

#define ON_BOTH_ENGINES(Suite)                                                                              \
  INSTANTIATE_TEST_SUITE_P(Docker, Suite, testing::Values("docker"), [](const auto&) { return "docker"; }); \
  INSTANTIATE_TEST_SUITE_P(Podman, Suite, testing::Values("podman"), [](const auto&) { return "podman"; })

/// What a call throws: "code: text", "stale: text"; "" when it throws nothing.
template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  } catch (const StaleFence& stale) {
    return std::string("stale: ") + stale.what();
  }
  return "";
}

class ComposeFixture : public testing::TestWithParam<const char*> {
 public:
  void SetUp() override;
  void TearDown() override;

  /// Of a project of the test's own. With ports of its own: one, or blue and green.
  ComposeOptions options(bool slots) const;
  std::unique_ptr<ComposeTarget> target(bool slots) const;
  Fence fence(std::uint64_t token, const std::string& deployment) const;
  std::unique_ptr<ComposeTarget> claimed(bool slots, std::uint64_t token,
                                         const std::string& deployment) const;

  /// An application that says its version in each answer, in the registry and not in the engine. `broken`:
  /// its /ready is never good.
  std::string image(const std::string& version, bool broken = false) const;
  /// An image of image(): nobody can pull it any more.
  void remove_from_registry(const std::string& image) const;
  /// The release of that image and the compose file.
  Release release(const std::string& version, bool broken = false) const;
  void write_compose_file(const std::string& more = "") const;
  /// "version=..." once it answers.
  std::string answer_of(std::uint16_t port) const;

  /// An answer of the engine to a GET, as text.
  std::string ask(const std::string& path) const;
  void tell(const std::string& method, const std::string& path, const std::string& body = "") const;
  /// Ids of containers, running or not, with this label.
  std::vector<std::string> containers(const std::string& label) const;

  static constexpr const char* kUnit = "shop";
  TempDir top{"compose-"};
  std::stop_token never;
  std::string project;
  std::uint16_t single_port = 0, blue_port = 0, green_port = 0;
  mutable std::string told;

  test::RealEngine& engine() const { return *engine_; }

 private:
  test::RealEngine* engine_ = nullptr;
};

}  // namespace runner::deployments
