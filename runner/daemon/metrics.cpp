#include "runner/daemon/metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "runner/base/files.h"
#include "runner/daemon/log_lines.h"

namespace runner::daemon {
namespace {

using pipelines::JobStatus;

bool waits(JobStatus status) {
  return status == JobStatus::pending || status == JobStatus::waiting_for_resource;
}
bool runs(JobStatus status) {
  return status == JobStatus::running || status == JobStatus::canceling;
}

// Jobs that ended and may be told of once more.
constexpr std::size_t kRemembered = 10'000;

void append_number(std::string& out, double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

std::string label_value(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

void JobCounts::job_changed(const engine::JobView& job) {
  log_job(job);
  count(job);
  if (on_change) on_change();
}

void JobCounts::count(const engine::JobView& job) {
  const std::lock_guard lock(mutex_);
  if (count_start(job) || !is_completed(job.status) || !job.finished_at) return;
  bool first = false;
  Ended& ended = remember({job.pipeline, job.index}, job.attempt, first);
  if (!ended.archived && (job.archive || job.reports)) {
    ended.archived = true;
    archive_bytes_ += (job.archive ? job.archive->bytes : 0) + (job.reports ? job.reports->bytes : 0);
  }
  if (!first) return;  // told again once its archive is there
  const std::string failure = job.failure ? std::string(pipelines::to_string(*job.failure)) : std::string();
  ++numbers_.ended[{job.project, std::string(pipelines::to_string(job.status)), failure}];
  if (job.failure == pipelines::FailureReason::job_execution_timeout) ++numbers_.timeouts;
  if (job.started_at) durations_.add(*job.finished_at - *job.started_at);
}

/// Under the lock. True: it waits or runs.
bool JobCounts::count_start(const engine::JobView& job) {
  const Job key{job.pipeline, job.index};
  bool ran = false;
  int attempt = 0;
  if (const auto known = under_way_.find(key); known != under_way_.end()) {
    ran = runs(known->second.status);
    attempt = known->second.attempt;
    --(ran ? numbers_.running : numbers_.pending);
    under_way_.erase(known);
  }
  if (!waits(job.status) && !runs(job.status)) return false;
  under_way_.emplace(key, UnderWay{job.status, job.attempt});
  ++(waits(job.status) ? numbers_.pending : numbers_.running);
  if (job.status == JobStatus::running && job.attempt > 1 && (!ran || attempt != job.attempt))
    ++numbers_.retries;
  return true;
}

/// Under the lock. `first`: this attempt was not among those that ended.
JobCounts::Ended& JobCounts::remember(const Job& key, int attempt, bool& first) {
  const auto [found, added] = counted_.try_emplace(key, Ended{attempt, false});
  first = added || found->second.attempt != attempt;
  if (first) found->second = Ended{attempt, false};
  Ended& ended = found->second;
  if (added) counted_in_order_.push_back(key);
  if (counted_in_order_.size() > kRemembered) {
    counted_.erase(counted_in_order_.front());
    counted_in_order_.pop_front();
  }
  return ended;
}

void JobCounts::pipeline_changed(const engine::PipelineView& pipeline) {
  const std::lock_guard lock(mutex_);
  if (pipeline.status == JobStatus::running) {
    pipelines_running_.insert(pipeline.id);
  } else {
    pipelines_running_.erase(pipeline.id);
  }
  if (!pipeline.changed || !is_completed(pipeline.status)) return;
  ++numbers_.pipelines_ended[{pipeline.project, std::string(pipelines::to_string(pipeline.status))}];
  if (pipeline.started_at && pipeline.finished_at)
    pipeline_durations_.add(*pipeline.finished_at - *pipeline.started_at);
}

void JobCounts::pipeline_refused(const storage::PipelineRecord& pipeline) {
  const std::lock_guard lock(mutex_);
  ++numbers_.pipelines_ended[{pipeline.project, std::string(pipelines::to_string(pipeline.status))}];
}

void JobCounts::keep_projects(const std::set<std::string>& projects) {
  const std::lock_guard lock(mutex_);
  std::erase_if(numbers_.ended,
                [&](const auto& each) { return !projects.contains(std::get<0>(each.first)); });
  std::erase_if(numbers_.pipelines_ended,
                [&](const auto& each) { return !projects.contains(each.first.first); });
}

JobCounts::Numbers JobCounts::numbers() const {
  const std::lock_guard lock(mutex_);
  Numbers numbers = numbers_;
  numbers.pipelines_running = pipelines_running_.size();
  numbers.durations = durations_.counts();
  numbers.pipeline_durations = pipeline_durations_.counts();
  numbers.archive_bytes = archive_bytes_;
  return numbers;
}

void MetricsText::family(const std::string& name, const char* type, const char* help) {
  text_ += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

void MetricsText::sample(const std::string& name, double value, const Labels& labels) {
  text_ += name;
  if (!labels.empty()) {
    char before = '{';
    for (const auto& [label, text] : labels) {
      text_ += before + label + "=\"" + label_value(text) + "\"";
      before = ',';
    }
    text_ += '}';
  }
  text_ += ' ';
  append_number(text_, value);
  text_ += '\n';
}

void MetricsText::samples(const std::string& name, const HistogramCounts& counts, const Labels& labels) {
  Labels bucket = labels;
  for (std::size_t i = 0; i < counts.bounds.size(); ++i) {
    std::string bound;
    append_number(bound, counts.bounds[i]);
    bucket["le"] = bound;
    sample(name + "_bucket", static_cast<double>(counts.up_to[i]), bucket);
  }
  bucket["le"] = "+Inf";
  sample(name + "_bucket", static_cast<double>(counts.count), bucket);
  sample(name + "_sum", counts.sum.count(), labels);
  sample(name + "_count", static_cast<double>(counts.count), labels);
}

void MetricsText::histogram(const std::string& name, const char* help, const HistogramCounts& counts) {
  family(name, "histogram", help);
  samples(name, counts);
}

void MetricsText::process() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  family("process_cpu_seconds_total", "counter", "User and system time of the daemon.");
  sample("process_cpu_seconds_total", seconds(usage.ru_utime) + seconds(usage.ru_stime));
  std::istringstream pages(read_file("/proc/self/statm").value_or(""));
  double size = 0, resident = 0;
  pages >> size >> resident;
  family("process_resident_memory_bytes", "gauge", "Resident memory of the daemon.");
  sample("process_resident_memory_bytes", resident * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  std::error_code error;
  const auto open = std::distance(std::filesystem::directory_iterator("/proc/self/fd", error),
                                  std::filesystem::directory_iterator());
  family("process_open_fds", "gauge", "Open descriptors of the daemon.");
  sample("process_open_fds", static_cast<double>(open));
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  family("process_max_fds", "gauge", "Most descriptors that the daemon may have.");
  sample("process_max_fds", static_cast<double>(limit.rlim_cur));
}

}  // namespace runner::daemon
