#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <span>

#include "runner/base/text.h"
#include "runner/cli/plan_view.h"

namespace runner::cli {
namespace {

using pipelines::ExcludedJob;
using pipelines::Plan;
using pipelines::PlanJob;
using pipelines::PlanResult;
using pipelines::RuleTrace;
using pipelines::When;

constexpr std::size_t kMaxNameColumn = 40;

std::size_t name_column(const Plan& plan) {
  std::size_t width = 1;
  for (const PlanJob& job : plan.jobs) width = std::max(width, display_width(job.name));
  return std::min(width, kMaxNameColumn);
}

std::string names_of(const Plan& plan, std::span<const std::size_t> jobs) {
  std::vector<std::string> names;
  names.reserve(jobs.size());
  for (const std::size_t job : jobs) names.push_back("'" + plan.jobs[job].name + "'");
  return join(names, ", ");
}

// "manual", "on failure", "allowed to fail" ...: what is not the ordinary.
std::string traits(const PlanJob& job) {
  std::vector<std::string> words;
  if (job.manual_job) {
    words.emplace_back(job.allow_failure.always ? "manual" : "manual, later stages wait for it");
  } else if (job.when != When::on_success) {
    words.push_back(replace_all(pipelines::to_string(job.when), "_", " "));
  }
  if (job.start_in) words.push_back("in " + format_duration(*job.start_in));
  if (!job.manual_job && (job.allow_failure.always || !job.allow_failure.exit_codes.empty())) {
    words.emplace_back("may fail");
  }
  if (job.image_build) words.emplace_back("builds an image");
  if (job.image) words.push_back("image " + job.image->name);
  if (job.environment) words.push_back("environment " + job.environment->name);
  if (job.trigger) words.emplace_back("trigger");
  if (!job.unsupported.empty()) words.push_back("cannot run here: " + job.unsupported);
  return join(words, ", ");
}

std::string needs_phrase(const Plan& plan, const PlanJob& job) {
  if (!job.dag) return {};
  if (job.needs.empty()) return "starts at once";
  std::vector<std::size_t> jobs;
  for (const pipelines::Need& need : job.needs) jobs.push_back(need.job);
  return "needs " + names_of(plan, jobs);
}

std::string job_line(const Screen& screen, const Plan& plan, const PlanJob& job, std::size_t column) {
  std::vector<std::string> parts;
  for (std::string part : {traits(job), needs_phrase(plan, job)}) {
    if (!part.empty()) parts.push_back(std::move(part));
  }
  const std::string rest = join(parts, "; ");
  if (rest.empty()) return job.name;
  return pad(screen, job.name, std::max(column, std::min(display_width(job.name), column))) + "  " +
         paint(screen, Tone::dim, rest);
}

std::string place(const PlanResult& result, const pipelines::SourceRange& where) {
  if (!where.known() || !result.sources) return {};
  return fmt::format("{}:{}:{}", result.sources->name(where.file), where.line, where.column);
}

std::string trace_text(const Screen& screen, const PlanResult& result, const std::vector<RuleTrace>& traces) {
  std::string out;
  for (const RuleTrace& trace : traces) {
    const Symbols& marks = symbols(screen);
    out += fmt::format(
        "  {} {}  {}\n",
        trace.matched ? paint(screen, Tone::green, marks.passed) : paint(screen, Tone::dim, marks.failed),
        place(result, trace.where), trace.matched ? "matches" : "does not match");
    for (const std::string& line : trace.lines) out += "      " + line + "\n";
  }
  return out;
}

std::string explain_workflow(const Screen& screen, const PlanResult& result) {
  if (result.outcome != pipelines::PlanOutcome::filtered) return {};
  return paint(screen, Tone::bold, "there is no pipeline") + ": " + result.why + "\n" +
         trace_text(screen, result, result.workflow_trace);
}

std::string explain_planned(const Screen& screen, const PlanResult& result, const PlanJob& job) {
  const Plan& plan = *result.plan;
  std::string out =
      fmt::format("{} is in the pipeline, in stage '{}'  ({})\n",
                  paint(screen, Tone::bold, "'" + job.name + "'"), job.stage, place(result, job.where));
  out += trace_text(screen, result, job.rule_trace);
  if (const std::string text = traits(job); !text.empty()) out += "  " + text + "\n";
  if (job.dag) {
    out += "  " + needs_phrase(plan, job) + "\n";
  } else if (job.stage_index > 0) {
    out += fmt::format("  waits for all jobs of earlier stages\n");
  }
  std::vector<std::size_t> sources;
  std::copy_if(job.artifact_sources.begin(), job.artifact_sources.end(), std::back_inserter(sources),
               [&](std::size_t source) { return plan.jobs[source].hands_over(); });
  if (!sources.empty()) out += "  takes artifacts of " + names_of(plan, sources) + "\n";
  return out;
}

std::string explain_excluded(const Screen& screen, const PlanResult& result, const ExcludedJob& job) {
  return fmt::format("{} is not in the pipeline: {}  ({})\n", paint(screen, Tone::bold, "'" + job.name + "'"),
                     job.why, place(result, job.where)) +
         trace_text(screen, result, job.rule_trace);
}

}  // namespace

std::string list_text(const Screen& screen, const Plan& plan, bool names_only) {
  std::string out;
  std::size_t stages = 1;
  for (const std::string& stage : plan.stages) stages = std::max(stages, display_width(stage));
  const std::size_t column = name_column(plan);
  for (const PlanJob& job : plan.jobs) {
    if (names_only) {
      out += job.name + "\n";
    } else {
      out += pad(screen, job.stage, stages) + "  " + job_line(screen, plan, job, column) + "\n";
    }
  }
  return out;
}

std::string plan_text(const Screen& screen, const PlanResult& result) {
  const Plan& plan = *result.plan;
  std::string out;
  if (!plan.name.empty()) out += paint(screen, Tone::bold, plan.name) + "\n";
  const std::size_t column = name_column(plan);
  for (std::size_t stage = 0; stage < plan.stages.size(); ++stage) {
    out += paint(screen, Tone::bold, plan.stages[stage]) + "\n";
    for (const PlanJob& job : plan.jobs) {
      if (job.stage_index == stage) out += "  " + job_line(screen, plan, job, column) + "\n";
    }
  }
  if (result.excluded.empty() && plan.excluded.empty()) return out;
  out += paint(screen, Tone::bold, "not in this pipeline") + "\n";
  const auto& left_out = plan.excluded.empty() ? result.excluded : plan.excluded;
  std::size_t width = column;
  for (const ExcludedJob& job : left_out)
    width = std::max(width, std::min(display_width(job.name), kMaxNameColumn));
  for (const ExcludedJob& job : left_out) {
    out += "  " + pad(screen, job.name, width) + "  " + paint(screen, Tone::dim, job.why) + "\n";
  }
  return out;
}

std::optional<std::string> explain_text(const Screen& screen, const PlanResult& result,
                                        std::string_view name) {
  std::string out;
  if (result.plan) {
    for (const PlanJob& job : result.plan->jobs) {
      if (job.name == name || job.group_name == name) out += explain_planned(screen, result, job);
    }
  }
  for (const ExcludedJob& job :
       result.plan && !result.plan->excluded.empty() ? result.plan->excluded : result.excluded) {
    if (job.name == name) out += explain_excluded(screen, result, job);
  }
  if (out.empty()) out = explain_workflow(screen, result);
  if (out.empty()) return std::nullopt;
  return out;
}

}  // namespace runner::cli
