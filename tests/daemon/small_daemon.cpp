#include "tests/daemon/small_daemon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <regex>
#include <thread>

#include "runner/base/text.h"

namespace runner::test {

namespace fs = std::filesystem;

namespace {

/// "" when the process is gone.
std::string of_process(const fs::path& file) {
  try {
    return read_file(file).value_or("");
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

SmallDaemon::SmallDaemon(std::string_view pipeline) {
  write_file_atomic(directory() / "ci.yml", pipeline);
  make_directories(directory() / "source");
  make_directories(directory() / "ran");
}

SmallDaemon::~SmallDaemon() {
  for (const pid_t pid : processes()) ::kill(pid, SIGKILL);
}

pid_t SmallDaemon::start(const std::string& failpoint) const {
  const std::string variable = "RUNNER_FAILPOINT=" + failpoint;
  const std::string out = (directory() / "out").native(), err = (directory() / "err").native();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
    if (!failpoint.empty()) ::putenv(const_cast<char*>(variable.c_str()));
    ::execl(SMALL_DAEMON, SMALL_DAEMON, directory().c_str(), nullptr);
    ::_exit(127);
  }
  return pid;
}

int SmallDaemon::wait(pid_t pid) const {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string SmallDaemon::summary() const {
  return read_file(directory() / "out").value_or("");
}

std::map<std::string, int> SmallDaemon::runs() const {
  std::map<std::string, int> runs;
  for (const auto& entry : fs::directory_iterator(directory() / "ran")) {
    const std::string text = read_file(entry.path()).value_or("");
    runs[entry.path().filename()] = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }
  return runs;
}

std::vector<std::string> SmallDaemon::logs() const {
  std::map<std::string, std::string> by_name;
  // Ids of retries may differ: their blocks are taken anew by each engine.
  static const std::regex section("section_(start|end):[0-9]+");
  for (const auto& entry : fs::recursive_directory_iterator(directory() / "data" / "logs")) {
    if (entry.path().extension() != ".log") continue;
    const auto number = parse_integer(entry.path().stem().native());
    by_name[std::string(8 - std::min<std::size_t>(8, entry.path().stem().native().size()), '0') +
            std::to_string(number.value_or(0))] =
        std::regex_replace(read_file(entry.path()).value_or(""), section, "section_$1");
  }
  std::vector<std::string> logs;
  for (auto& [name, text] : by_name) logs.push_back(std::move(text));
  return logs;
}

std::vector<pid_t> SmallDaemon::processes() const {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = parse_integer(entry.path().filename().native());
    if (!pid || *pid == ::getpid()) continue;
    const std::string command = of_process(entry.path() / "cmdline");
    const std::string environment = of_process(entry.path() / "environ");
    if ((command + environment).find(directory().native()) != std::string::npos)
      found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

std::vector<std::string> SmallDaemon::leftovers() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::vector<pid_t> living = processes();
  while (!living.empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    living = processes();
  }
  std::vector<std::string> left;
  for (const pid_t pid : living) left.push_back("process " + std::to_string(pid));
  for (const char* place : {"jobs", "work", "layers/drafts"}) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(directory() / "data" / place, none))
      left.push_back(entry.path().native());
  }
  return left;
}

}  // namespace runner::test
