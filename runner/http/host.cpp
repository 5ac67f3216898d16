#include "runner/http/host.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <random>

#include "runner/http/range.h"

namespace runner::http {
namespace {

std::string hex(std::uint64_t number) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number, 16);
  return {text.data(), end.ptr};
}

}  // namespace

std::string Host::make_request_id() {
  if (id_prefix_.empty()) {
    std::random_device random;
    id_prefix_ = hex((static_cast<std::uint64_t>(random()) << 32U) | random()) + "-";
  }
  return id_prefix_ + hex(++next_id_);
}

const std::string& Host::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    date_ = format_http_date(now);
  }
  return date_;
}

SteadyPoint patience(SteadyPoint began, std::uint64_t bytes, std::chrono::milliseconds pause,
                     std::uint64_t rate) {
  // Whole seconds and the rest of one, so that no number of bytes overflows.
  const std::uint64_t divisor = std::max<std::uint64_t>(rate, 1);
  const std::uint64_t seconds = std::min<std::uint64_t>(bytes / divisor, 1'000'000'000);
  const std::chrono::duration<double> rest(static_cast<double>(bytes % divisor) /
                                           static_cast<double>(divisor));
  const auto earned = std::chrono::seconds(seconds) + std::chrono::duration_cast<SteadyPoint::duration>(rest);
  return std::min(std::chrono::steady_clock::now() + pause, began + pause + earned);
}

void Deadline::in(std::chrono::milliseconds time) {
  at(std::chrono::steady_clock::now() + time);
}

void Deadline::at(SteadyPoint when) {
  when_ = when;
  if (when < rings_) {
    rings_ = when;
    timer_.set(when, [this] { ring(); });
  }
}

void Deadline::close() noexcept {
  never();
  expired_ = nullptr;
  timer_.cancel();
}

void Deadline::ring() {
  rings_ = SteadyPoint::max();
  if (when_ == SteadyPoint::max()) return;
  if (std::chrono::steady_clock::now() < when_) {
    at(when_);
    return;
  }
  when_ = SteadyPoint::max();
  const auto expired = expired_;  // it may close this
  if (expired) expired();
}

}  // namespace runner::http
