#pragma once
// What asks the process that follows a container to end, passed on to the container.

#include <sys/types.h>

#include <atomic>
#include <string>
#include <thread>

#include "executors/containers/engine_api.h"
#include "runner/base/fd.h"

namespace runner::executors {

/// SIGTERM, SIGINT and SIGHUP are blocked from its making on, and taken by a thread of its own; so is the end
/// of the process `ends_with`, with which the container is to end (0: none). Made while there is one thread.
class SignalRelay {
 public:
  /// `api` outlives it. Throws Error.
  SignalRelay(const EngineApi& api, const std::string& container, pid_t ends_with);
  ~SignalRelay();
  SignalRelay(const SignalRelay&) = delete;
  SignalRelay& operator=(const SignalRelay&) = delete;

  /// From now on there is something to pass signals on to.
  void container_started();

 private:
  void run();
  void ask();
  void ask_all() noexcept;
  void end_orphaned();
  void pass_on(const char* signal) noexcept;

  const EngineApi& api_;
  const std::string path_;
  UniqueFd signals_, runner_;
  WakeUp end_;
  bool orphaned_ = false;
  std::atomic<bool> started_ = false, asked_ = false;
  std::thread thread_;
};

}  // namespace runner::executors
