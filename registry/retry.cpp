#include "registry/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <utility>

#include "runner/base/text.h"

namespace runner::registry {
namespace {

using std::chrono::milliseconds;

void sleep_for(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
}

double draw() {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(engine);
}

}  // namespace

milliseconds back_off(const RetryLimits& limits, int failures, milliseconds retry_after, double chance) {
  constexpr int kMostDoubled = 20;
  const milliseconds whole =
      std::min(limits.longest, limits.first * (1L << std::clamp(failures - 1, 0, kMostDoubled)));
  const auto part = static_cast<double>(whole.count()) * (0.5 + std::clamp(chance, 0.0, 1.0) / 2);
  return std::max(retry_after, milliseconds(static_cast<std::int64_t>(part)));
}

Retry::Retry(const ClientOptions& options, const Clock& clock, std::stop_token stop)
    : options_(options), clock_(clock), stop_(std::move(stop)), since_(clock.steady_now()) {}

void Retry::progress() {
  failures_ = 0;
  since_ = clock_.steady_now();
}

void Retry::after(const Error& error, milliseconds retry_after) {
  const bool goes_away = error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timeout;
  if (!goes_away) throw error;
  const RetryLimits& limits = options_.retries;
  ++failures_;
  const milliseconds wait =
      back_off(limits, failures_, retry_after, options_.chance ? options_.chance() : draw());
  const auto gone = std::chrono::duration_cast<milliseconds>(clock_.steady_now() - since_);
  if (failures_ >= limits.attempts || gone + wait > limits.total) {
    std::string text = error.what();
    if (failures_ > 1)
      text += "; it was tried " + std::to_string(failures_) + " times within " + format_duration(gone);
    if (retry_after > limits.total - gone)
      text += "; the server wants to be left alone for " + format_duration(retry_after);
    throw Error(error.code(), text);
  }
  if (options_.sleep) {
    options_.sleep(wait, stop_);
  } else {
    sleep_for(wait, stop_);
  }
  if (stop_.stop_requested()) throw Error(ErrorCode::cancelled, "it was stopped");
}

}  // namespace runner::registry
