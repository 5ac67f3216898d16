#include "runner/base/patience.h"

#include <algorithm>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner {

using std::chrono::milliseconds;

Patience::Patience(const Waits& waits, std::stop_token stop) : waits_(waits), stop_(std::move(stop)) {}

int Patience::left() const {
  if (stop_.stop_requested()) throw Error(ErrorCode::cancelled, "it was stopped");
  // Differences are compared, so that the longest limit overflows nothing.
  const Steady::time_point now = Steady::now();
  milliseconds most{60'000};
  if (waits_.total.count() != 0) {
    const auto whole = std::chrono::duration_cast<milliseconds>(now - begun_);
    if (whole >= waits_.total) {
      throw Error(ErrorCode::timeout, "it took longer than " + format_duration(waits_.total) +
                                          ", the limit for the whole; look at the network and the server's "
                                          "load, or raise the limit");
    }
    most = std::min(most, waits_.total - whole);
  }
  if (waits_.stall.count() != 0) {
    const auto silent = std::chrono::duration_cast<milliseconds>(now - moved_);
    if (silent >= waits_.stall) {
      throw Error(ErrorCode::timeout, "the server sent nothing within " + format_duration(waits_.stall) +
                                          "; look at the network and the server's load, or raise the limit");
    }
    most = std::min(most, waits_.stall - silent);
  }
  return static_cast<int>(most.count()) + 1;
}

}  // namespace runner
