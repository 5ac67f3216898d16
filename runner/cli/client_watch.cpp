#include "runner/cli/client_watch.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/commands.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

using std::chrono::milliseconds;

// Short at first: many a pipeline ends soon, or has ended.
constexpr milliseconds kFirstPause{200};
constexpr milliseconds kLongestPause{1'000};
constexpr milliseconds kPatience{60'000};  // with a server that does not answer

std::string_view symbol_of(const Screen& screen, const JobAnswer& job) {
  const Symbols& marks = symbols(screen);
  if (job.status == "success") return marks.passed;
  if (job.status == "failed") return job.allow_failure ? marks.warned : marks.failed;
  if (job.status == "canceled") return marks.canceled;
  if (job.status == "skipped") return marks.skipped;
  return job.status == "running" || job.status == "canceling" ? marks.started : marks.waiting;
}

Tone tone_of(const JobAnswer& job) {
  if (job.status == "success") return Tone::green;
  if (job.status == "failed") return job.allow_failure ? Tone::yellow : Tone::red;
  if (job.status == "canceled" || job.status == "manual") return Tone::yellow;
  return job.status == "running" ? Tone::cyan : Tone::dim;
}

/// What is shown of one pipeline, from one answer to the next.
class Watch {
 public:
  explicit Watch(const ClientDesk& desk) : desk_(desk), screen_(desk.screen()) {}

  void show(const PipelineAnswer& pipeline) {
    const std::vector<JobAnswer> jobs = last_attempts(pipeline);
    if (screen_.live) {
      repaint(jobs);
    } else {
      for (const JobAnswer& job : jobs) tell_change(job);
    }
    std::fflush(stdout);
  }

  void finish(const PipelineAnswer& pipeline) const {
    const auto took = took_text(pipeline.started_at, pipeline.finished_at, desk_.clock());
    say("pipeline " + std::to_string(pipeline.id) + " " + status_text(screen_, pipeline.status) +
        (took.empty() ? "" : " after " + took) + "\n");
    // What is wrong with the pipeline file: there are no jobs then.
    if (!pipeline.message.empty())
      for (const std::string_view line : split(pipeline.message, '\n')) say(printable(line) + "\n");
    for (const JobAnswer& job : last_attempts(pipeline)) {
      if (job.status == "failed")
        say("  " + in_quotes(printable(job.name)) + " " + outcome_text(job, desk_.clock()) +
            "; its log: runner job log " + std::to_string(job.id) + "\n");
      if (job.status == "manual")
        say("  " + in_quotes(printable(job.name)) + " waits for you: runner job play " +
            std::to_string(job.id) + "\n");
    }
  }

 private:
  void tell_change(const JobAnswer& job) {
    const std::string state = job.status + " " + std::to_string(job.id);
    std::string& told = told_[job.name];
    if (told == state) return;
    told = state;
    say(printable(job.name) + ": " + outcome_text(job, desk_.clock()) + "\n");
  }

  void repaint(const std::vector<JobAnswer>& jobs) {
    update_size(STDOUT_FILENO, screen_);
    std::size_t width = 0;
    for (const JobAnswer& job : jobs) width = std::max(width, display_width(printable(job.name)));
    width = std::min(width, screen_.width / 2);
    std::string out;
    if (painted_ > 0) out += "\x1b[" + std::to_string(painted_) + "A";
    out += "\r\x1b[J";
    // Lines that have left the screen cannot be painted again: the last ones are what happens now.
    const std::size_t room = std::max<std::size_t>(screen_.height, 2) - 1;
    const std::size_t first = jobs.size() > room ? jobs.size() - room : 0;
    for (std::size_t at = first; at < jobs.size(); ++at) {
      const JobAnswer& job = jobs[at];
      // One column stays free: a full line would wrap on some terminals.
      const std::size_t left = screen_.width > width + 6 ? screen_.width - width - 6 : 1;
      out += paint(screen_, tone_of(job), symbol_of(screen_, job)) + " " +
             pad(screen_, printable(job.name), width) + "  " +
             truncate(screen_, outcome_text(job, desk_.clock()), left) + "\n";
    }
    painted_ = jobs.size() - first;
    say(out);
  }

  const ClientDesk& desk_;
  Screen screen_;
  std::map<std::string, std::string> told_;
  std::size_t painted_ = 0;
};

}  // namespace

std::string ask_patiently(ClientDesk& desk, const std::string& path, bool first) {
  const SteadyPoint end = desk.clock().steady_now() + kPatience;
  for (bool told = false;;) {
    try {
      return desk.ask("GET", path);
    } catch (const std::exception& error) {
      if (first || !may_pass(error) || desk.clock().steady_now() >= end) throw;
      if (!told) print_notice(std::string(error.what()) + "; trying again");
      told = true;
    }
    std::this_thread::sleep_for(kLongestPause);
  }
}

std::vector<JobAnswer> last_attempts(const PipelineAnswer& pipeline) {
  std::vector<JobAnswer> out;
  std::map<std::string_view, std::size_t> at;
  for (const JobAnswer& job : pipeline.jobs) {
    const auto [found, is_new] = at.emplace(job.name, out.size());
    if (is_new) {
      out.push_back(job);
    } else if (out[found->second].attempt <= job.attempt) {
      out[found->second] = job;
    }
  }
  return out;
}

bool has_ended(const PipelineAnswer& pipeline) {
  // "manual": only jobs that wait for somebody are left.
  for (const std::string_view status : {"success", "failed", "canceled", "skipped", "manual"}) {
    if (pipeline.status == status) return true;
  }
  return false;
}

std::string outcome_text(const JobAnswer& job, const Clock& clock) {
  const std::string took = took_text(job.started_at, job.finished_at, clock);
  std::string text = printable(job.status);
  if (job.status == "success") text = "passed";
  if (!took.empty())
    text += (job.status == "failed" ? " after " : job.status == "success" ? " in " : " for ") + took;
  if (job.status == "failed" && job.allow_failure) text += ", which it may";
  std::string cause = printable(job.reason);
  if (cause.empty() && job.exit_code.value_or(0) != 0) cause = "exit code " + std::to_string(*job.exit_code);
  if (cause.empty() && job.status == "failed") cause = replace_all(printable(job.failure), "_", " ");
  return cause.empty() ? text : text + ": " + cause;
}

std::string jobs_table(const ClientDesk& desk, const PipelineAnswer& pipeline) {
  std::vector<std::vector<std::string>> rows;
  for (const JobAnswer& job : last_attempts(pipeline)) {
    const bool went_wrong = job.status == "failed" || job.status == "skipped" || job.status == "canceled";
    // Of one that waits, too: for whom or what.
    const std::string why =
        job.reason.empty() && went_wrong ? replace_all(job.failure, "_", " ") : job.reason;
    rows.push_back({std::to_string(job.id), job.stage, job.name,
                    job.status == "failed" && job.allow_failure ? "warning" : job.status,
                    took_text(job.started_at, job.finished_at, desk.clock()), why});
  }
  return table_text(
      desk.screen(),
      {{"ID", Column::Align::right}, {"STAGE"}, {"JOB"}, {"STATUS"}, {"TIME", Column::Align::right}, {"WHY"}},
      rows);
}

int watch_pipeline(ClientDesk& desk, std::int64_t id, bool json) {
  const std::string path = "/pipelines/" + std::to_string(id);
  Watch watch(desk);
  milliseconds pause = kFirstPause;
  for (bool first = true;; first = false) {
    const std::string body = ask_patiently(desk, path, first);
    const PipelineAnswer pipeline = read_pipeline(body);
    if (!json) watch.show(pipeline);
    if (has_ended(pipeline)) {
      if (json) {
        say(clean_json(body) + "\n");
      } else {
        watch.finish(pipeline);
      }
      return pipeline.status == "failed" || pipeline.status == "canceled" ? exit_failed : exit_success;
    }
    // Whoever read what we say is gone, and so is the reason to ask.
    if (std::ferror(stdout) != 0) return exit_machinery;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause + pause / 4, kLongestPause);
  }
}

}  // namespace runner::cli
