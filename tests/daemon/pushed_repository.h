#pragma once
// A repository that the real git pushes to, over HTTP or ssh, with a pipeline that leaves an artifact.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "tests/daemon/server_program.h"
#include "tests/git/git_fixture.h"
#include "tests/git/git_server.h"
#include "tests/git/ssh_server.h"

namespace runner::test {

/// Of the pipeline of PushedRepository: what its script writes of a commit.
std::string artifact_text(const std::string& sha);

class PushedRepository : public git::testing::GitFixture {
 public:
  PushedRepository();

  /// A commit with a change, pushed to `main` as the remote of this name ("here", "http", "ssh"); its id.
  std::string push(const std::string& remote);

  // Each may be called once. The address as a server is told it.
  std::string serve_http();
  std::string serve_ssh();
  std::string path() const { return (top() / "shop.git").native(); }
  static constexpr const char* kUser = "ann";
  static constexpr const char* kToken = "s3cret:\xc3\xa4";
  std::string ssh_key() const;

 private:
  std::optional<git::testing::GitServer> http_;
  std::optional<git::testing::SshServer> ssh_;
  int pushes_ = 0;
};

/// Checks that the pipeline is green and that the archive of its job is what the script of `sha` left.
void expect_green(const ServerProgram& server, const nlohmann::json& pipeline, const std::string& sha);

}  // namespace runner::test
