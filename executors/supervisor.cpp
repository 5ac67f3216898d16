#include "executors/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "executors/channel.h"
#include "executors/command.h"
#include "executors/overlay.h"
#include "executors/process_tree.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"

namespace runner::executors {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Output is announced together when more comes within this time: a short step then wakes its reader once.
constexpr milliseconds kRingDelay{4};
// How long processes may go on after the command ended, when they still hold its output or have let go of it.
constexpr milliseconds kStragglers{1000};
constexpr milliseconds kDetachedStragglers{100};
constexpr milliseconds kKillAgain{50};
// A process that SIGKILL does not end hangs in the kernel (a dead network file system): not waited for
// longer.
constexpr milliseconds kGiveUp{10000};
// For a step whose runner was killed and that is not to outlive it.
constexpr milliseconds kOrphanedGrace{2000};
// Tries to write the end on a disk that is read-only, and the milliseconds between two: ten minutes.
constexpr int kEndTries = 3000, kBetweenEndTries = 200;
constexpr std::size_t kChunk = 64U << 10U;
constexpr std::size_t kMaxListeners = 4;

StepEnd decode_status(int status) {
  if (WIFSIGNALED(status)) return Signaled{WTERMSIG(status), WCOREDUMP(status) != 0};
  return Exited{WEXITSTATUS(status)};
}

class Supervisor {
 public:
  Supervisor(const LaunchRequest& request, UniqueFd channel) : request_(request), buffer_(kChunk) {
    runner_ = channel.get();
    listeners_.push_back(std::move(channel));
  }

  void run() {
    if (const Report report = start(); report.stage != Stage::started) return fail(report);
    if (request_.argv.empty()) return greet(listeners_.front());
    greet(listeners_.front());
    while (!finished()) turn();
    drain();
    write_end();
    // Now, not when the process ends: that is after its mount namespace is gone.
    listeners_.clear();
    control_.reset();
  }

 private:
  Report start() {
    ::setsid();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!request_.argv.empty()) open_files();
    if (request_.overlay)
      if (const Report report = mount_overlay(*request_.overlay); report.stage != Stage::started)
        return report;
    if (request_.argv.empty()) return {};
    if (::chdir(request_.cwd.c_str()) != 0) return {Stage::directory, errno, 0};
    Pipe output = make_pipe();
    const StartedCommand command = start_command(request_, output.write);
    output_ = std::move(output.read);
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    command_ = command.pid;
    return command.report;
  }

