#include "runner/cli/view_text.h"

#include <fmt/core.h>

#include "runner/base/text.h"

namespace runner::cli {
namespace {

using engine::JobView;
using pipelines::JobStatus;

std::string duration_of(const JobView& job) {
  if (!job.started_at || !job.finished_at) return {};
  return format_duration(*job.finished_at - *job.started_at);
}

std::string cause_of(const JobView& job) {
  if (!job.reason.empty()) return job.reason;
  if (job.exit_code && *job.exit_code != 0) return fmt::format("exit code {}", *job.exit_code);
  if (job.failure) return replace_all(pipelines::to_string(*job.failure), "_", " ");
  return {};
}

std::string with_cause(const std::string& text, const std::string& cause) {
  return cause.empty() ? text : text + ": " + cause;
}

struct Counts {
  std::size_t passed = 0, failed = 0, allowed = 0, skipped = 0, canceled = 0, waiting = 0;
};

Counts count(const std::vector<JobView>& jobs) {
  Counts counts;
  for (const JobView& job : jobs) {
    const std::string_view status = report_status(job);
    if (status == "success") ++counts.passed;
    if (status == "failed") ++counts.failed;
    if (status == "warning") ++counts.allowed;
    if (status == "skipped") ++counts.skipped;
    if (status == "canceled") ++counts.canceled;
    if (status == "manual") ++counts.waiting;
  }
  return counts;
}

std::string counts_phrase(const Counts& counts) {
  std::vector<std::string> parts;
  const auto add = [&](std::size_t number, std::string_view word) {
    if (number > 0) parts.push_back(fmt::format("{} {}", number, word));
  };
  add(counts.passed, "passed");
  add(counts.failed, "failed");
  add(counts.allowed, "failed but allowed to");
  add(counts.canceled, "canceled");
  add(counts.skipped, "skipped");
  add(counts.waiting, "waiting");
  return join(parts, ", ");
}

std::string headline(const Screen& screen, const Outcome& outcome) {
  const Symbols& marks = symbols(screen);
  std::string word = "passed";
  Tone tone = Tone::green;
  std::string_view mark = marks.passed;
  if (outcome.status == "failed") {
    word = "failed", tone = Tone::red, mark = marks.failed;
  } else if (outcome.status == "canceled") {
    word = "canceled", tone = Tone::yellow, mark = marks.canceled;
  } else if (outcome.status == "skipped") {
    word = "skipped", tone = Tone::dim, mark = marks.skipped;
  } else if (outcome.blocked) {
    word = "waiting", tone = Tone::yellow, mark = marks.waiting;
  } else if (outcome.warnings) {
    word = "passed with warnings", tone = Tone::yellow, mark = marks.warned;
  }
  const auto elapsed = std::chrono::milliseconds(static_cast<std::int64_t>(outcome.seconds * 1000));
  return paint(screen, tone, std::string(mark) + " pipeline " + word) + " in " + format_duration(elapsed) +
         ": " + counts_phrase(count(outcome.jobs)) + "\n";
}

std::string finding_lines(const Outcome& outcome, const JobView& job) {
  std::string out;
  if (const auto log = outcome.logs.find(job.index); log != outcome.logs.end()) {
    out += fmt::format("  whole log of '{}': {}\n", job.name, log->second.string());
  }
  if (job.tests_total) {
    out += fmt::format("  tests of '{}': {}", job.name, *job.tests_total);
    out +=
        job.tests_failed.value_or(0) > 0 ? fmt::format(", {} failed\n", *job.tests_failed) : ", all passed\n";
  }
  if (!job.environment_url.empty())
    out += "  environment of '" + job.name + "': " + job.environment_url + "\n";
  if (job.coverage) out += fmt::format("  coverage of '{}': {:.1f} %\n", job.name, *job.coverage);
  if (job.archive) {
    out += fmt::format("  artifacts of '{}': {} {}, {}, {}\n", job.name, job.archive->files,
                       job.archive->files == 1 ? "file" : "files", format_bytes(job.archive->bytes),
                       job.archive->path.string());
  }
  for (const std::string& warning : job.warnings)
    out += fmt::format("  warning of '{}': {}\n", job.name, warning);
  return out;
}

}  // namespace

bool has_failed(const JobView& job) {
  return job.status == JobStatus::failed;
}

std::string outcome_phrase(const JobView& job) {
  const std::string time = duration_of(job);
  switch (job.status) {
    case JobStatus::success:
      return time.empty() ? "passed" : "passed in " + time;
    case JobStatus::failed: {
      std::string text = time.empty() ? "failed" : "failed after " + time;
      if (job.allow_failure) text += ", which it may";
      return with_cause(text, cause_of(job));
    }
    case JobStatus::canceled:
      return job.reason == "canceled" ? "canceled" : with_cause("canceled", job.reason);
    case JobStatus::skipped:
      return with_cause("skipped", job.reason);
    default:
      return std::string(pipelines::to_string(job.status));
  }
}

std::string_view outcome_symbol(const Screen& screen, const JobView& job) {
  const Symbols& marks = symbols(screen);
  switch (job.status) {
    case JobStatus::success:
      return marks.passed;
    case JobStatus::failed:
      return job.allow_failure ? marks.warned : marks.failed;
    case JobStatus::canceled:
      return marks.canceled;
    case JobStatus::skipped:
      return marks.skipped;
    case JobStatus::manual:
      return marks.waiting;
    default:
      return marks.started;
  }
}

Tone outcome_tone(const JobView& job) {
  switch (job.status) {
    case JobStatus::success:
      return Tone::green;
    case JobStatus::failed:
      return job.allow_failure ? Tone::yellow : Tone::red;
    case JobStatus::canceled:
      return Tone::yellow;
    case JobStatus::skipped:
      return Tone::dim;
    default:
      return Tone::plain;
  }
}

std::string summary_text(const ViewContext& context, const Outcome& outcome, bool failures) {
  std::string out = headline(context.screen, outcome);
  for (const JobView& job : outcome.jobs) out += finding_lines(outcome, job);
  if (failures) {
    for (const JobView& job : outcome.jobs) {
      if (!has_failed(job)) continue;
      out +=
          fmt::format("  '{}' {}; again: {}\n", job.name, outcome_phrase(job), context.reproduce(job.index));
    }
  }
  for (const JobView& job : outcome.jobs) {
    if (job.status != JobStatus::manual) continue;
    out += fmt::format("  '{}' waits for you: {}\n", job.name, context.play(job.index));
  }
  return out;
}

void Tail::section(std::string_view name, bool begins) {
  if (name != "step_script") return;
  if (begins && state_ == State::before) {
    lines_.clear();
    dropped_ = 0;
    state_ = State::header;
  } else if (!begins && state_ != State::before) {
    state_ = State::after;
  }
}

void Tail::add(std::string_view line) {
  newest_ = line;
  if (state_ == State::header) {
    state_ = State::script;
    return;
  }
  if (state_ == State::after) return;
  lines_.emplace_back(line);
  if (lines_.size() <= limit_) return;
  lines_.pop_front();
  ++dropped_;
}

}  // namespace runner::cli
