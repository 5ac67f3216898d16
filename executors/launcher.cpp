#include "executors/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "executors/channel.h"
#include "executors/launch_request.h"
#include "executors/supervisor.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

constexpr std::byte kLaunch{1};
constexpr std::byte kForkMain{2};

// A process that is forked for later is not to slow down what begins now: milliseconds until it is. When a
// process has ended, there is time.
constexpr int kBeforeSpare = 100;

constexpr std::size_t kLaunchFds = 2;  // the request, the channel

// The helper must not keep a terminal, a pipe of the caller or a directory busy.
void detach_from_caller(int keep) {
  ::prctl(PR_SET_NAME, "runner-launch");
  ::setsid();
  // What a killed supervisor leaves comes to us and is reaped; the first process of a container may not do
  // that.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  for (int signo = 1; signo < SIGRTMIN; ++signo) {
    if (signo != SIGKILL && signo != SIGSTOP) ::signal(signo, SIG_DFL);
  }
  const int null_in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int null_out = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null_in < 0 || null_out < 0 || ::chdir("/") != 0) _exit(1);
  ::dup2(null_in, STDIN_FILENO);
  ::dup2(null_out, STDOUT_FILENO);
  ::dup2(null_out, STDERR_FILENO);  // what sanitizers find, tests have them write into files
  if (keep > 3) ::close_range(3, static_cast<unsigned>(keep) - 1, 0);
  ::close_range(static_cast<unsigned>(keep) + 1, ~0U, 0);
}

LaunchRequest read_request(int memfd) {
  struct stat info {};
  if (::fstat(memfd, &info) != 0) throw_errno("cannot read the launch request");
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::pread(memfd, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw_errno("cannot read the launch request");
    have += static_cast<std::size_t>(got);
  }
  return decode_launch_request(bytes);
}

[[noreturn]] void run_supervisor(UniqueFd memfd, UniqueFd channel) noexcept {
  ::prctl(PR_SET_NAME, "runner-step");
  try {
    LaunchRequest request = read_request(memfd.get());
    memfd.reset();
    supervise(request, std::move(channel));
  } catch (const std::exception&) {
    const Report report{Stage::internal, errno, 0};
    send_message(channel.get(), std::as_bytes(std::span(&report, 1)), {});
    _exit(1);
  }
}

/// What the helper works with; a child has none of it.
struct Helper {
  int socket = -1, signals = -1;
  ForkedMain main = nullptr;
  UniqueFd spare;  // to the process that waits for work; it ends when this is closed

  void leave() noexcept {
    ::close(socket);
    ::close(signals);
    spare.reset();
  }
};

[[noreturn]] void run_forked_main(Helper& helper, const AwaitWork& next) noexcept {
  helper.leave();
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  helper.main(next);
  _exit(0);
}

/// What a child is for: the caller's main when it has one, else a supervisor.
[[noreturn]] void run_child(Helper& helper, const AwaitWork& next) noexcept {
  if (helper.main != nullptr) run_forked_main(helper, next);
  helper.leave();
  try {
    std::vector<UniqueFd> fds = next();
    if (fds.size() == kLaunchFds) run_supervisor(std::move(fds[0]), std::move(fds[1]));
    _exit(0);
  } catch (const std::exception&) {
    _exit(1);  // the helper sees its end, and does without
  }
}

/// Forked now for what comes next: by then it has gone through what a fork costs. Without one, a child is
/// forked when there is work: later, and no worse.
void make_spare(Helper& helper) {
  auto [ours, theirs] = make_channel();
  const pid_t child = ::fork();
  if (child == 0) {
    ours.reset();
    run_child(helper, [channel = theirs.get()] {
      std::byte word{};
      return receive_message(channel, std::span(&word, 1)).fds;
    });
  }
  if (child > 0) helper.spare = std::move(ours);
}

void accept_launch(Helper& helper) {
  std::byte command{};
  Received received = receive_message(helper.socket, std::span(&command, 1));
  if (received.size == 0) _exit(0);  // the program has ended
  std::vector<UniqueFd>& fds = received.fds;
  const bool launches = command == kLaunch;
  if (launches && (fds.size() != kLaunchFds)) return;
  if (!launches && helper.main == nullptr) return;
  if (launches == (helper.main == nullptr)) {
    std::vector<int> passed;
    passed.reserve(fds.size());
    for (const UniqueFd& fd : fds) passed.push_back(fd.get());
    const UniqueFd spare = std::move(helper.spare);
    if (spare && send_message(spare.get(), std::span(&command, 1), passed)) return;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    if (launches) helper.main = nullptr;
    run_child(helper, [&fds] { return std::move(fds); });
  }
  // Who asked for a main sees that nobody holds the descriptors.
  if (child < 0 && launches) {
    const Report report{Stage::internal, errno, 0};
    send_message(fds[1].get(), std::as_bytes(std::span(&report, 1)), {});
  }
}

