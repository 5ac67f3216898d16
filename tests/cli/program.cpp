#include "tests/cli/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "runner/base/error.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

int decode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

std::string quoted_path() {
  const char* path = std::getenv("PATH");
  return path == nullptr ? "/usr/bin:/bin" : path;
}

}  // namespace

Running::Running(pid_t pid, UniqueFd out, fs::path err)
    : pid_(pid), out_(std::move(out)), err_(std::move(err)) {}

Running::~Running() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Running::wait_for(std::string_view text) {
  while (seen_.find(text) == std::string::npos) {
    char buffer[4096];
    const ssize_t got = ::read(out_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    seen_.append(buffer, static_cast<std::size_t>(got));
  }
  return true;
}

void Running::signal_group(int signo) const {
  ::kill(-pid_, signo);
}

void Running::kill_alone() const {
  ::kill(pid_, SIGKILL);
}

Ended Running::wait() {
  Ended ended;
  while (wait_for(std::string_view("\0\0never\0", 8))) {
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  ended.code = decode(status);
  ended.out = seen_;
  ended.err = read_file(err_).value_or("");
  return ended;
}

Sandboxed::Sandboxed(std::string_view pipeline, bool with_git)
    : root_("runner-cli-"),
      project_(root_.path() / "project"),
      home_(root_.path() / "home"),
      data_(root_.path() / "data") {
  fs::create_directories(project_);
  fs::create_directories(home_);
  if (!pipeline.empty()) write(".gitlab-ci.yml", pipeline);
  if (!with_git) return;
  shell(
      "git init -q -b main . && git config user.name Tester && git config user.email tester@example.com && "
      "git config commit.gpgsign false && git add -A && git commit -q --allow-empty -m 'Add the pipeline'");
}

void Sandboxed::write(const std::string& name, std::string_view content) const {
  fs::create_directories((project_ / name).parent_path());
  write_file_atomic(project_ / name, content, 0644, false);
}

std::string Sandboxed::read(const std::string& name) const {
  return read_file(root_.path() / name).value_or("");
}

void Sandboxed::shell(const std::string& command) const {
  const std::string whole = "cd '" + project_.string() +
                            "' && export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 && (" + command +
                            ")";
  ASSERT_EQ(std::system(whole.c_str()), 0) << command;
}

std::unique_ptr<Running> Sandboxed::start(std::vector<std::string> words) const {
  words.insert(words.begin(), {RUNNER_BINARY});
  return start_program(std::move(words));
}

std::unique_ptr<Running> Sandboxed::start_program(std::vector<std::string> words) const {
  const std::string bin = program_directory().string();
  std::vector<std::string> variables{"PATH=" + bin + ":" + quoted_path(), "HOME=" + home_.string(),
                                     "RUNNER_DATA=" + data_.string(), "LC_ALL=C.UTF-8",
                                     "GIT_CONFIG_NOSYSTEM=1"};
  // Else what a sanitizer finds in it is seen by nobody.
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"})
    if (const char* value = ::getenv(name)) variables.push_back(std::string(name) + "=" + value);
  variables.insert(variables.end(), environment.begin(), environment.end());
  Pipe pipe = make_pipe();
  const fs::path err = root_.path() / "stderr";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe.write.get(), 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_addchdir_np(&actions, project_.c_str());
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, words.front().c_str(), &actions, &attributes, pointers(words).data(),
                                  pointers(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) throw_errno(error, "cannot start " + words.front());
  return std::make_unique<Running>(pid, std::move(pipe.read), err);
}

Ended Sandboxed::run(std::vector<std::string> words) const {
  return start(std::move(words))->wait();
}

Ended Sandboxed::run_bash(const std::string& command) const {
  return start_program({"/bin/bash", "-c", command})->wait();
}

fs::path program_directory() {
  return fs::path(RUNNER_BINARY).parent_path();
}

std::vector<pid_t> processes_with(std::string_view text) {
  std::vector<pid_t> found;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
    // Processes end while we look.
    const UniqueFd file(::open((entry.path() / "cmdline").c_str(), O_RDONLY | O_CLOEXEC));
    char buffer[4096];
    const ssize_t got = file ? ::read(file.get(), buffer, sizeof buffer) : 0;
    if (got > 0 &&
        std::string_view(buffer, static_cast<std::size_t>(got)).find(text) != std::string_view::npos) {
      found.push_back(std::atoi(name.c_str()));
    }
  }
  return found;
}

bool processes_end(std::string_view text) {
  constexpr int kMinute = 60'000;
  for (std::vector<pid_t> found = processes_with(text); !found.empty(); found = processes_with(text)) {
    for (const pid_t pid : found) {
      const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
      pollfd ended{process.get(), POLLIN, 0};
      if (process && ::poll(&ended, 1, kMinute) == 0) return false;
    }
  }
  return true;
}

}  // namespace runner::cli
