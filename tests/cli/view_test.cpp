#include "runner/cli/view.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace runner::cli {
namespace {

using engine::JobView;
using pipelines::JobStatus;

TimePoint at(int milliseconds) {
  return TimePoint(std::chrono::milliseconds(1'000'000 + milliseconds));
}

/// Feeds a view with a small pipeline's life and collects what it writes.
class Story {
 public:
  explicit Story(std::unique_ptr<View> view) : view_(std::move(view)) {}

  void start(std::size_t index, const std::string& name, int now, int attempt = 1) {
    JobView& job = jobs_[index];
    job.index = index;
    job.name = name;
    job.attempt = attempt;
    job.status = JobStatus::running;
    job.started_at = at(now);
    view_->job_changed(job, at(now));
  }
  void say(std::size_t index, std::string_view text, int now) { view_->job_output(index, 1, text, at(now)); }
  void end(std::size_t index, JobStatus status, int now, int code = 0) {
    JobView& job = jobs_[index];
    job.status = status;
    job.finished_at = at(now);
    job.exit_code = code;
    view_->job_changed(job, at(now));
  }
  JobView& job(std::size_t index) { return jobs_[index]; }
  void tick(int now) { view_->tick(at(now)); }
  void finish(Outcome outcome, int now) {
    for (const auto& [index, job] : jobs_) outcome.jobs.push_back(job);
    view_->finish(outcome, at(now));
  }
  View& view() { return *view_; }
  std::string text() { return view_->take(); }

