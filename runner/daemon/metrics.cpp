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
  const auto key = std::make_pair(job.pipeline, job.index);
  if (const auto known = under_way_.find(key); known != under_way_.end()) {
    if (waits(known->second)) --numbers_.pending;
    if (runs(known->second)) --numbers_.running;
    under_way_.erase(known);
  }
  if (waits(job.status) || runs(job.status)) {
    under_way_.emplace(key, job.status);
    ++(waits(job.status) ? numbers_.pending : numbers_.running);
  }
  if (!is_completed(job.status) || !job.finished_at) return;
  const std::string failure = job.failure ? std::string(pipelines::to_string(*job.failure)) : std::string();
  ++numbers_.ended[{std::string(pipelines::to_string(job.status)), failure}];
  if (job.started_at)
    numbers_.seconds += std::chrono::duration<double>(*job.finished_at - *job.started_at).count();
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
