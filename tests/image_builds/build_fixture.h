#pragma once
// Builds by the program itself, with a real engine and a real registry that wants TLS and a password; the
// parameter is "docker" or "podman".

#include <gtest/gtest.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "builds/build_engine.h"
#include "builds/build_request.h"
#include "runner/base/files.h"
#include "tests/support/real_engine.h"

namespace runner::builds::testing {

struct Ended {
  int code = -1;
  std::string log;
  std::optional<BuildVerdict> verdict;
  std::string outputs;  // the file; "" = there is none
  /// The value of a line of the outputs.
  std::string output(const std::string& name) const;
};

/// A build that was started.
class Running {
 public:
  Running(const std::vector<std::string>& argv, std::filesystem::path dir, const std::filesystem::path& cwd);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// Until its log has the text. False when it ended without.
  bool wait_for(const std::string& text);
  void signal(int which) const { ::kill(pid_, which); }
  Ended wait();
  const std::filesystem::path& dir() const noexcept { return dir_; }

 private:
  bool read_more();

  std::filesystem::path dir_;
  pid_t pid_ = -1;
  UniqueFd output_;
  std::string log_;
};

class BuildFixture : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr const char* kUser = "builder";
  static constexpr const char* kPassword = "correct-horse";

  void SetUp() override;

  test::RealEngine& engine() { return *engine_; }
  BuildEngine& api() { return *api_; }
  const std::string& host() const;
  /// A file of the workspace.
  void put(const std::string& path, const std::string& content) const;
  std::filesystem::path workspace() const { return dir_.path() / "workspace"; }
  /// For this engine and registry, with the tag "HOST/NAME:main".
  BuildRequest request(const std::string& name) const;
  std::unique_ptr<Running> start(const BuildRequest& request);
  Ended run(const BuildRequest& request) { return start(request)->wait(); }
  /// Makes an image of busybox with a file of this content the base "HOST/base:1".
  std::string push_base(const std::string& content);
  /// How often the registry was asked for such.
  std::size_t asked(const std::string& text) const;
  /// Whether any file that the registry has, unpacked, holds the text.
  bool registry_holds(const std::string& text) const;
  /// "HOST/NAME:TAG" in the registry: the digest; "" = there is none.
  std::string digest_of(const std::string& image) const;
  /// What a command writes.
  static std::string output_of(const std::string& command);

 private:
  test::RealEngine* engine_ = nullptr;
  std::optional<BuildEngine> api_;
  TempDir dir_;
  int builds_ = 0;
};

#define WITH_BOTH_BUILDERS(Suite)                                      \
  INSTANTIATE_TEST_SUITE_P(Docker, Suite, ::testing::Values("docker"), \
                           [](const auto&) { return "docker"; });      \
  INSTANTIATE_TEST_SUITE_P(Podman, Suite, ::testing::Values("podman"), [](const auto&) { return "podman"; })

}  // namespace runner::builds::testing
