#include "runner/base/signal_stop.h"

#include <csignal>

namespace runner {
namespace {

// SIGUSR1 is our own: it ends the thread that waits.
sigset_t asking_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, each);
  return signals;
}

}  // namespace

SignalStop::SignalStop() {
  const sigset_t signals = asking_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this, signals] {
    int which = 0;
    while (::sigwait(&signals, &which) != 0) {
    }
    if (which != SIGUSR1) source_.request_stop();
  });
}

SignalStop::~SignalStop() {
  ::pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

}  // namespace runner
