#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>

#include "runner/base/text.h"
#include "runner/cli/job_lines.h"
#include "runner/cli/view.h"
#include "runner/cli/view_text.h"

namespace runner::cli {
namespace {

using engine::JobView;
using pipelines::JobStatus;

constexpr std::size_t kTailLines = 20;
constexpr std::size_t kMaxNameColumn = 32;
constexpr std::chrono::milliseconds kFrame{80};
constexpr std::chrono::milliseconds kNoTime{0};

bool is_active(JobStatus status) {
  return status == JobStatus::running || status == JobStatus::preparing || status == JobStatus::canceling;
}

class TerminalView final : public View {
 public:
  explicit TerminalView(ViewContext context) : context_(std::move(context)) {
    for (const std::string& name : context_.names) column_ = std::max(column_, display_width(name));
    fit();
  }

  void job_changed(const JobView& view, TimePoint now) override {
    Job& job = job_of(view.index);
    if (job.attempt != view.attempt) {
      job.lines.flush();
      job.tail.clear();
      job.attempt = view.attempt;
    }
    if (is_active(view.status) && !job.started) job.started = view.started_at.value_or(now);
    job.view = view;
    if (!pipelines::is_completed(view.status)) return;
    job.started.reset();
    job.lines.flush();
    if (job.shown_end == view.attempt) return;
    job.shown_end = view.attempt;
    put_end(job);
  }

  void job_output(std::size_t index, int, std::string_view bytes, TimePoint) override {
    job_of(index).lines.feed_end(bytes, kTailLines);
  }

  void note(std::string_view text) override { scrolled_ += "runner: " + std::string(text) + "\n"; }

  void tick(TimePoint now) override {
    if (now - last_frame_ < kFrame && scrolled_.empty()) return;
    last_frame_ = now;
    ++frame_;
    paint_frame(live_lines(now));
  }

  void resize(const Screen& screen) override {
    context_.screen.width = screen.width;
    context_.screen.height = screen.height;
    fit();
    // A terminal that became narrow has wrapped what is shown.
    const std::size_t width = std::max<std::size_t>(screen.width, 1);
    shown_rows_ = 0;
    for (const std::size_t columns : shown_)
      shown_rows_ += std::max<std::size_t>(1, (columns + width - 1) / width);
  }

  void clear_live() override { paint_frame({}); }

  void finish(const Outcome& outcome, TimePoint) override {
    for (auto& [index, job] : jobs_) job.lines.flush();
    if (!scrolled_.empty() || !jobs_.empty()) scrolled_ += "\n";
    scrolled_ += summary_text(context_, outcome, false);
    paint_frame({});
  }

  std::string take() override { return std::exchange(out_, {}); }

 private:
  struct Job {
    explicit Job(bool color)
        : lines(
              color, [this](std::string_view line) { tail.add(line); },
              [this](std::string_view name, bool begins) { tail.section(name, begins); }),
          tail(kTailLines) {}
    Job(const Job&) = delete;  // its lines go to its tail
    Job& operator=(const Job&) = delete;
    JobView view;
    JobLines lines;
    Tail tail;
    std::optional<TimePoint> started;  // while it is active
    int attempt = 0;
    int shown_end = -1;
  };

  void fit() {
    name_column_ = std::min({column_, kMaxNameColumn, std::max<std::size_t>(context_.screen.width / 3, 4)});
  }

  Job& job_of(std::size_t index) { return jobs_.try_emplace(index, context_.screen.color).first->second; }

  // A job that ended: one line when it passed; tail and command when it failed.
  void put_end(const Job& job) {
    const Screen& screen = context_.screen;
    scrolled_ += paint(screen, outcome_tone(job.view), outcome_symbol(screen, job.view)) + " " +
                 pad(screen, job.view.name, name_column_) + "  " +
                 paint(screen, job.view.status == JobStatus::success ? Tone::dim : outcome_tone(job.view),
                       outcome_phrase(job.view)) +
                 "\n";
    if (!has_failed(job.view)) return;
    const std::string bar = "  " + paint(screen, Tone::dim, symbols(screen).bar) + " ";
    if (job.tail.dropped() > 0) {
      scrolled_ += bar +
                   paint(screen, Tone::dim,
                         fmt::format("{} {} lines before", symbols(screen).ellipsis, job.tail.dropped())) +
                   "\n";
    }
    for (const std::string& line : job.tail.lines()) scrolled_ += bar + line + "\n";
    scrolled_ += "  " + paint(screen, Tone::dim, "again: ") + context_.reproduce(job.view.index) + "\n";
  }