  // Before the mount, which may hide the directory.
  void open_files() {
    const UniqueFd dir(::open(request_.step_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir) throw_errno("cannot open '" + request_.step_dir + "'");
    spool_ = UniqueFd(::openat(dir.get(), kSpoolFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    end_ = UniqueFd(::openat(dir.get(), kEndFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!spool_ || !end_) throw_errno("cannot make files in '" + request_.step_dir + "'");
    std::string reserved = encode_end({});
    std::fill(reserved.begin(), reserved.end() - 1, ' ');
    if (::write(end_.get(), reserved.data(), reserved.size()) < 0) throw_errno("cannot write the end record");

    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // A path may be longer than a socket address.
    const std::string name = "/proc/self/fd/" + std::to_string(dir.get()) + "/" + kControlSocket;
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
    control_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!control_ ||
        ::bind(control_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(control_.get(), kMaxListeners) != 0)
      throw_errno("cannot make the control socket");

    sigset_t child_ended;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    signals_ = UniqueFd(::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) throw_errno("cannot make a signal descriptor");
  }

  void fail(const Report& report) {
    send_message(listeners_.front().get(), std::as_bytes(std::span(&report, 1)), {});
  }

  void greet(const UniqueFd& listener) {
    const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    const Report report{self ? Stage::started : Stage::internal, self ? 0 : errno, 0};
    const int fd = self.get();
    send_message(listener.get(), std::as_bytes(std::span(&report, 1)), std::span(&fd, self ? 1 : 0),
                 MSG_DONTWAIT);
  }

  bool finished() const { return (status_ && !has_children_) || Clock::now() >= give_up_at_; }

  void turn() {
    std::vector<pollfd> watched = {
        {signals_.get(), POLLIN, 0}, {control_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}};
    for (const UniqueFd& listener : listeners_) watched.push_back({listener.get(), POLLIN, 0});
    if (::poll(watched.data(), watched.size(), timeout()) < 0) return;
    if (watched[2].revents != 0) pump();
    if (watched[0].revents != 0) reap();
    for (std::size_t i = listeners_.size(); i-- > 0;)
      if (watched[3 + i].revents != 0) hear(i);
    if (watched[1].revents != 0) accept_listener();
    const auto now = Clock::now();
    if (now >= ring_at_) ring();
    if (now >= kill_at_) kill_all(now);
  }

  int timeout() const {
    const auto next = std::min({ring_at_, kill_at_, give_up_at_});
    if (next == Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  /// False when there is nothing to read now or ever.
  bool pump() {
    if (!output_) return false;
    const ssize_t got = ::read(output_.get(), buffer_.data(), buffer_.size());
    if (got < 0) return errno == EINTR;
    if (got == 0) {
      output_.reset();
      if (status_) kill_at_ = std::min(kill_at_, Clock::now() + kDetachedStragglers);
      return false;
    }
    if (static_cast<std::size_t>(got) == kChunk && !pipe_grown_) {
      constexpr int kBigPipe = 1 << 20;
      ::fcntl(output_.get(), F_SETPIPE_SZ, kBigPipe);  // refused beyond the user's limit: then it stays small
      pipe_grown_ = true;
    }
    store(buffer_.data(), static_cast<std::size_t>(got));
    return true;
  }

  // A full disk must not block the command: its output is read on, and how much was lost is recorded.
  void store(const char* bytes, std::size_t size) {
    if (ring_at_ == Clock::time_point::max()) ring_at_ = Clock::now() + kRingDelay;
    while (size > 0) {
      const ssize_t put = record_.spool_errno != 0 ? -1 : ::write(spool_.get(), bytes, size);
      if (put < 0 && record_.spool_errno == 0 && errno == EINTR) continue;
      if (put < 0) {
        if (record_.spool_errno == 0) record_.spool_errno = errno;
        record_.lost_bytes += size;
        return;
      }
      bytes += put;
      size -= static_cast<std::size_t>(put);
    }
  }

  void ring() {
    ring_at_ = Clock::time_point::max();
    constexpr std::byte kBell{1};
    for (std::size_t i = listeners_.size(); i-- > 0;)
      if (!send_message(listeners_[i].get(), std::span(&kBell, 1), {}, MSG_DONTWAIT) && errno != EAGAIN)
        forget(i);
  }

  void hear(std::size_t index) {
    StopCommand command;
    const ssize_t got = ::recv(listeners_[index].get(), &command, sizeof command, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return forget(index);
    if (got == sizeof command) stop(milliseconds(std::max<std::int64_t>(command.grace_ms, 0)));
  }

  void forget(std::size_t index) {
    if (listeners_[index].get() == runner_) {
      runner_ = -1;  // the number may be used again
      if (!request_.outlives_runner) stop(kOrphanedGrace);
    }
    listeners_.erase(listeners_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  void accept_listener() {
    UniqueFd listener(::accept4(control_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!listener) return;
    if (listeners_.size() >= kMaxListeners) forget(1);
    greet(listener);
    listeners_.push_back(std::move(listener));
  }

  void stop(milliseconds grace) {
    constexpr milliseconds kLongest = std::chrono::hours(24);
    kill_at_ = std::min(kill_at_, Clock::now() + std::min(grace, kLongest));
    if (!status_ && !stopped_) {
      stopped_ = true;
      if (grace.count() > 0) terminate_descendants(command_);
    }
  }

  void kill_all(Clock::time_point now) {
    kill_at_ = now + kKillAgain;
    if (give_up_at_ == Clock::time_point::max()) give_up_at_ = now + kGiveUp;
    kill_descendants();
    reap();
  }

  void reap() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) > 0) {
    }
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid != command_) continue;
      status_ = status;
      kill_at_ = std::min(kill_at_, Clock::now() + (output_ ? kStragglers : kDetachedStragglers));
    }
    has_children_ = pid == 0;
  }

  // Everyone who could write has ended (or was given up), so what is in the pipe now is all there is.
  void drain() {
    while (pump()) {
    }
  }

  void write_end() {
    if (stopped_) {
      record_.end = Stopped{};
    } else {
      record_.end = status_ ? decode_status(*status_) : StepEnd{Signaled{SIGKILL, false}};
    }
    const std::string text = encode_end(record_);
    // The room is reserved, so that a full disk takes it; one that cannot be written for a while is waited
    // for. A failure leaves the record empty, and the runner reports the step as lost.
    for (int tries = 0; ::pwrite(end_.get(), text.data(), text.size(), 0) < 0; ++tries) {
      if (errno != EINTR && (errno != EROFS || tries == kEndTries)) return;
      if (errno == EROFS) ::poll(nullptr, 0, kBetweenEndTries);
    }
  }

  const LaunchRequest& request_;
  std::vector<char> buffer_;
  std::vector<UniqueFd> listeners_;
  UniqueFd spool_, end_, control_, signals_, output_;
  int runner_ = -1;  // the listener that launched us, while it is one
  pid_t command_ = -1;
  std::optional<int> status_;
  bool has_children_ = true;
  bool stopped_ = false;
  bool pipe_grown_ = false;
  Clock::time_point ring_at_ = Clock::time_point::max();
  Clock::time_point kill_at_ = Clock::time_point::max();
  Clock::time_point give_up_at_ = Clock::time_point::max();
  EndRecord record_;
};

}  // namespace

void supervise(const LaunchRequest& request, UniqueFd channel) noexcept {
  const int channel_fd = channel.get();
  try {
    // Not destroyed: the kernel closes everything at once.
    auto* supervisor = new Supervisor(request, std::move(channel));
    supervisor->run();
    ::_exit(0);
  } catch (const Error& error) {
    const Report report{Stage::internal, error.system().value(), 0};
    send_message(channel_fd, std::as_bytes(std::span(&report, 1)), {}, MSG_DONTWAIT);
  } catch (const std::exception&) {
    const Report report{Stage::internal, ENOMEM, 0};
    send_message(channel_fd, std::as_bytes(std::span(&report, 1)), {}, MSG_DONTWAIT);
  }
  ::_exit(1);
}

}  // namespace runner::executors
