#pragma once
// Hosts of a target by ssh, each a real sshd with a root of its own, and releases for them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "deployments/targets/ssh_target.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/support/deploy_hosts.h"

namespace runner::deployments {

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

Fence fence_of(std::uint64_t token, const std::string& deployment,
               const std::string& environment = "shop/prod");

struct SshTest : ::testing::Test {
  void SetUp() override;
  void TearDown() override;

  /// One more host, with the user's shell or another.
  test::SshdHost& add_host(const std::string& shell = "");
  /// For all hosts. What runs in a slot is a process that sleeps.
  SshOptions options() const;
  std::unique_ptr<SshTarget> target() const { return std::make_unique<SshTarget>(options()); }
  std::unique_ptr<SshTarget> claimed(std::uint64_t token, const std::string& deployment) const;
  const std::string& unit(std::size_t i = 0) const { return units[i]; }
  std::filesystem::path root(std::size_t i = 0) const { return hosts[i]->root(); }

  /// An archive of a directory with "version" and "bin/run"; the id is of its name.
  Release release(const std::string& name, const std::string& kind = "tar.gz") const;
  ReleaseFile file_of(const std::string& path, const std::filesystem::path& local) const;
  /// What the shell prints, without the last end of line.
  std::string shell(const std::string& command) const;

  TempDir top{"deploy-"};
  std::vector<std::unique_ptr<test::SshdHost>> hosts;
  std::vector<std::string> units;
  std::stop_token never;

 private:
  int made_ = 0;
};

}  // namespace runner::deployments