 private:
  std::unique_ptr<View> view_;
  std::map<std::size_t, JobView> jobs_;
};

ViewContext context(std::vector<std::string> names) {
  ViewContext out;
  out.names = std::move(names);
  out.reproduce = [](std::size_t job) { return "runner exec job-" + std::to_string(job); };
  out.play = [](std::size_t job) { return "runner exec --manual job-" + std::to_string(job); };
  return out;
}

// Escapes made visible, so that golden files are text.
std::string visible(std::string text) {
  std::string out;
  for (const char c : text) {
    if (c == '\x1b') {
      out += "<ESC>";
    } else if (c == '\r') {
      out += "<CR>";
    } else {
      out += c;
    }
  }
  return out;
}

void tell(Story& story) {
  story.start(0, "build", 0);
  story.start(1, "lint", 10);
  story.say(0, "\x1b[32;1m$ make\x1b[0;m\ncc", 100);
  story.tick(100);
  story.say(1, "10%\r20%", 120);
  story.say(0, " -c a.c\nsection_end:1:x\r\x1b[0K\n", 1500);
  story.tick(1600);
  story.say(1, "\r100%\nwarning\n", 1700);
  story.end(1, JobStatus::success, 1800);
  story.tick(1900);
  story.say(0, "boom", 62'000);
  story.end(0, JobStatus::failed, 62'100, 2);
  story.tick(62'200);
  JobView& skipped = story.job(2);
  skipped.index = 2;
  skipped.name = "日本 deploy";
  skipped.reason = "job 'build' failed";
  story.end(2, JobStatus::skipped, 62'300);
  JobView& manual = story.job(3);
  manual.index = 3;
  manual.name = "release";
  story.end(3, JobStatus::manual, 62'300);
  story.job(1).archive = engine::ArchiveView{"artifacts", "/data/artifacts/ab.zip", "ab", 2048, 3};
  story.job(1).coverage = 93.45;
  story.job(1).tests_total = 42;
  Outcome outcome;
  outcome.status = "failed";
  outcome.seconds = 62.3;
  outcome.logs[0] = "/data/runs/project-1a2b3c4d/7/build/job.log";
  story.finish(outcome, 62'300);
}

TEST(PlainView, PrefixesEveryLine) {
  Story story(make_plain_view(context({"build", "lint", "日本 deploy", "release"})));
  tell(story);
  EXPECT_EQ(test::compare_golden("cli/golden/plain.txt", visible(story.text())), "");
}

TEST(PlainView, ColoursWhenTheScreenHasThem) {
  ViewContext with_color = context({"build", "lint", "日本 deploy", "release"});
  with_color.screen.color = true;
  Story story(make_plain_view(std::move(with_color)));
  tell(story);
  EXPECT_EQ(test::compare_golden("cli/golden/plain_color.txt", visible(story.text())), "");
}

TEST(PlainView, QuietShowsWhatFailed) {
  ViewContext quiet = context({"build", "lint", "日本 deploy", "release"});
  quiet.quiet = true;
  quiet.screen.utf8 = false;
  Story story(make_plain_view(std::move(quiet)));
  tell(story);
  EXPECT_EQ(test::compare_golden("cli/golden/plain_quiet.txt", visible(story.text())), "");
}

TEST(PlainView, QuietIsSilentWhenAllIsWell) {
  ViewContext quiet = context({"a"});
  quiet.quiet = true;
  Story story(make_plain_view(std::move(quiet)));
  story.start(0, "a", 0);
  story.say(0, "text\n", 1);
  story.end(0, JobStatus::success, 2);
  Outcome outcome;
  outcome.status = "success";
  story.finish(outcome, 3);
  EXPECT_EQ(story.text(), "");
}

TEST(PlainView, TellsAboutEachAttempt) {
  Story story(make_plain_view(context({"a"})));
  story.start(0, "a", 0);
  story.end(0, JobStatus::failed, 100, 1);
  story.start(0, "a", 200, 2);
  story.end(0, JobStatus::success, 300);
  EXPECT_EQ(story.text(),
            "a │ ▶ started\n"
            "a │ ✗ failed after 100 ms: exit code 1\n"
            "a │ ▶ started, attempt 2\n"
            "a │ ✓ passed in 100 ms\n");
}

TEST(TerminalView, ShowsOneLineForEachRunningJob) {
  ViewContext live = context({"build", "lint", "日本 deploy", "release"});
  live.screen.live = true;
  live.screen.color = true;
  live.screen.width = 40;
  Story story(make_terminal_view(std::move(live)));
  tell(story);
  EXPECT_EQ(test::compare_golden("cli/golden/terminal.txt", visible(story.text())), "");
}

TEST(TerminalView, RepaintsNoMoreThanAFewTimesASecond) {
  Story story(make_terminal_view(context({"a"})));
  story.start(0, "a", 0);
  story.tick(1);
  EXPECT_NE(story.text(), "");
  for (int now = 2; now < 80; ++now) {
    story.say(0, "line\n", now);
    story.tick(now);
  }
  EXPECT_EQ(story.text(), "");
  story.tick(90);
  EXPECT_NE(story.text(), "");
}

TEST(TerminalView, NeverFillsTheScreen) {
  ViewContext small = context({"j"});
  small.screen.height = 6;
  Story story(make_terminal_view(std::move(small)));
  for (std::size_t index = 0; index < 50; ++index) story.start(index, "j" + std::to_string(index), 0);
  story.tick(100);
  const std::string frame = story.text();
  EXPECT_LE(std::count(frame.begin(), frame.end(), '\n'), 5);
  EXPECT_NE(frame.find("more"), std::string::npos);
}

TEST(TerminalView, KeepsOnlyTheTailOfAFailure) {
  Story story(make_terminal_view(context({"a"})));
  story.start(0, "a", 0);
  for (int line = 0; line < 100; ++line) story.say(0, "line " + std::to_string(line) + "\n", line);
  story.end(0, JobStatus::failed, 200, 1);
  story.tick(300);
  const std::string text = story.text();
  EXPECT_EQ(text.find("line 79"), std::string::npos);
  EXPECT_NE(text.find("line 80"), std::string::npos);
  EXPECT_NE(text.find("runner exec job-0"), std::string::npos);
  EXPECT_NE(text.find("│ … 80 lines before"), std::string::npos);
}

TEST(TerminalView, TheTailOfAFailureIsWhatTheScriptSaid) {
  Story story(make_terminal_view(context({"a"})));
  story.start(0, "a", 0);
  story.say(0, "\x1b[0Ksection_start:1:get_sources\r\x1b[0KGetting sources\nCommit 1234\n", 10);
  story.say(
      0,
      "\x1b[0Ksection_end:1:get_sources\r\x1b[0K\x1b[0Ksection_start:1:step_script\r\x1b[0KRunning script\n",
      20);
  story.say(0, "$ make\n\x1b[0Ksection_start:1:own[collapsed=true]\r\x1b[0Kown section\nboom\n", 30);
  story.say(0,
            "\x1b[0Ksection_end:1:step_script\r\x1b[0K\x1b[0Ksection_start:1:x\r\x1b[0KSaving cache\nkept\n",
            40);
  story.tick(100);
  EXPECT_NE(story.text().find("kept"), std::string::npos);
  story.end(0, JobStatus::failed, 200, 1);
  story.tick(300);
  EXPECT_NE(story.text().find(
                "exit code 1\x1b[K\n  │ $ make\x1b[K\n  │ own section\x1b[K\n  │ boom\x1b[K\n  again: "),
            std::string::npos);
}

TEST(TerminalView, WithoutAScriptTheTailIsTheEndOfTheLog) {
  Story story(make_terminal_view(context({"a"})));
  story.start(0, "a", 0);
  story.say(0, "\x1b[0Ksection_start:1:get_sources\r\x1b[0KGetting sources\nERROR: no disk\n", 10);
  story.end(0, JobStatus::failed, 200);
  story.tick(300);
  EXPECT_NE(story.text().find("  │ Getting sources\x1b[K\n  │ ERROR: no disk\x1b[K\n"), std::string::npos);
}

TEST(TerminalView, ANarrowerTerminalHasWrappedTheLines) {
  ViewContext wide = context({"a", "b"});
  wide.screen.width = 80;
  Story story(make_terminal_view(std::move(wide)));
  story.start(0, "a", 0);
  story.start(1, "b", 0);
  story.say(0, std::string(200, 'x') + "\n", 10);
  story.tick(100);
  story.text();
  Screen narrow;
  narrow.width = 30;
  narrow.height = 24;
  story.view().resize(narrow);
  story.tick(200);
  // 79 columns take three rows of 30, and the line of 'b' one.
  EXPECT_EQ(visible(story.text()).substr(0, 12), "<ESC>[4A<CR>");
}

TEST(TerminalView, AJobThatIsToldToStopSaysSo) {
  Story story(make_terminal_view(context({"a"})));
  story.start(0, "a", 0);
  story.say(0, "working\n", 10);
  story.job(0).status = JobStatus::canceling;
  story.view().job_changed(story.job(0), at(50));
  story.tick(100);
  EXPECT_NE(story.text().find("stopping: working"), std::string::npos);
  story.job(0).reason = "canceled";
  story.end(0, JobStatus::canceled, 200);
  story.tick(300);
  EXPECT_NE(story.text().find("■ a  canceled\x1b[K\n"), std::string::npos);
}

}  // namespace
}  // namespace runner::cli
