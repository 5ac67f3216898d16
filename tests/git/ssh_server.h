#pragma once
// A real sshd with a configuration of its own, for the user of the test, in the directory of a fixture: keys
// "host" (its own), "key" (let in) and "wrong".

#include <filesystem>
#include <optional>
#include <string>

#include "tests/git/git_fixture.h"
#include "tests/git/git_server.h"

namespace runner::git::testing {

class SshServer {
 public:
  /// Why there can be none here; "" = there can.
  static std::string missing();
  explicit SshServer(const GitFixture& fixture);

  /// A key that may do what git-shell lets it.
  void make_key(const std::string& name, const std::string& options, bool authorized = true) const;
  /// Its line of a file of known hosts.
  std::string known() const;
  std::string url(const std::filesystem::path& repository) const;
  const std::string& port() const noexcept { return server_->port(); }
  /// It answers no more; the port is free.
  void stop() { server_.reset(); }

 private:
  const GitFixture& fixture_;
  std::optional<GitServer> server_;
};

}  // namespace runner::git::testing
