#pragma once
// What the daemon counts, in the text form that Prometheus reads (version 0.0.4). Names and units are those
// of docs/serve.md. Any thread; counting does not block but for a moment.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "runner/base/clock.h"
#include "runner/engine/engine.h"

namespace runner::daemon {

/// Counts by size.
struct Histogram {
  /// Each bucket has what is up to its bound, in seconds; what is above the last one counts in `count` only.
  static constexpr std::array<double, 9> kBounds{1, 5, 15, 60, 300, 900, 3600, 14'400, 86'400};
  std::array<std::uint64_t, kBounds.size()> up_to{};
  std::uint64_t count = 0;
  double sum = 0;
  void add(double value);
};

/// Sums up what the engine tells.
class JobCounts final : public engine::Observer {
 public:
  struct Numbers {
    std::map<std::pair<std::string, std::string>, std::uint64_t> ended;  // by status and failure reason
    std::int64_t running = 0, pending = 0;
    std::uint64_t retries = 0, timeouts = 0;
    Histogram durations;
  };
  void job_changed(const engine::JobView& job) override;
  void job_output(std::size_t, int, std::string_view) override {}
  Numbers numbers() const;
  /// Called with each change, outside of the lock. Set it before the engine serves.
  std::function<void()> on_change;

 private:
  void count(const engine::JobView& job);
  mutable std::mutex mutex_;
  Numbers numbers_;
  using Job = std::pair<std::int64_t, std::size_t>;  // pipeline, index
  struct UnderWay {
    pipelines::JobStatus status = pipelines::JobStatus::created;
    int attempt = 0;
  };
  std::map<Job, UnderWay> under_way_;  // pending and running
  std::map<Job, int> counted_;         // attempts of those that ended last
  std::deque<Job> counted_in_order_;
};

/// One scrape, put together a family at a time.
class MetricsText {
 public:
  /// `type`: "counter", "gauge".
  void family(const std::string& name, const char* type, const char* help);
  void sample(const std::string& name, double value, const std::map<std::string, std::string>& labels = {});
  void histogram(const std::string& name, const char* help, const Histogram& values);
  /// process_*: of this process, as /proc has it.
  void process();
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace runner::daemon
