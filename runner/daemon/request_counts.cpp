#include "runner/daemon/request_counts.h"

#include <algorithm>

namespace runner::daemon {
namespace {

constexpr const char* kOther = "other";
constexpr std::array<std::string_view, 7> kMethods{"DELETE", "GET",  "HEAD", "OPTIONS",
                                                   "PATCH",  "POST", "PUT"};

std::string_view method_of(const http::AccessRecord& record) {
  const auto* known = std::find(kMethods.begin(), kMethods.end(), record.method);
  return known == kMethods.end() ? kOther : *known;
}

}  // namespace

RequestCounts::RequestCounts(const std::vector<http::RouteInfo>& routes) {
  for (const http::RouteInfo& route : routes) routes_.try_emplace(route.pattern);
  routes_.try_emplace(kOther);
}

void RequestCounts::add(const http::AccessRecord& record) {
  auto route = routes_.find(record.route);
  if (route == routes_.end()) route = routes_.find(kOther);
  route->second.durations.add(record.duration);
  const Key key{route->first, method_of(record), record.status};
  auto found = counts_.find(key);
  if (found == counts_.end()) {
    const std::lock_guard lock(mutex_);
    found = counts_.try_emplace(key, 0).first;
  }
  found->second.fetch_add(1, std::memory_order_relaxed);
}

void RequestCounts::add_metrics(MetricsText& text) const {
  text.family("runner_http_requests_total", "counter",
              "Requests by route; code 0: the connection broke before an answer.");
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, count] : counts_) {
      const auto& [route, method, status] = key;
      text.sample(
          "runner_http_requests_total", static_cast<double>(count.load(std::memory_order_relaxed)),
          {{"route", std::string(route)}, {"method", std::string(method)}, {"code", std::to_string(status)}});
    }
  }
  text.family(
      "runner_http_request_duration_seconds", "histogram",
      "From the first byte of a request to the last of its answer; streams as long as they were followed.");
  for (const auto& [route, of_route] : routes_)
    text.samples("runner_http_request_duration_seconds", of_route.durations.counts(), {{"route", route}});
}

}  // namespace runner::daemon