[[noreturn]] void serve(int socket, ForkedMain main) {
  detach_from_caller(socket);
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  Helper helper;
  helper.socket = socket;
  helper.main = main;
  helper.signals = ::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  if (helper.signals < 0) _exit(1);
  try {
    make_spare(helper);
  } catch (const std::exception&) {
    _exit(1);
  }
  pollfd watched[2] = {{socket, POLLIN, 0}, {helper.signals, POLLIN, 0}};
  while (true) {
    try {
      const int ready = ::poll(watched, 2, helper.spare ? -1 : kBeforeSpare);
      if (ready == 0) make_spare(helper);
      if (ready <= 0) continue;
      if (watched[1].revents != 0) {
        signalfd_siginfo info{};
        while (::read(helper.signals, &info, sizeof info) > 0) {
        }
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        if (!helper.spare && watched[0].revents == 0) make_spare(helper);
      }
      if (watched[0].revents != 0) accept_launch(helper);
    } catch (const std::exception&) {
      _exit(1);  // callers see the closed socket
    }
  }
}

std::string overlay_part(const OverlayMount& overlay, std::uint32_t index) {
  if (index < overlay.lowers.size()) return overlay.lowers[index].native();
  return index == overlay.lowers.size() ? overlay.upper.native() : overlay.work.native();
}

[[noreturn]] void throw_report(const LaunchRequest& request, const Report& report) {
  const std::string reason = std::strerror(report.error);
  switch (report.stage) {
    case Stage::directory:
      throw Error(ErrorCode::invalid_input, "cannot enter the directory '" + request.cwd + "': " + reason);
    case Stage::execute:
      if (report.error == ENOENT)
        throw Error(ErrorCode::invalid_input, "command '" + request.argv[0] + "' not found");
      throw Error(ErrorCode::invalid_input, "cannot execute '" + request.argv[0] + "': " + reason);
    case Stage::name_space:
      throw_errno(report.error, "cannot make a mount namespace");
    case Stage::layer:
      throw_errno(report.error,
                  "cannot open the layer '" + overlay_part(*request.overlay, report.index) + "'");
    case Stage::mount:
      throw_errno(report.error, "cannot mount the workspace over '" + request.overlay->target.native() + "'");
    case Stage::started:
    case Stage::internal:
      break;
  }
  throw_errno(report.error, "cannot start the supervisor of '" + request.step_dir + "'");
}

/// Whether the other end is closed. One that was killed a moment ago may be about to close it.
bool is_gone(int socket) {
  constexpr int kMoment = 200;  // milliseconds
  pollfd watched{socket, POLLRDHUP, 0};
  return ::poll(&watched, 1, kMoment) > 0 && (watched.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

[[noreturn]] void throw_gone() {
  throw Error(ErrorCode::unavailable, "the launcher process is gone; start the runner again");
}

UniqueFd request_in_memory(const LaunchRequest& request) {
  UniqueFd memfd(::memfd_create("runner-step", MFD_CLOEXEC));
  if (!memfd) throw_errno("cannot make a memory file");
  write_all(memfd.get(), encode(request));
  return memfd;
}

}  // namespace

Launcher Launcher::start(ForkedMain main) {
  auto [ours, theirs] = make_channel();
  const pid_t helper = ::fork();
  if (helper < 0) throw_errno("cannot fork the launcher");
  if (helper == 0) {
    ours.reset();
    serve(theirs.release(), main);
  }
  return Launcher(std::move(ours), helper);
}

Launcher::~Launcher() {
  if (!socket_) return;
  socket_.reset();
  while (::waitpid(helper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

LaunchedStep Launcher::launch(const LaunchRequest& request) const {
  const UniqueFd memfd = request_in_memory(request);
  auto [ours, theirs] = make_channel();
  const int passed[] = {memfd.get(), theirs.get()};
  if (!send_message(socket_.get(), std::span(&kLaunch, 1), passed)) throw_gone();
  theirs.reset();
  Report report;
  Received received = receive_message(ours.get(), std::as_writable_bytes(std::span(&report, 1)));
  if (received.size != sizeof report) {
    if (is_gone(socket_.get())) throw_gone();
    throw Error(ErrorCode::unavailable,
                "the supervisor ended before it could start '" + request.step_dir + "'");
  }
  if (report.stage != Stage::started) throw_report(request, report);
  if (received.fds.size() != 1) throw Error(ErrorCode::internal, "the supervisor sent no process descriptor");
  return {std::move(ours), std::move(received.fds[0])};
}

void Launcher::fork_main(std::span<const int> fds) const {
  if (!send_message(socket_.get(), std::span(&kForkMain, 1), fds)) throw_gone();
}

std::optional<std::string> Launcher::try_overlay(const OverlayMount& mount) const {
  LaunchRequest request;
  request.step_dir = mount.work.native();
  request.overlay = mount;
  try {
    const LaunchedStep step = launch(request);
    pollfd ended{step.pidfd.get(), POLLIN, 0};
    while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
    return std::nullopt;
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace runner::executors
