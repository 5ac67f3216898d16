#include <csignal>
#include <exception>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "builds/build_log.h"
#include "builds/build_request.h"
#include "builds/image_build.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

namespace fs = std::filesystem;

sigset_t asking_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, each);
  return signals;
}

/// Turns what asks us to end into a stop. Made while there is one thread.
class SignalStop {
 public:
  SignalStop() {
    const sigset_t signals = asking_signals();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    thread_ = std::thread([this, signals] {
      int which = 0;
      while (::sigwait(&signals, &which) != 0) {
      }
      if (which != SIGUSR1) source_.request_stop();
    });
  }
  ~SignalStop() {
    ::pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::thread thread_;
};

BuildExit exit_for(const Error& error) {
  if (dynamic_cast<const BuildFailed*>(&error) != nullptr) return BuildExit::failed;
  switch (error.code()) {
    case ErrorCode::invalid_input:
    case ErrorCode::not_found:
    case ErrorCode::conflict:
      return BuildExit::invalid;
    case ErrorCode::cancelled:
      return BuildExit::cancelled;
    default:
      return BuildExit::machinery;
  }
}

BuildVerdict run(const fs::path& dir, const std::stop_token& stop) {
  try {
    const BuildRequest request = take_build_request(dir);
    const BuildOutputs outputs = build_image(request, dir, stop);
    write_build_outputs(dir, outputs);
    return {BuildExit::done, ""};
  } catch (const Error& error) {
    return {stop.stop_requested() ? BuildExit::cancelled : exit_for(error), error.what()};
  } catch (const std::exception& error) {
    return {stop.stop_requested() ? BuildExit::cancelled : BuildExit::machinery, error.what()};
  }
}

}  // namespace

int image_build_main(const char* dir) {
  const SignalStop stop;
  const BuildVerdict verdict = run(dir, stop.token());
  if (verdict.exit == BuildExit::done) return 0;
  try {
    write_build_verdict(dir, verdict);
    say(verdict.exit == BuildExit::cancelled ? "The build was cancelled" : "ERROR: " + to_utf8(verdict.why));
  } catch (const std::exception&) {
    // Nobody reads the log any more, or the disk is full: the code says it all the same.
  }
  return static_cast<int>(verdict.exit);
}

}  // namespace runner::builds
