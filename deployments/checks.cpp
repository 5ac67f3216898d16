#include "deployments/checks.h"

#include <cstdio>
#include <optional>

namespace runner::deployments {
namespace {

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::optional<double> value_of(const std::string& metric, const Traffic& traffic) {
  if (traffic.requests == 0) return std::nullopt;
  if (metric == "http_5xx_ratio")
    return static_cast<double>(traffic.errors) / static_cast<double>(traffic.requests);
  if (metric == "http_mean_seconds" && traffic.mean_seconds > 0) return traffic.mean_seconds;
  return std::nullopt;
}

Look judge_one(const pipelines::CanaryCheck& check, const Traffic& candidate, const Traffic& stable) {
  const Traffic& of = check.of == "stable" ? stable : candidate;
  if (of.requests < static_cast<std::uint64_t>(std::max(check.min_samples, 0)))
    return {Verdict::unknown, check.name + ": " + std::to_string(of.requests) + " of " +
                                  std::to_string(check.min_samples) + " samples"};
  const auto value = value_of(check.metric, of);
  if (!value) return {Verdict::unknown, check.name + ": no data"};
  if (check.max && *value > *check.max)
    return {Verdict::fail, check.name + ": " + check.metric + " is " + rounded(*value) + ", at most " +
                               rounded(*check.max) + " is allowed"};
  if (check.ratio) {
    const auto other = value_of(check.metric, check.max_ratio_to == "stable" ? stable : candidate);
    if (!other) return {Verdict::unknown, check.name + ": no data to compare with"};
    if (*value > *other * *check.ratio)
      return {Verdict::fail, check.name + ": " + check.metric + " is " + rounded(*value) + ", " +
                                 rounded(*check.ratio) + " times that of " + check.max_ratio_to + " (" +
                                 rounded(*other) + ") is allowed"};
  }
  return {Verdict::pass, {}};
}

}  // namespace

Traffic traffic_between(const std::map<Place, ServerCounters>& before,
                        const std::map<Place, ServerCounters>& after) {
  Traffic traffic;
  double time = 0;
  std::uint64_t timed = 0;
  for (const auto& [place, now] : after) {
    const auto found = before.find(place);
    const bool anew = found == before.end() || found->second.requests > now.requests ||
                      found->second.server_errors > now.server_errors;
    const std::uint64_t requests = now.requests - (anew ? 0 : found->second.requests);
    traffic.requests += requests;
    traffic.errors += now.server_errors - (anew ? 0 : found->second.server_errors);
    if (now.recent_seconds > 0 && requests > 0) {
      time += now.recent_seconds * static_cast<double>(requests);
      timed += requests;
    }
  }
  if (timed > 0) traffic.mean_seconds = time / static_cast<double>(timed);
  return traffic;
}

Look judge(const std::vector<pipelines::CanaryCheck>& checks, const Traffic& candidate,
           const Traffic& stable) {
  Look worst{Verdict::pass, {}};
  for (const pipelines::CanaryCheck& check : checks) {
    Look look = judge_one(check, candidate, stable);
    if (look.verdict == Verdict::fail) return look;
    if (look.verdict == Verdict::unknown && worst.verdict == Verdict::pass) worst = std::move(look);
  }
  return worst;
}

}  // namespace runner::deployments
