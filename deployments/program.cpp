#include "deployments/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::seconds kGrace{2};
constexpr std::size_t kLongestLine = 64U << 10U;

void set_non_blocking(int fd) {
  if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) throw_errno("cannot prepare a pipe");
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  all.reserve(words.size() + 1);
  for (std::string& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

/// What posix_spawn(3) is told; freed with it.
struct SpawnPlan {
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
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

/// Cuts a stream into lines.
class Lines {
 public:
  Lines(UniqueFd fd, const std::function<void(std::string_view)>& tell) : fd_(std::move(fd)), tell_(tell) {
    set_non_blocking(fd_.get());
  }
  int fd() const noexcept { return fd_.get(); }

  /// All that is there now.
  void take() {
    std::array<char, 16384> piece{};
    while (fd_) {
      const ssize_t got = ::read(fd_.get(), piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return fd_.reset();
      add(std::string_view(piece.data(), static_cast<std::size_t>(got)));
    }
  }
  /// What came without an end of line.
  void finish() {
    if (!kept_.empty() && tell_) tell_(kept_);
    kept_.clear();
  }

 private:
  void add(std::string_view text) {
    for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos;
         text.remove_prefix(end + 1)) {
      kept_ += text.substr(0, end);
      if (tell_) tell_(kept_);
      kept_.clear();
    }
    kept_ += text;
    if (kept_.size() >= kLongestLine) finish();
  }

  UniqueFd fd_;
  const std::function<void(std::string_view)>& tell_;
  std::string kept_;
};

class Program {
 public:
  explicit Program(const ProgramRequest& request) : request_(request), name_(request.argv.at(0)) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
      throw_errno("cannot make a socket for " + in_quotes(name_));
    input_.reset(pair[0]);
    const UniqueFd theirs(pair[1]);
    ::shutdown(theirs.get(), SHUT_WR);
    set_non_blocking(input_.get());
    Pipe output = make_pipe(), errors = make_pipe();
    spawn(theirs.get(), output.write.get(), errors.write.get());
    output_.emplace(std::move(output.read), request.on_output);
    errors_.emplace(std::move(errors.read), request.on_errors);
    process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!process_) {
      end_now();
      throw_errno("cannot watch " + in_quotes(name_));
    }
  }
  ~Program() { end_now(); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  ProgramEnd run(const std::stop_token& stop) {
    WakeUp stopped;
    const std::stop_callback on_stop(stop, [&] { stopped.signal(); });
    if (request_.timeout.count() > 0) deadline_ = Steady::now() + request_.timeout;
    bool ended = false, ending = false;
    while (!ended) {
      next_input();
      std::array<pollfd, 5> watched = {{{output_->fd(), POLLIN, 0},
                                        {errors_->fd(), POLLIN, 0},
                                        {process_.get(), POLLIN, 0},
                                        {piece_.empty() ? -1 : input_.get(), POLLOUT, 0},
                                        {ending ? -1 : stopped.fd(), POLLIN, 0}}};
      const int ready = ::poll(watched.data(), watched.size(), left());
      if (ready < 0 && errno != EINTR) throw_errno("cannot wait for " + in_quotes(name_));
      if (ready < 0) continue;
      ended = watched[2].revents != 0;
      if (watched[0].revents != 0 || ended) output_->take();
      if (watched[1].revents != 0 || ended) errors_->take();
      if (watched[3].revents != 0) put();
      const bool late = deadline_ && Steady::now() >= *deadline_;
      if (!late && (ending || watched[4].revents == 0)) continue;
      // The second time it did not end when asked to.
      ::kill(-pid_, ending ? SIGKILL : SIGTERM);
      end_.timed_out = end_.timed_out || (!ending && late);
      ending = true;
      deadline_ = Steady::now() + kGrace;
    }
    output_->finish();
    errors_->finish();
    if (ending) ::kill(-pid_, SIGKILL);  // before its number can be another's
    wait();
    if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
    end_.code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    return end_;
  }

 private:
  void spawn(int input, int output, int errors) {
    SpawnPlan plan;
    posix_spawn_file_actions_adddup2(&plan.actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&plan.actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&plan.actions, errors, STDERR_FILENO);
    const bool keeps = request_.kept_fd >= 0;
    if (keeps) posix_spawn_file_actions_adddup2(&plan.actions, request_.kept_fd, STDERR_FILENO + 1);
    posix_spawn_file_actions_addclosefrom_np(&plan.actions, STDERR_FILENO + (keeps ? 2 : 1));
    if (!request_.directory.empty())
      posix_spawn_file_actions_addchdir_np(&plan.actions, request_.directory.c_str());
    std::vector<std::string> argv = request_.argv, variables;
    if (request_.environment)
      for (const auto& [name, value] : *request_.environment) variables.push_back(name + '=' + value);
    const auto words = pointers(argv), theirs = pointers(variables);
    const int error = ::posix_spawnp(&pid_, words[0], &plan.actions, &plan.attributes, words.data(),
                                     request_.environment ? theirs.data() : environ);
    if (error == 0) return;
    pid_ = -1;
    throw_errno(error, "cannot start " + in_quotes(name_));
  }

  void next_input() {
    if (!piece_.empty() || !request_.input || no_more_) return;
    no_more_ = !request_.input(piece_);
    if (no_more_) piece_.clear();
  }

  void put() {
    const ssize_t put = ::send(input_.get(), piece_.data(), piece_.size(), MSG_NOSIGNAL);
    if (put >= 0) {
      piece_.erase(0, static_cast<std::size_t>(put));
    } else if (errno == EPIPE || errno == ECONNRESET) {  // why it reads no more, its end says
      piece_.clear();
      no_more_ = true;
    } else if (errno != EAGAIN && errno != EINTR) {
      throw_errno("cannot write to " + in_quotes(name_));
    }
  }

  int left() const {
    if (!deadline_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Steady::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  void wait() noexcept {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }
  void end_now() noexcept {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    wait();
  }

  const ProgramRequest& request_;
  std::string name_;
  UniqueFd input_, process_;
  std::optional<Lines> output_, errors_;
  std::string piece_;
  bool no_more_ = false;
  std::optional<Steady::time_point> deadline_;
  pid_t pid_ = -1;
  int status_ = 0;
  ProgramEnd end_;
};

}  // namespace

ProgramEnd run_program(const ProgramRequest& request, const std::stop_token& stop) {
  return Program(request).run(stop);
}

}  // namespace runner::deployments
