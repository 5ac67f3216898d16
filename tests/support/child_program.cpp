#include "tests/support/child_program.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::test {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& argv) {
  std::vector<char*> result;
  for (const std::string& word : argv) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

ChildProgram::ChildProgram(const std::vector<std::string>& argv) {
  Pipe in = make_pipe(), out = make_pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  const int error = ::posix_spawnp(&pid_, argv[0].c_str(), &actions, nullptr, pointers(argv).data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw_errno(error, "cannot start " + argv[0]);
  input_ = std::move(in.write);
  output_ = std::move(out.read);
}

ChildProgram::~ChildProgram() {
  input_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ChildProgram::kill() const {
  ::kill(pid_, SIGKILL);
}

void ChildProgram::write_line(const std::string& line) const {
  write_all(input_.get(), line + "\n");
}

std::string ChildProgram::read_line() const {
  std::string line;
  for (char c = 0;;) {
    const ssize_t got = ::read(output_.get(), &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error(ErrorCode::unavailable, "a program of the test ended after '" + line + "'");
    if (c == '\n') return line;
    line += c;
  }
}

void run_program(const std::vector<std::string>& argv) {
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0].c_str(), nullptr, nullptr, pointers(argv).data(), environ);
  if (error != 0) throw_errno(error, "cannot start " + argv[0]);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0)
    throw Error(ErrorCode::unavailable, argv[0] + " failed with status " + std::to_string(status));
}

bool has_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  const std::string directories = std::string(path != nullptr ? path : "") + ":/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string_view directory : split(directories, ':'))
    if (!directory.empty() && ::access((std::filesystem::path(directory) / name).c_str(), X_OK) == 0)
      return true;
  return false;
}

}  // namespace runner::test
