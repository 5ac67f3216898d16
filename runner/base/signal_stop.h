#pragma once
// Signals that ask a process of ours to end, as a stop token. For the processes that a job's step is.

#include <stop_token>
#include <thread>

namespace runner {

/// While it lives, SIGTERM, SIGINT and SIGHUP request a stop and do nothing else. Made while the process has
/// one thread; threads made later do not see these signals.
class SignalStop {
 public:
  SignalStop();
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::thread thread_;
};

}  // namespace runner
