#pragma once
// How long a conversation with another process or machine may take. One thread at a time.

#include <chrono>
#include <stop_token>

namespace runner {

/// Of one conversation. 0: no limit.
struct Waits {
  std::chrono::milliseconds connect{30'000};   // look-up of the name, all addresses, TLS
  std::chrono::milliseconds stall{60'000};     // no byte came or went
  std::chrono::milliseconds total{3'600'000};  // for the whole
};

/// Only time that is waited counts against the stall limit, so that whoever is slow in taking what came is
/// not at fault.
class Patience {
 public:
  /// The whole begins now.
  Patience(const Waits& waits, std::stop_token stop);

  /// A wait begins, or a byte came or went.
  void restart() noexcept { moved_ = Steady::now(); }
  /// Milliseconds that may be waited now, at least 1 and at most a minute: ask again then. Throws
  /// Error{timeout} and Error{cancelled}.
  int left() const;
  const Waits& waits() const noexcept { return waits_; }
  const std::stop_token& stop() const noexcept { return stop_; }

 private:
  using Steady = std::chrono::steady_clock;
  Waits waits_;
  std::stop_token stop_;
  Steady::time_point begun_ = Steady::now(), moved_ = begun_;
};

}  // namespace runner
