// The server alone, for tests that kill it: serve_program DATA
// [MILLISECONDS that commit statuses wait after a failure]. Ends on SIGTERM.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "executors/launcher.h"
#include "runner/daemon/daemon.h"

int main(int argc, char** argv) {
  using namespace runner;
  if (argc != 2 && argc != 3) return 2;
  try {
    const executors::Launcher launcher = executors::Launcher::start(daemon::job_main);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &term, nullptr);
    daemon::DaemonOptions options;
    options.data = argv[1];
    options.port = 0;
    if (argc == 3) {
      options.statuses.hold_back = std::chrono::milliseconds(0);
      options.statuses.sender.first_wait = options.statuses.sender.longest_wait =
          std::chrono::milliseconds(std::atoi(argv[2]));
    }
    options.base_environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/"}};
    daemon::Daemon daemon(options, launcher);
    std::stop_source stop;
    std::thread([&] {
      int signo = 0;
      ::sigwait(&term, &signo);
      stop.request_stop();
    }).detach();
    daemon.run(stop.get_token());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "serve_program: %s\n", error.what());
    return 3;
  }
}