  std::string spinner() const {
    static constexpr std::array<std::string_view, 10> kBraille{"⠋", "⠙", "⠹", "⠸", "⠼",
                                                               "⠴", "⠦", "⠧", "⠇", "⠏"};
    static constexpr std::array<std::string_view, 4> kAscii{"|", "/", "-", "\\"};
    return std::string(context_.screen.utf8 ? kBraille[frame_ % kBraille.size()]
                                            : kAscii[frame_ % kAscii.size()]);
  }

  // What the job said last: the line it is writing, else the last whole one.
  static std::string last_words(const Job& job) {
    std::string text = strip_ansi(job.lines.partial());
    if (trim(text).empty()) text = strip_ansi(job.tail.newest());
    text = replace_all(trim(text), "\t", " ");
    return job.view.status == JobStatus::canceling ? "stopping: " + text : text;
  }

  std::vector<std::string> live_lines(TimePoint now) const {
    const Screen& screen = context_.screen;
    std::vector<const Job*> active;
    for (const auto& [index, job] : jobs_) {
      if (job.started) active.push_back(&job);
    }
    std::stable_sort(active.begin(), active.end(),
                     [](const Job* a, const Job* b) { return *a->started < *b->started; });
    // The screen must not scroll: the cursor could not come back to the first line.
    const std::size_t room = screen.height > 3 ? screen.height - 2 : 1;
    std::vector<std::string> lines;
    for (const Job* job : active) {
      if (lines.size() + 1 >= room && active.size() > room) {
        lines.push_back(fmt::format("  and {} more", active.size() - lines.size()));
        break;
      }
      const auto seconds = std::chrono::floor<std::chrono::seconds>(std::max(now - *job->started, kNoTime));
      const std::string head =
          pad(screen, job->view.name, name_column_) + "  " + pad(screen, live_time(seconds), 9);
      const std::size_t used = 2 + display_width(head) + 1;
      std::string line = paint(screen, Tone::cyan, spinner()) + " " + head;
      if (screen.width > used + 8) {
        line += " " + paint(screen, Tone::dim, truncate(screen, last_words(*job), screen.width - used - 2));
      }
      lines.push_back(std::move(line));
    }
    return lines;
  }

  // Whole seconds: tenths would only flicker.
  static std::string live_time(std::chrono::seconds time) {
    if (time.count() < 60) return fmt::format("{} s", time.count());
    return format_duration(time);
  }

  // One write: back to the first live line, what scrolls, the live lines, nothing below. Each line is erased
  // behind its text, never before it: that is what would flicker.
  void paint_frame(const std::vector<std::string>& live) {
    if (scrolled_.empty() && live.empty() && shown_.empty()) return;
    std::string frame;
    if (shown_rows_ > 0) frame += fmt::format("\x1b[{}A\r", shown_rows_);
    frame += replace_all(scrolled_, "\n", "\x1b[K\n");
    for (const std::string& line : live) frame += line + "\x1b[K\n";
    if (shown_rows_ > 0) frame += "\x1b[J";
    scrolled_.clear();
    shown_.clear();
    for (const std::string& line : live) shown_.push_back(display_width(line));
    shown_rows_ = live.size();
    out_ += frame;
  }

  ViewContext context_;
  std::size_t column_ = 1, name_column_ = 1;
  std::map<std::size_t, Job> jobs_;
  std::string scrolled_;            // lines to be written once, above the live ones
  std::vector<std::size_t> shown_;  // the widths of the live lines on the screen
  std::size_t shown_rows_ = 0;      // what they take there
  std::size_t frame_ = 0;
  TimePoint last_frame_{};
  std::string out_;
};

}  // namespace

std::unique_ptr<View> make_terminal_view(ViewContext context) {
  return std::make_unique<TerminalView>(std::move(context));
}

}  // namespace runner::cli
