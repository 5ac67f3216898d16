#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include "cache/workspace.h"
#include "executors/launcher.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/log_file.h"
#include "runner/base/open_files.h"
#include "runner/cli/commands.h"
#include "runner/cli/container_setup.h"
#include "runner/cli/environment.h"
#include "runner/cli/messages.h"
#include "runner/cli/serve_config.h"
#include "runner/cli/version.h"
#include "runner/cli/work_place.h"
#include "runner/daemon/config_containers.h"
#include "runner/daemon/config_keeper.h"
#include "runner/daemon/daemon.h"

extern "C" char** environ;

namespace runner::cli {
namespace {

/// Tells the service manager (sd_notify(3)): a datagram to $NOTIFY_SOCKET. Nobody there: nothing to tell.
void tell_manager(const char* message) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (*path != '/' && *path != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (*path == '@') address.sun_path[0] = '\0';
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  ::sendto(socket.get(), message, std::strlen(message), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), size);
}

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signo : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signo);
  return set;
}

/// Asks for the end when one of the signals comes; SIGHUP has the configuration read again. They are blocked
/// before any thread exists.
class EndBySignal {
 public:
  explicit EndBySignal(std::function<void()> on_hangup)
      : on_hangup_(std::move(on_hangup)),
        set_(ending_signals()),
        descriptor_(::signalfd(-1, &set_, SFD_CLOEXEC)) {
    if (!descriptor_) throw_errno("cannot wait for signals");
    thread_ = std::thread([this] { wait(); });
  }
  ~EndBySignal() {
    over_.signal();
    thread_.join();
  }
  EndBySignal(const EndBySignal&) = delete;
  EndBySignal& operator=(const EndBySignal&) = delete;
  std::stop_token token() const { return stop_.get_token(); }

 private:
  void wait() {
    pollfd watched[2] = {{descriptor_.get(), POLLIN, 0}, {over_.fd(), POLLIN, 0}};
    while (::poll(watched, 2, -1) < 0 || watched[1].revents == 0) {
      if (watched[0].revents == 0) continue;
      signalfd_siginfo info{};
      if (::read(descriptor_.get(), &info, sizeof info) != sizeof info) continue;
      if (info.ssi_signo == SIGHUP) {  // also of a terminal that goes away, which is no reason to end
        on_hangup_();
        continue;
      }
      log_info("daemon", std::string("ending on SIG") + ::sigabbrev_np(static_cast<int>(info.ssi_signo)) +
                             "; jobs go on");
      tell_manager("STOPPING=1");
      stop_.request_stop();
    }
  }

  const std::function<void()> on_hangup_;
  const sigset_t set_;
  const UniqueFd descriptor_;
  const WakeUp over_;
  std::stop_source stop_;
  std::thread thread_;
};

/// Null: standard error.
std::shared_ptr<LogFile> open_log(const ServeOptions& options) {
  daemon::set_log_level_by_name(options.log_level);
  set_log_format(options.json_log ? LogFormat::json : LogFormat::text);
  if (options.log_file.empty()) return nullptr;
  LogFileOptions file;
  file.path = std::filesystem::absolute(options.log_file);
  file.max_bytes = options.log_max_bytes;
  file.keep = options.log_keep;
  auto log = std::make_shared<LogFile>(std::move(file));
  set_log_file(log);
  return log;
}

/// Of the engine that the file names, or that is there.
engine::ContainerSettings containers_of(const std::optional<daemon::ConfigFile>& file, bool shell_only) {
  const daemon::ConfigContainers said = file ? file->server.containers : daemon::ConfigContainers();
  ContainerSetup setup = find_containers(said.engine);
  setup.settings.shell_only = shell_only;
  if (!setup.why_not.empty()) {
    if (!shell_only) log_warn("daemon", "no containers: " + setup.why_not);
  } else {
    log_info("daemon", "containers: " + setup.engine);
  }
  daemon::apply(said, setup.settings);
  return setup.settings;
}

}  // namespace

int run_serve(const ServeOptions& given) {
  ServeOptions options = given;
  ServeConfig config = load_serve_config(options);
  if (config.exit_code) return *config.exit_code;
  // First of all: it must be forked while this process is small and has one thread.
  const executors::Launcher launcher = executors::Launcher::start(daemon::job_main);
  const sigset_t ending = ending_signals();
  ::sigprocmask(SIG_BLOCK, &ending, nullptr);
  allow_many_open_files();
  const std::shared_ptr<LogFile> log = open_log(options);

  daemon::DaemonOptions served;
  served.data = std::filesystem::absolute(data_directory(options.data)).lexically_normal();
  make_directories(served.data, 0750);
  const cache::MountProbe probe = cache::recall_mount_mode(served.data / "work", mount_memory(served.data));
  if (!probe.why.empty()) log_warn("daemon", "workspaces are copied: " + probe.why);
  served.mount_mode = probe.mode;
  served.address = options.address;
  served.port = options.port;
  served.statuses.sender.server = options.url;
  if (!options.certificate.empty()) served.tls = http::TlsFiles{options.certificate, options.key};
  served.engine.capacity =
      options.parallel > 0 ? options.parallel : std::max<std::size_t>(4, std::thread::hardware_concurrency());
  if (config.file) served.engine.executor_capacity = config.file->server.executor_jobs;
  if (options.timeout) served.engine.default_timeout = *options.timeout;
  served.shell_only = options.shell_only;
  served.engine.containers = containers_of(config.file, options.shell_only);
  if (options.keep_logs) served.retention.logs = *options.keep_logs;
  served.base_environment = base_environment(environ);
  served.config = std::move(config.file);
  served.overridden = options.given;
  served.version = program_version();
  served.commit = program_commit();

  daemon::Daemon daemon(std::move(served), launcher);
  const EndBySignal signals([&] {
    if (log && !log->reopen()) log_warn("daemon", "cannot open the log file again; the old one is used");
    daemon.reload();
  });
  daemon.on_ready([&] {
    std::fprintf(stderr, "runner: serving on %s and %s\n", daemon.address().c_str(), daemon.socket().c_str());
    tell_manager("READY=1");
  });
  daemon.run(signals.token());
  return exit_success;
}

}  // namespace runner::cli
