#include "tests/git/git_server.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "runner/base/error.h"
#include "tests/support/source_dir.h"

namespace runner::git::testing {

GitServer::GitServer(const std::vector<std::string>& arguments) {
  Pipe in = make_pipe(), out = make_pipe();
  const std::string script = (runner::test::source_dir() / "tests/git/git_server.py").string();
  std::vector<char*> argv = {const_cast<char*>("python3"), const_cast<char*>(script.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  const int error = ::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw_errno(error, "cannot start python3");
  input_ = std::move(in.write);
  out.write.reset();
  for (char c = 0;;) {
    const ssize_t got = ::read(out.read.get(), &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error(ErrorCode::internal, "git_server.py did not start");
    if (c == '\n') break;
    port_ += c;
  }
}

GitServer::~GitServer() {
  input_.reset();
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

void GitServer::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace runner::git::testing
