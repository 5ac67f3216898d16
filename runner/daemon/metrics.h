#pragma once
// What the daemon counts, in the text form that Prometheus reads (version 0.0.4). Names and units are those
// of docs/serve.md. Any thread; counting does not block but for a moment.

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "runner/base/clock.h"
#include "runner/base/histogram.h"
#include "runner/engine/engine.h"
#include "runner/storage/records.h"

namespace runner::daemon {

/// Sums up what the engine tells.
class JobCounts final : public engine::Observer {
 public:
  struct Numbers {
    using JobKey = std::tuple<std::string, std::string, std::string>;  // project, status, failure reason
    using PipelineKey = std::pair<std::string, std::string>;           // project, status
    std::map<JobKey, std::uint64_t> ended;
    std::map<PipelineKey, std::uint64_t> pipelines_ended;
    std::int64_t running = 0, pending = 0;
    std::size_t pipelines_running = 0;
    std::uint64_t retries = 0, timeouts = 0;
    HistogramCounts durations, pipeline_durations;
    std::uint64_t archive_bytes = 0;
  };
  void job_changed(const engine::JobView& job) override;
  void job_output(std::size_t, int, std::string_view) override {}
  void pipeline_changed(const engine::PipelineView& pipeline) override;
  /// A pipeline that ended as it was made, without an engine.
  void pipeline_refused(const storage::PipelineRecord& pipeline);
  /// All archives that are kept now; those that are made from then on are added.
  void archives_measured(std::uint64_t bytes) noexcept { archive_bytes_ = bytes; }
  /// Of other projects nothing is known any more: those were removed.
  void keep_projects(const std::set<std::string>& projects);
  Numbers numbers() const;
  /// Called with each change, outside of the lock. Set it before the engine serves.
  std::function<void()> on_change;

 private:
  using Job = std::pair<std::int64_t, std::size_t>;  // pipeline, index
  struct UnderWay {
    pipelines::JobStatus status = pipelines::JobStatus::created;
    int attempt = 0;
  };
  struct Ended {
    int attempt = 0;
    bool archived = false;
  };
  void count(const engine::JobView& job);
  bool count_start(const engine::JobView& job);
  Ended& remember(const Job& key, int attempt, bool& first);

  mutable std::mutex mutex_;  // of what follows, up to the histograms
  Numbers numbers_;
  std::map<Job, UnderWay> under_way_;  // pending and running
  std::map<Job, Ended> counted_;       // newest attempts of those that ended last
  std::deque<Job> counted_in_order_;
  std::set<std::int64_t> pipelines_running_;
  Histogram durations_{kLongTimes}, pipeline_durations_{kLongTimes};
  std::atomic<std::uint64_t> archive_bytes_{0};
};

/// One scrape, put together a family at a time.
class MetricsText {
 public:
  using Labels = std::map<std::string, std::string>;
  /// `type`: "counter", "gauge", "histogram".
  void family(const std::string& name, const char* type, const char* help);
  void sample(const std::string& name, double value, const Labels& labels = {});
  /// The samples of one histogram, within its family.
  void samples(const std::string& name, const HistogramCounts& counts, const Labels& labels = {});
  /// A family of one histogram.
  void histogram(const std::string& name, const char* help, const HistogramCounts& counts);
  /// process_*: of this process, as /proc has it.
  void process();
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace runner::daemon
