#include "runner/git/ssh_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stop_token>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::git {
namespace {

constexpr std::size_t kMostSaid = 8192;

void set_non_blocking(int fd) {
  if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) throw_errno("cannot prepare a pipe");
}

/// What posix_spawn(3) is told; freed with it.
struct SpawnPlan {
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipe);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

}  // namespace

SshProcess::SshProcess(const std::vector<std::string>& argv, Patience& patience) : patience_(patience) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    throw_errno("cannot make a socket for ssh");
  socket_.reset(pair[0]);
  const UniqueFd theirs(pair[1]);
  Pipe errors = make_pipe();
  set_non_blocking(socket_.get());
  set_non_blocking(errors.read.get());
  const SpawnPlan plan;
  auto* actions = const_cast<posix_spawn_file_actions_t*>(&plan.actions);
  posix_spawn_file_actions_adddup2(actions, theirs.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(actions, theirs.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(actions, errors.write.get(), STDERR_FILENO);
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int error = ::posix_spawnp(&pid_, words[0], &plan.actions, &plan.attributes, words.data(), environ);
  if (error != 0) {
    pid_ = -1;
    if (error == ENOENT)
      throw Error(ErrorCode::invalid_input,
                  "there is no program " + in_quotes(argv[0]) + "; install openssh-client");
    throw_errno(error, "cannot start " + in_quotes(argv[0]));
  }
  errors_ = std::move(errors.read);
}

SshProcess::~SshProcess() {
  end();
}

void SshProcess::end() noexcept {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);  // its session: a command of a proxy too
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void SshProcess::take_said() {
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t got = ::read(errors_.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return errors_.reset();
    said_.append(part.data(), static_cast<std::size_t>(got));
    if (said_.size() > kMostSaid) said_.erase(0, said_.size() - kMostSaid);
  }
}

void SshProcess::wait_for(short events) {
  const std::stop_callback on_stop(patience_.stop(), [this] { stopped_.signal(); });
  for (;;) {
    std::array<pollfd, 3> watched = {
        {{socket_.get(), events, 0}, {errors_.get(), POLLIN, 0}, {stopped_.fd(), POLLIN, 0}}};
    const int ready = ::poll(watched.data(), watched.size(), patience_.left());
    if (ready < 0 && errno != EINTR) throw_errno("cannot wait for ssh");
    if (ready <= 0) continue;
    if (watched[1].revents != 0) take_said();
    if (watched[0].revents != 0) return;
  }
}

void SshProcess::write_all(std::string_view bytes) {
  patience_.restart();
  while (!bytes.empty()) {
    const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
      patience_.restart();
    } else if (errno == EAGAIN) {
      wait_for(POLLOUT);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return;
    } else if (errno != EINTR) {
      throw_errno("cannot write to ssh");
    }
  }
}

std::size_t SshProcess::read_some(char* buffer, std::size_t size) {
  patience_.restart();
  for (;;) {
    const ssize_t got = ::read(socket_.get(), buffer, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == ECONNRESET) return 0;  // it ended without reading all that we wrote
    if (errno == EAGAIN) {
      wait_for(POLLIN);
    } else if (errno != EINTR) {
      throw_errno("cannot read from ssh");
    }
  }
}

int SshProcess::wait_status() {
  if (pid_ > 0) {
    // It closed its output; what it says of that may still come.
    patience_.restart();
    const std::stop_callback on_stop(patience_.stop(), [this] { stopped_.signal(); });
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!process) throw_errno("cannot watch ssh");
    for (bool ended = false; !ended;) {
      std::array<pollfd, 3> watched = {
          {{process.get(), POLLIN, 0}, {errors_.get(), POLLIN, 0}, {stopped_.fd(), POLLIN, 0}}};
      const int ready = ::poll(watched.data(), watched.size(), patience_.left());
      if (ready < 0 && errno != EINTR) throw_errno("cannot wait for ssh");
      if (ready <= 0) continue;
      if (errors_) take_said();
      ended = watched[0].revents != 0;
    }
    if (errors_) take_said();
    end();
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

}  // namespace runner::git
