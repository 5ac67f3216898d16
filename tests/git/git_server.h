#pragma once
// A server of git_server.py in a process of its own, which ends with this object, or with the test.

#include <sys/types.h>

#include <string>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "tests/git/git_fixture.h"

namespace runner::git::testing {

class GitServer {
 public:
  /// Arguments of git_server.py. Returns when it listens.
  explicit GitServer(const std::vector<std::string>& arguments);
  ~GitServer();
  GitServer(const GitServer&) = delete;
  GitServer& operator=(const GitServer&) = delete;

  const std::string& port() const noexcept { return port_; }
  /// SIGKILL, and waits for the end.
  void kill();

 private:
  pid_t pid_ = -1;
  UniqueFd input_;
  std::string port_;
};

/// Repositories as servers of git_server.py show them.
class ServedFixture : public GitFixture {
 public:
  /// `work` as `served.git`.
  void serve() const { run("git clone -q --bare --mirror work served.git", top()); }
  /// Empty commits on main.
  void commit_many(int count) const {
    run("for i in $(seq " + std::to_string(count) +
        "); do printf 'commit refs/heads/main\ncommitter a <a@b> %d +0000\ndata 1\nx\n' $i; [ $i != 1 ] || "
        "printf 'from refs/heads/main^0\n'; done | git fast-import --quiet && git reset -q --hard");
  }
  /// As if there had never been another history, here and in `served.git`.
  void start_anew() const {
    run("rm -rf .git ../served.git && git init -q -b main . && git add -A && git commit -qm anew");
    serve();
  }
};

/// What a call throws: "code: text"; "" when it throws nothing.
template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "";
}

}  // namespace runner::git::testing
