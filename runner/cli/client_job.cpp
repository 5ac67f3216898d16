// `runner job ...`: jobs of a server's pipelines.

#include <unistd.h>

#include <fmt/core.h>

#include <cstdio>

#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/client_log.h"
#include "runner/cli/client_watch.h"
#include "runner/cli/commands.h"
#include "runner/cli/job_lines.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

/// Writes the lines of a log as the screen takes them; those that head a section stand out.
class LogPrinter {
 public:
  explicit LogPrinter(const Screen& screen)
      : screen_(screen),
        lines_(
            screen.color, [this](std::string_view line) { print(line); },
            [this](std::string_view, bool begins) { heads_section_ = begins; }) {}

  /// False when nobody reads any more.
  bool write(std::string_view bytes) {
    lines_.feed(bytes);
    std::fflush(stdout);
    return std::ferror(stdout) == 0;
  }
  void finish() { lines_.flush(); }

 private:
  void print(std::string_view line) {
    if (heads_section_ && screen_.color) {
      say(paint(screen_, Tone::bold, line) + "\n");
    } else {
      say(std::string(line) + "\n");
    }
    heads_section_ = false;
  }

  const Screen& screen_;
  bool heads_section_ = false;
  JobLines lines_;
};

class JobCommand {
 public:
  explicit JobCommand(const RemoteJobOptions& options)
      : options_(options), desk_(options.common), path_("/jobs/" + std::to_string(options.id)) {}

  int run() {
    switch (options_.action) {
      case RemoteJobAction::log:
        return options_.common.json ? log_json() : log();
      case RemoteJobAction::play:
        return tell("play", "started");
      case RemoteJobAction::retry:
        return tell("retry", "running again");
      case RemoteJobAction::cancel:
        return tell("cancel", "canceling");
      case RemoteJobAction::show:
        break;
    }
    return show(desk_.ask("GET", path_));
  }

 private:
  int log() {
    LogPrinter printer(desk_.screen());
    if (!options_.follow) {
      fetch_log(desk_, options_.id, [&](std::string_view bytes) { printer.write(bytes); });
      printer.finish();
      return exit_success;
    }
    LogFollower follower(desk_, options_.id, [&](std::string_view bytes) { return printer.write(bytes); });
    const std::string status = follower.run();
    printer.finish();
    std::fflush(stdout);
    if (!status.empty()) print_notice("job " + std::to_string(options_.id) + " ended: " + printable(status));
    return exit_success;
  }

  /// Piece by piece: a log may be larger than what we want to hold.
  int log_json() {
    JsonWriter json([](std::string_view text) { say(text); });
    bool begun = false;
    const auto write = [&](std::string_view bytes) {
      if (!begun) json.begin_object().member("id", options_.id).key("log").begin_text();
      begun = true;
      json.text(bytes);
      return std::ferror(stdout) == 0;
    };
    std::string status;
    if (options_.follow) {
      status = LogFollower(desk_, options_.id, write).run();
    } else {
      fetch_log(desk_, options_.id, write);
    }
    write("");
    json.end_text();
    if (options_.follow) json.member("status", status);
    json.end_object().flush();
    say("\n");
    return exit_success;
  }

  int tell(std::string_view verb, std::string_view done) {
    const std::string answer = desk_.ask("POST", path_ + "/" + std::string(verb));
    const JobAnswer job = read_job(answer);
    if (options_.common.json) {
      say(clean_json(answer) + "\n");
    } else {
      say(std::string(done) + ": job " + std::to_string(job.id) + " " + in_quotes(printable(job.name)) +
          "\n");
    }
    return exit_success;
  }

  int show(const std::string& answer) {
    const JobAnswer job = read_job(answer);
    if (options_.common.json) {
      say(clean_json(answer) + "\n");
      return exit_success;
    }
    std::vector<std::pair<std::string, std::string>> facts{
        {"job", printable(job.name) + ", id " + std::to_string(job.id)},
        {"pipeline", std::to_string(job.pipeline) + " of " + printable(job.project)},
        {"stage", printable(job.stage)},
        {"status", outcome_text(job, desk_.clock())},
        {"attempt", std::to_string(job.attempt)}};
    const auto add = [&](const char* name, const std::string& value) {
      if (!value.empty()) facts.emplace_back(name, value);
    };
    add("queued", when_text(job.queued_at, desk_.clock()));
    add("started", when_text(job.started_at, desk_.clock()));
    if (job.status == "scheduled" && job.scheduled_at) add("due", format_iso8601(*job.scheduled_at));
    if (job.tests_total)
      add("tests", fmt::format("{}, {} failed", *job.tests_total, job.tests_failed.value_or(0)));
    if (job.coverage) add("coverage", fmt::format("{:.1f} %", *job.coverage));
    add("environment", printable(job.environment_url));
    std::vector<std::string> warnings;
    for (const std::string& warning : job.warnings) warnings.push_back(printable(warning));
    add("warnings", join(warnings, "\n"));
    if (job.artifacts) add("artifacts", "runner artifact list --job-id " + std::to_string(job.id));
    say(facts_text(desk_.screen(), facts));
    return exit_success;
  }

  const RemoteJobOptions& options_;
  ClientDesk desk_;
  std::string path_;
};

}  // namespace

int run_remote_job(const RemoteJobOptions& options) {
  return JobCommand(options).run();
}

}  // namespace runner::cli
