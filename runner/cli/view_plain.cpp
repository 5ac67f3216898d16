#include <algorithm>
#include <array>
#include <map>

#include "runner/cli/job_lines.h"
#include "runner/cli/view.h"
#include "runner/cli/view_text.h"

namespace runner::cli {
namespace {

using engine::JobView;
using pipelines::JobStatus;

constexpr std::size_t kTailLines = 20;
constexpr std::size_t kMaxNameColumn = 32;

class PlainView final : public View {
 public:
  explicit PlainView(ViewContext context) : context_(std::move(context)) {
    for (const std::string& name : context_.names) column_ = std::max(column_, display_width(name));
    column_ = std::min(column_, kMaxNameColumn);
  }

  void job_changed(const JobView& view, TimePoint) override {
    Job& job = job_of(view.index);
    if (job.name != view.name) job.prefix.clear();
    job.name = view.name;
    if (view.status == JobStatus::running && job.attempt != view.attempt) {
      job.lines.flush();
      job.tail.clear();
      job.attempt = view.attempt;
      std::string text = "started";
      if (view.attempt > 1) text += ", attempt " + std::to_string(view.attempt);
      event(job, symbols(context_.screen).started, Tone::dim, text);
      return;
    }
    if (!pipelines::is_completed(view.status) || job.shown_end == view.attempt) return;
    job.shown_end = view.attempt;
    job.lines.flush();
    if (context_.quiet && has_failed(view)) {
      for (const std::string& line : job.tail.lines()) put_line(job, line);
    }
    if (!context_.quiet || has_failed(view)) {
      out_ += prefix(job) +
              paint(context_.screen, outcome_tone(view),
                    std::string(outcome_symbol(context_.screen, view)) + " " + outcome_phrase(view)) +
              "\n";
    }
  }

  void job_output(std::size_t index, int, std::string_view bytes, TimePoint) override {
    Job& job = job_of(index);
    if (context_.quiet) {
      job.lines.feed_end(bytes, kTailLines);
    } else {
      job.lines.feed(bytes);
    }
  }

  void note(std::string_view text) override {
    out_ += "runner: ";
    out_ += text;
    out_ += '\n';
  }

  void tick(TimePoint) override {}
  void resize(const Screen&) override {}

  void finish(const Outcome& outcome, TimePoint) override {
    for (auto& [index, job] : jobs_) job.lines.flush();
    if (context_.quiet && outcome.status != "failed") return;
    out_ += summary_text(context_, outcome, true);
  }

  std::string take() override { return std::exchange(out_, {}); }

 private:
  struct Job {
    Job(std::size_t number, bool color, JobLines::OnLine on_line, JobLines::OnSection on_section)
        : index(number), lines(color, std::move(on_line), std::move(on_section)), tail(kTailLines) {}
    std::size_t index;
    std::string name;
    JobLines lines;
    Tail tail;
    std::string prefix;  // made when first needed
    int attempt = 0;
    int shown_end = -1;  // the attempt whose end was shown
  };

  Job& job_of(std::size_t index) {
    const auto found = jobs_.find(index);
    if (found != jobs_.end()) return found->second;
    const auto on_line = [this, index](std::string_view line) {
      Job& job = job_of(index);
      if (context_.quiet) {
        job.tail.add(line);
      } else {
        put_line(job, line);
      }
    };
    const auto on_section = [this, index](std::string_view name, bool begins) {
      job_of(index).tail.section(name, begins);
    };
    return jobs_.try_emplace(index, index, context_.screen.color, on_line, on_section).first->second;
  }

  const std::string& prefix(Job& job) const {
    if (!job.prefix.empty()) return job.prefix;
    static constexpr std::array<Tone, 5> kTones{Tone::cyan, Tone::magenta, Tone::blue, Tone::yellow,
                                                Tone::green};
    const std::string text =
        pad(context_.screen, job.name, column_) + " " + std::string(symbols(context_.screen).bar);
    job.prefix = paint(context_.screen, kTones[job.index % kTones.size()], text) + " ";
    return job.prefix;
  }

  void put_line(Job& job, std::string_view line) {
    out_ += prefix(job);
    out_ += line;
    // No blanks at the end of a line: empty lines are just the bar.
    while (out_.ends_with(' ')) out_.pop_back();
    out_ += '\n';
  }

  void event(Job& job, std::string_view mark, Tone tone, std::string_view text) {
    if (context_.quiet) return;
    out_ += prefix(job) + paint(context_.screen, tone, std::string(mark) + " " + std::string(text)) + "\n";
  }

  ViewContext context_;
  std::size_t column_ = 1;
  std::map<std::size_t, Job> jobs_;
  std::string out_;
};

}  // namespace

std::unique_ptr<View> make_plain_view(ViewContext context) {
  return std::make_unique<PlainView>(std::move(context));
}

}  // namespace runner::cli
