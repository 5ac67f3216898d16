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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RUNNER_SANITIZED 1
#else
#define RUNNER_SANITIZED 0
#endif

namespace runner::executors {
namespace {

constexpr std::byte kLaunch{1};
constexpr std::byte kForkMain{2};

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
  // Sanitizers report on standard error; such a build keeps it.
  if (!RUNNER_SANITIZED) ::dup2(null_out, STDERR_FILENO);
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

[[noreturn]] void run_supervisor(int socket, int signals, UniqueFd memfd, UniqueFd channel) noexcept {
  ::prctl(PR_SET_NAME, "runner-step");
  ::close(socket);
  ::close(signals);
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

[[noreturn]] void run_forked_main(int socket, int signals, ForkedMain main,
                                  std::vector<UniqueFd> fds) noexcept {
  ::close(socket);
  ::close(signals);
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  main(std::move(fds));
  _exit(0);
}

void accept_launch(int socket, int signals, ForkedMain main) {
  std::byte command{};
  Received received = receive_message(socket, std::span(&command, 1));
  if (received.size == 0) _exit(0);  // the program has ended
  if (command == kForkMain && main != nullptr) {
    // Who asked sees that nobody holds the descriptors, should this fail.
    if (::fork() == 0) run_forked_main(socket, signals, main, std::move(received.fds));
    return;
  }
  if (command != kLaunch || received.fds.size() != 2) return;
  const pid_t child = ::fork();
  if (child == 0) run_supervisor(socket, signals, std::move(received.fds[0]), std::move(received.fds[1]));
  if (child < 0) {
    const Report report{Stage::internal, errno, 0};
    send_message(received.fds[1].get(), std::as_bytes(std::span(&report, 1)), {});
  }
}

[[noreturn]] void serve(int socket, ForkedMain main) {
  detach_from_caller(socket);
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  const int signals = ::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) _exit(1);
  pollfd watched[2] = {{socket, POLLIN, 0}, {signals, POLLIN, 0}};
  while (true) {
    if (::poll(watched, 2, -1) < 0) continue;
    if (watched[1].revents != 0) {
      signalfd_siginfo info{};
      while (::read(signals, &info, sizeof info) > 0) {
      }
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
    }
    if (watched[0].revents != 0) {
      try {
        accept_launch(socket, signals, main);
      } catch (const std::exception&) {
        _exit(1);  // callers see the closed socket
      }
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
  if (!send_message(socket_.get(), std::span(&kLaunch, 1), passed))
    throw Error(ErrorCode::unavailable, "the launcher process is gone; start the runner again");
  theirs.reset();
  Report report;
  Received received = receive_message(ours.get(), std::as_writable_bytes(std::span(&report, 1)));
  if (received.size != sizeof report)
    throw Error(ErrorCode::unavailable,
                "the supervisor ended before it could start '" + request.step_dir + "'");
  if (report.stage != Stage::started) throw_report(request, report);
  if (received.fds.size() != 1) throw Error(ErrorCode::internal, "the supervisor sent no process descriptor");
  return {std::move(ours), std::move(received.fds[0])};
}

void Launcher::fork_main(std::span<const int> fds) const {
  if (!send_message(socket_.get(), std::span(&kForkMain, 1), fds))
    throw Error(ErrorCode::unavailable, "the launcher process is gone; start the runner again");
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
