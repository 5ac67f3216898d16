#include "runner/cli/failure_shell.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

// How soon a terminal that was made larger is noticed in the shell.
constexpr int kLookMilliseconds = 250;
constexpr std::size_t kChunk = 16U << 10U;

/// The terminal passes on each key as it is, Ctrl-C too, until the end of this object.
class RawTerminal {
 public:
  RawTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) throw_errno("cannot read the terminal's settings");
    termios raw = before_;
    ::cfmakeraw(&raw);
    if (::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0) throw_errno("cannot set the terminal");
  }
  ~RawTerminal() { ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_); }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
};

/// Between this process's terminal and that of a shell.
class Relay {
 public:
  Relay(executors::TerminalSession& session, const std::stop_token& stop)
      : session_(session), woken_(stop, [this] { end_.signal(); }) {}

  void run() {
    for (;;) {
      follow_size();
      const bool may_write = !typed_.empty();
      std::array<pollfd, 3> wait{{{session_.fd(), static_cast<short>(POLLIN | (may_write ? POLLOUT : 0)), 0},
                                  {!may_write ? STDIN_FILENO : -1, POLLIN, 0},
                                  {end_.fd(), POLLIN, 0}}};
      if (::poll(wait.data(), wait.size(), kLookMilliseconds) < 0 && errno != EINTR)
        throw_errno("cannot wait for the shell");
      if (wait[2].revents != 0) return;
      if ((wait[0].revents & POLLOUT) != 0 && !pass_typed()) return;
      if ((wait[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !show()) return;
      if (wait[1].revents != 0 && !take_typed()) return;
    }
  }

 private:
  void follow_size() {
    winsize size{};
    if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return;
    if (size_ == std::pair(size.ws_row, size.ws_col)) return;
    size_ = {size.ws_row, size.ws_col};
    session_.resize(size.ws_row, size.ws_col);
  }

  /// False: the shell has ended.
  bool show() {
    const ssize_t got = ::read(session_.fd(), buffer_.data(), buffer_.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) return false;
    write_all(STDOUT_FILENO, std::string_view(buffer_.data(), static_cast<std::size_t>(got)));
    return true;
  }

  /// False: the person's terminal is gone.
  bool take_typed() {
    const ssize_t got = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) return false;
    typed_.assign(buffer_.data(), static_cast<std::size_t>(got));
    return true;
  }

  bool pass_typed() {
    // Little at a time: a terminal that is not read must not hold up the one that is shown.
    constexpr std::size_t kAtOnce = 256;
    const ssize_t put = ::write(session_.fd(), typed_.data(), std::min(typed_.size(), kAtOnce));
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (put < 0) return false;
    typed_.erase(0, static_cast<std::size_t>(put));
    return true;
  }

  executors::TerminalSession& session_;
  WakeUp end_;
  std::stop_callback<std::function<void()>> woken_;
  std::string typed_;
  std::optional<std::pair<unsigned short, unsigned short>> size_;
  std::array<char, kChunk> buffer_{};
};

void say(const std::string& text) {
  write_all(STDOUT_FILENO, text);
}

}  // namespace

std::string no_terminal_for_shell() {
  if (::isatty(STDIN_FILENO) == 0) return "standard input is no terminal";
  if (::isatty(STDOUT_FILENO) == 0) return "standard output is no terminal";
  return {};
}

void FailureShell::open(const engine::FailedJob& job) noexcept {
  const std::lock_guard lock(mutex_);
  if (job.stop.stop_requested()) return;
  presenter_.pause();
  try {
    say("\nrunner: job " + in_quotes(job.name) + " failed: " + job.why + "\n" + "runner: its log is in " +
        job.log.native() + "\n" +
        "runner: this is a shell where its script ran, with its files and its environment;\n" +
        "runner: 'exit' or Ctrl-D leaves it, and the run goes on\n");
    executors::StepSpec shell = job.shell;
    if (const char* term = std::getenv("TERM"); term != nullptr) shell.env.try_emplace("TERM", term);
    const auto session = job.sandbox.open_terminal(shell);
    if (session == nullptr) throw Error(ErrorCode::unavailable, "this job has no place for one");
    const RawTerminal raw;
    Relay(*session, job.stop).run();
  } catch (const std::exception& error) {
    try {
      say(std::string("\nrunner: no shell: ") + error.what() + "\n");
    } catch (const std::exception&) {
      // The terminal is gone; nobody is there to be told.
    }
  }
  try {
    say("\nrunner: going on\n");
  } catch (const std::exception&) {
    // As above.
  }
  presenter_.resume();
}

}  // namespace runner::cli
