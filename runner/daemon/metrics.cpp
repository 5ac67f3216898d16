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
  const Job key{job.pipeline, job.index};
  bool ran = false;
  int attempt = 0;
  if (const auto known = under_way_.find(key); known != under_way_.end()) {
    ran = runs(known->second.status);
    attempt = known->second.attempt;
    --(ran ? numbers_.running : numbers_.pending);
    under_way_.erase(known);
  }
  if (waits(job.status) || runs(job.status)) {
    under_way_.emplace(key, UnderWay{job.status, job.attempt});
    ++(waits(job.status) ? numbers_.pending : numbers_.running);
    if (job.status == JobStatus::running && job.attempt > 1 && (!ran || attempt != job.attempt))
      ++numbers_.retries;
    return;
  }
  if (!is_completed(job.status) || !job.finished_at) return;
  // Told again once its archive is there.
  const auto [counted, first] = counted_.try_emplace(key, job.attempt);
  if (!first && counted->second == job.attempt) return;
  counted->second = job.attempt;
  if (first) counted_in_order_.push_back(key);
  if (counted_in_order_.size() > kRemembered) {
    counted_.erase(counted_in_order_.front());
    counted_in_order_.pop_front();
  }
  const std::string failure = job.failure ? std::string(pipelines::to_string(*job.failure)) : std::string();
  ++numbers_.ended[{std::string(pipelines::to_string(job.status)), failure}];
  if (job.failure == pipelines::FailureReason::job_execution_timeout) ++numbers_.timeouts;
  if (job.started_at)
    numbers_.durations.add(std::chrono::duration<double>(*job.finished_at - *job.started_at).count());
}

void Histogram::add(double value) {
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (value <= kBounds[i]) ++up_to[i];
  }
  ++count;
  sum += value;
}

JobCounts::Numbers JobCounts::numbers() const {
  const std::lock_guard lock(mutex_);
  return numbers_;
}

void MetricsText::family(const std::string& name, const char* type, const char* help) {
  text_ += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

void MetricsText::sample(const std::string& name, double value,
                         const std::map<std::string, std::string>& labels) {
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

void MetricsText::histogram(const std::string& name, const char* help, const Histogram& values) {
  family(name, "histogram", help);
  for (std::size_t i = 0; i < values.up_to.size(); ++i) {
    std::string bound;
    append_number(bound, Histogram::kBounds[i]);
    sample(name + "_bucket", static_cast<double>(values.up_to[i]), {{"le", bound}});
  }
  sample(name + "_bucket", static_cast<double>(values.count), {{"le", "+Inf"}});
  sample(name + "_sum", values.sum);
  sample(name + "_count", static_cast<double>(values.count));
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
