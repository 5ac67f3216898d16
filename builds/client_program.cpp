#include "builds/client_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::seconds kGrace{10};
constexpr std::size_t kTail = 64U << 10U;

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  all.reserve(words.size() + 1);
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

class Client {
 public:
  Client(const ClientCommand& command) : name_(command.argv.at(0)), output_(make_pipe()) {
    std::vector<std::string> argv = command.argv, environment;
    for (const auto& [name, value] : command.environment) environment.push_back(name + '=' + value);
    const auto words = pointers(argv), variables = pointers(environment);
    const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    Pipe trouble = make_pipe();
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("cannot start " + in_quotes(name_));
    if (pid_ == 0) become(words, variables, command.shared, nothing.get(), trouble.write.get(), parent);
    trouble.write.reset();
    output_.write.reset();
    int error = 0;
    ssize_t got = 0;
    do got = ::read(trouble.read.get(), &error, sizeof error);
    while (got < 0 && errno == EINTR);
    if (got == 0) return;
    wait();
    throw_errno(error, "cannot start " + in_quotes(name_));
  }
  ~Client() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  ClientEnd run(ClientOutput output, const std::stop_token& stop) {
    WakeUp stopped;
    const std::stop_callback on_stop(stop, [&] { stopped.signal(); });
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!process) throw_errno("cannot watch " + in_quotes(name_));
    std::array<pollfd, 3> watched = {
        {{output_.read.get(), POLLIN, 0}, {process.get(), POLLIN, 0}, {stopped.fd(), POLLIN, 0}}};
    Steady::time_point kill_at{};
    for (;;) {
      int left = -1;
      if (watched[2].fd < 0)
        left = static_cast<int>(std::max<std::int64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(kill_at - Steady::now()).count(), 0));
      const int ready = ::poll(watched.data(), watched.size(), left);
      if (ready < 0 && errno != EINTR) throw_errno("cannot wait for " + in_quotes(name_));
      if (ready == 0) ::kill(pid_, SIGKILL);
      if (ready <= 0) continue;
      if (watched[2].revents != 0) {
        watched[2].fd = -1;
        ::kill(pid_, SIGTERM);
        kill_at = Steady::now() + kGrace;
      }
      if (watched[0].revents != 0 && !take(output)) watched[0].fd = -1;
      // What it left in the pipe is read; a process of its that holds the pipe is not waited for.
      if (watched[1].revents != 0 && (watched[0].fd < 0 || watched[0].revents == 0)) break;
    }
    wait();
    if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
    end_.code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    return std::move(end_);
  }

 private:
  // In the child of a process with threads: nothing here may allocate.
  [[noreturn]] void become(const std::vector<char*>& words, const std::vector<char*>& variables,
                           const std::vector<int>& shared, int nothing, int trouble, pid_t parent) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    bool fine = ::dup2(nothing, STDIN_FILENO) >= 0 && ::dup2(output_.write.get(), STDOUT_FILENO) >= 0 &&
                ::dup2(output_.write.get(), STDERR_FILENO) >= 0;
    for (const int fd : shared) fine = fine && ::fcntl(fd, F_SETFD, 0) == 0;
    if (fine) ::execve(words[0], words.data(), variables.data());
    const int error = errno;
    static_cast<void>(::write(trouble, &error, sizeof error));
    ::_exit(127);
  }

  /// False at the end.
  bool take(ClientOutput output) {
    std::array<char, 16384> piece{};
    const ssize_t got = ::read(output_.read.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    const std::string_view text(piece.data(), static_cast<std::size_t>(got));
    if (output == ClientOutput::log) write_all(STDOUT_FILENO, text);
    end_.tail += text;
    if (end_.tail.size() > 2 * kTail) end_.tail.erase(0, end_.tail.size() - kTail);
    return true;
  }

  void wait() noexcept {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }

  std::string name_;
  Pipe output_;
  pid_t pid_ = -1;
  int status_ = 0;
  ClientEnd end_;
};

}  // namespace

ClientEnd run_client(const ClientCommand& command, ClientOutput output, const std::stop_token& stop) {
  return Client(command).run(output, stop);
}

MemoryFile::MemoryFile(std::string_view content) : fd_(::memfd_create("runner", MFD_CLOEXEC)) {
  if (!fd_) throw_errno("cannot make a file in memory");
  write_all(fd_.get(), content);
}

}  // namespace runner::builds
