#pragma once
// What the daemon counts, in the text form that Prometheus reads (version 0.0.4). Names and units are those
// of docs/serve.md. Any thread; counting does not block but for a moment.

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "runner/base/clock.h"
#include "runner/engine/engine.h"

namespace runner::daemon {

/// Sums up what the engine tells.
class JobCounts final : public engine::Observer {
 public:
  struct Numbers {
    std::map<std::pair<std::string, std::string>, std::uint64_t> ended;  // by status and failure reason
    std::int64_t running = 0, pending = 0;
    double seconds = 0;  // of those that ended
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
  std::map<std::pair<std::int64_t, std::size_t>, pipelines::JobStatus> under_way_;  // pending and running
};

/// One scrape, put together a family at a time.
class MetricsText {
 public:
  /// `type`: "counter", "gauge".
  void family(const std::string& name, const char* type, const char* help);
  void sample(const std::string& name, double value, const std::map<std::string, std::string>& labels = {});
  /// process_*: of this process, as /proc has it.
  void process();
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace runner::daemon
