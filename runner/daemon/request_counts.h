#pragma once
// Requests by route, method and status, and how long they took. The thread that answers requests counts
// without a lock, but for the first of each kind; any thread reads.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "runner/base/histogram.h"
#include "runner/daemon/metrics.h"
#include "runner/http/server.h"

namespace runner::daemon {

class RequestCounts {
 public:
  /// All that do not go to one of these count as one more route, "other"; methods that nobody knows likewise.
  explicit RequestCounts(const std::vector<http::RouteInfo>& routes);

  /// Always the same thread: the server's reactor.
  void add(const http::AccessRecord& record);
  /// runner_http_requests_total, runner_http_request_duration_seconds. Any thread.
  void add_metrics(MetricsText& text) const;

 private:
  struct OfRoute {
    Histogram durations{kShortTimes};
  };
  using Key = std::tuple<std::string_view, std::string_view, int>;  // route, method, status

  std::map<std::string, OfRoute, std::less<>> routes_;  // none comes or goes
  // Only add() puts something in, so that it alone may look without the lock.
  mutable std::mutex mutex_;
  std::map<Key, std::atomic<std::uint64_t>> counts_;
};

}  // namespace runner::daemon
