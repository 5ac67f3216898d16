#pragma once
// When something is tried again. Internal to this folder; one thread for each object.

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

#include "registry/client_options.h"
#include "runner/base/clock.h"
#include "runner/base/error.h"

namespace runner::registry {

/// An answer that says "not now".
class Temporary : public Error {
 public:
  Temporary(std::string message, std::chrono::milliseconds retry_after)
      : Error(ErrorCode::unavailable, std::move(message)), retry_after_(retry_after) {}
  std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }

 private:
  std::chrono::milliseconds retry_after_;
};

/// How long to wait after so many failures, at least 1: twice as long each time, by `chance` (0 to 1) down to
/// the half of it, and never less than what the server asked for. Pure.
std::chrono::milliseconds back_off(const RetryLimits& limits, int failures,
                                   std::chrono::milliseconds retry_after, double chance);

/// The attempts of one operation.
class Retry {
 public:
  Retry(const ClientOptions& options, const Clock& clock, std::stop_token stop);

  /// Something was done that need not be done again: failures are counted anew. Whoever calls it sees to it
  /// that this happens a bounded number of times.
  void progress();
  /// Waits for the next attempt, or throws: `error` when it is not one that goes away, or when it was tried
  /// often or long enough.
  void after(const Error& error, std::chrono::milliseconds retry_after = {});
  const std::stop_token& stop() const noexcept { return stop_; }

 private:
  const ClientOptions& options_;
  const Clock& clock_;
  std::stop_token stop_;
  SteadyPoint since_;
  int failures_ = 0;
};

/// What `body` gives once it does not fail.
template <typename Body>
auto with_retries(Retry& retry, Body body) {
  for (;;) {
    try {
      return body();
    } catch (const Temporary& error) {
      retry.after(error, error.retry_after());
    } catch (const Error& error) {
      retry.after(error);
    }
  }
}

}  // namespace runner::registry
