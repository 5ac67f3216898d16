#include "runner/cli/sheet_text.h"

#include <utility>
#include <vector>

#include "runner/base/text.h"
#include "runner/cli/client_times.h"
#include "runner/cli/deploy_text.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kShortSha = 8;

void add(Facts& facts, const char* name, std::string value) {
  if (!value.empty()) facts.emplace_back(name, std::move(value));
}

std::string lines_text(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + printable(line);
  return text;
}

/// Numbered, each with its commands below it.
std::string steps_text(const std::vector<OutlineStepAnswer>& steps) {
  std::string text;
  std::size_t number = 0;
  for (const OutlineStepAnswer& step : steps) {
    text += (text.empty() ? "" : "\n") + std::to_string(++number) + ". " + printable(step.text);
    for (const std::string& command : step.commands) text += "\n     " + printable(command);
  }
  return text;
}

std::string before_text(const PlanAnswer& plan) {
  const std::string of = plan.before ? "deployment " + std::to_string(*plan.before) : std::string("nothing");
  if (plan.known_by == "seen") return of + ", as it was seen there when this one began";
  if (plan.known_by == "deployment") return of + ", as that left it";
  if (plan.known_by == "unknown")
    return of + ", which left no journal: where it runs is seen when this one begins";
  return "nothing that was deployed from here";
}

std::string release_text(const OutlineAnswer& outline) {
  std::vector<std::string> parts;
  if (!outline.image.empty()) parts.push_back("image " + outline.image);
  if (!outline.artifact.empty()) parts.push_back("artifact " + outline.artifact);
  for (const std::string& file : outline.config) parts.push_back("config " + file);
  return parts.empty() ? "the commit" : lines_text(parts);
}

std::string changed_text(const PlanAnswer& plan) {
  if (!plan.changed_since) return {};
  return "YES: " + printable(join(plan.of_something_else, ", ")) + " agreed to something else";
}

std::string when_back_text(const OutlineAnswer& outline) {
  if (outline.back_when.size() == 1 && outline.back_when.front() == "abort")
    return "not by itself: it pauses, and 'runner deploy abort' rolls back";
  return "by itself after: " + printable(join(outline.back_when, ", "));
}

void add_outline(Facts& facts, const OutlineAnswer& outline) {
  add(facts, "target",
      printable(outline.target) + ", " + printable(outline.strategy) +
          (outline.balancer.empty() ? "" : ", behind " + printable(outline.balancer)));
  add(facts, "units", printable(join(outline.units, ", ")));
  add(facts, "brings", release_text(outline));
  if (outline.migrates) {
    add(facts, "migration",
        outline.compatible ? "compatible: the old release works with the new schema"
                           : "NOT compatible: the old release does not work with the "
                             "new schema");
    add(facts, "pending by", lines_text(outline.pending));
  }
  add(facts, "steps", steps_text(outline.steps));
  add(facts, "rollback", when_back_text(outline));
  add(facts, "way back", steps_text(outline.back));
  add(facts, "not undone", lines_text(outline.cannot_undo));
}

std::string point_text(const std::optional<PointAnswer>& point, const Clock& clock) {
  if (!point) return "nothing that was deployed from here";
  std::string text = commit_text(point->ref, point->sha) + ", deployment " + std::to_string(point->id) +
                     " to " + in_quotes(printable(point->environment)) + ", " + printable(point->state);
  const auto& when = point->finished_at ? point->finished_at : point->created_at;
  if (when) text += ", " + when_text(when, clock);
  return point->triggered_by.empty() ? text : text + ", started by " + printable(point->triggered_by);
}

std::string commits_text(const std::vector<CommitAnswer>& commits, std::int64_t total) {
  std::string text;
  for (const CommitAnswer& one : commits)
    text += (text.empty() ? "" : "\n") + printable(one.sha.substr(0, kShortSha)) + " " +
            printable(one.author) + ": " + printable(one.subject);
  const std::int64_t more = total - static_cast<std::int64_t>(commits.size());
  return more > 0 ? text + "\n... " + std::to_string(more) + " more" : text;
}

/// A value of a block may have lines of its own.
std::string side_text(const std::optional<std::string>& value) {
  return value ? printable(*value) : std::string("nothing");
}

std::string changes_text(const std::optional<std::vector<ChangeAnswer>>& changes) {
  if (!changes) return "not known";
  std::string text;
  for (const ChangeAnswer& one : *changes)
    text += (text.empty() ? "" : "\n") + printable(one.what) + " " + printable(one.change) + ": " +
            side_text(one.before) + " -> " + side_text(one.after);
  return text.empty() ? "unchanged" : text;
}

std::string variables_text(const std::vector<VariableChangeAnswer>& variables) {
  std::string text;
  for (const VariableChangeAnswer& one : variables)
    text += (text.empty() ? "" : "\n") + printable(one.key) + " (" + printable(one.scope) + "), version " +
            std::to_string(one.version) + ": " + printable(one.change);
  return text.empty() ? "none" : text;
}

}  // namespace

std::string plan_sheet(const Screen& screen, const PlanAnswer& plan) {
  Facts facts;
  add(facts, "deployment",
      std::to_string(plan.id) + ", number " + std::to_string(plan.number) + " there, " +
          printable(plan.state));
  add(facts, "environment",
      in_quotes(printable(plan.environment)) + " of " + in_quotes(printable(plan.project)));
  add(facts, "commit", commit_text(plan.ref, plan.sha));
  add(facts, "job", printable(plan.job));
  add(facts, "changed since approvals", changed_text(plan));
  add(facts, "void", lines_text(plan.void_ones));
  if (plan.carried_out_by == "script") {
    add(facts, "does", "its job has a script of its own, and nobody knows what that does but its lines");
    add(facts, "script", lines_text(plan.script));
    add(facts, "rollback", "none by itself: 'runner deploy rollback' runs the job that deployed before");
  } else if (plan.outline) {
    add(facts, "runs now", before_text(plan));
    add_outline(facts, *plan.outline);
  }
  add(facts, "not known", printable(plan.why));
  return facts_text(screen, facts);
}

std::string diff_sheet(const Screen& screen, const Clock& clock, const DiffAnswer& diff,
                       const std::string& from, const std::string& to) {
  Facts facts;
  const CommitRangeAnswer& commits = diff.commits;
  facts.emplace_back(from, point_text(diff.from, clock));
  facts.emplace_back(to, point_text(diff.to, clock));
  if (!diff.from || !diff.to) return facts_text(screen, facts);
  if (commits.known) {
    add(facts, "commits",
        format_count(static_cast<std::uint64_t>(commits.added_total), "commit") + ", " +
            format_count(static_cast<std::uint64_t>(commits.files), "file") + " changed");
    add(facts, "new", commits_text(commits.added, commits.added_total));
    add(facts, "GONE", commits_text(commits.gone, commits.gone_total));
  } else {
    add(facts, "commits", "not known: " + printable(commits.why));
  }
  add(facts, "archives and images", changes_text(diff.inputs));
  if (diff.block) add(facts, "deploy:", changes_text(diff.block));
  if (diff.variables) add(facts, "variables", variables_text(*diff.variables));
  return facts_text(screen, facts);
}

std::string commit_ids(const DiffAnswer& diff) {
  std::string text;
  for (const CommitAnswer& one : diff.commits.added) text += printable(one.sha) + "\n";
  return text;
}

}  // namespace runner::cli
