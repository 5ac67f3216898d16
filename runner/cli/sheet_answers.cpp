#include "runner/cli/sheet_answers.h"

#include <nlohmann/json.hpp>

#include "runner/cli/client_json.h"
#include "runner/cli/client_reader.h"

namespace runner::cli {
namespace {

using nlohmann::json;

void take_steps(const Reader& outer, std::vector<OutlineStepAnswer>& steps) {
  outer.for_each("steps", [&](const json& item) {
    const Reader step(item, "step");
    OutlineStepAnswer& one = steps.emplace_back();
    step.take("part", one.part);
    step.take("text", one.text);
    step.take("commands", one.commands);
  });
}

OutlineAnswer outline_of(const json& value) {
  const Reader reader(value, "outline");
  OutlineAnswer out;
  reader.take("target", out.target);
  reader.take("strategy", out.strategy);
  reader.take("balancer", out.balancer);
  reader.take("units", out.units);
  reader.take("first_release", out.first_release);
  take_steps(reader, out.steps);
  if (const json* release = reader.find("release")) {
    const Reader of(*release, "release");
    of.take("image", out.image);
    of.take("artifact", out.artifact);
    of.take("config", out.config);
  }
  if (const json* rollback = reader.find("rollback")) {
    const Reader back(*rollback, "rollback");
    back.take("when", out.back_when);
    back.take("cannot_undo", out.cannot_undo);
    take_steps(back, out.back);
  }
  if (const json* migration = reader.find("migration")) {
    const Reader of(*migration, "migration");
    out.migrates = true;
    of.take("compatible", out.compatible);
    of.take("list", out.pending);
  }
  return out;
}

std::optional<PointAnswer> point_of(const Reader& outer, const char* name) {
  const json* value = outer.find(name);
  if (value == nullptr) return std::nullopt;
  const Reader reader(*value, "deployment");
  PointAnswer out;
  reader.take("id", out.id);
  reader.take("environment", out.environment);
  reader.take("state", out.state);
  reader.take("ref", out.ref);
  reader.take("sha", out.sha);
  reader.take("release", out.release);
  reader.take("triggered_by", out.triggered_by);
  reader.take("created_at", out.created_at);
  reader.take("finished_at", out.finished_at);
  return out;
}

void take_commits(const Reader& outer, const char* name, std::vector<CommitAnswer>& commits) {
  outer.for_each(name, [&](const json& item) {
    const Reader commit(item, "commit");
    CommitAnswer& one = commits.emplace_back();
    commit.take("sha", one.sha);
    commit.take("author", one.author);
    commit.take("subject", one.subject);
  });
}

CommitRangeAnswer commits_of(const Reader& outer) {
  CommitRangeAnswer out;
  const json* value = outer.find("commits");
  if (value == nullptr) return out;
  const Reader reader(*value, "commits");
  reader.take("known", out.known);
  reader.take("why", out.why);
  take_commits(reader, "new", out.added);
  take_commits(reader, "gone", out.gone);
  reader.take("new_total", out.added_total);
  reader.take("gone_total", out.gone_total);
  reader.take("files_changed", out.files);
  return out;
}

void take_text(const Reader& reader, const char* name, std::optional<std::string>& out) {
  if (reader.find(name) != nullptr) reader.take(name, out.emplace());
}

std::optional<std::vector<ChangeAnswer>> changes_of(const Reader& outer, const char* name,
                                                    const char* called) {
  if (outer.find(name) == nullptr) return std::nullopt;
  std::vector<ChangeAnswer> out;
  outer.for_each(name, [&](const json& item) {
    const Reader change(item, "change");
    ChangeAnswer& one = out.emplace_back();
    change.take(called, one.what);
    change.take("change", one.change);
    take_text(change, "before", one.before);
    take_text(change, "after", one.after);
  });
  return out;
}

std::optional<std::vector<VariableChangeAnswer>> variables_of(const Reader& outer) {
  if (outer.find("variables") == nullptr) return std::nullopt;
  std::vector<VariableChangeAnswer> out;
  outer.for_each("variables", [&](const json& item) {
    const Reader variable(item, "variable");
    VariableChangeAnswer& one = out.emplace_back();
    variable.take("key", one.key);
    variable.take("environment_scope", one.scope);
    variable.take("version", one.version);
    variable.take("change", one.change);
  });
  return out;
}

DiffAnswer diff_of(const Reader& reader, const char* from, const char* to) {
  DiffAnswer out;
  reader.require("environment");
  reader.take("project", out.project);
  reader.take("environment", out.environment);
  take_text(reader, "other", out.other);
  out.from = point_of(reader, from);
  out.to = point_of(reader, to);
  out.commits = commits_of(reader);
  out.block = changes_of(reader, "block", "key");
  out.inputs = changes_of(reader, "inputs", "what");
  out.variables = variables_of(reader);
  return out;
}

}  // namespace

PlanAnswer read_plan(std::string_view text) {
  const json document = parse_answer(text);
  const Reader reader(document, "plan");
  PlanAnswer out;
  for (const char* name : {"id", "carried_out_by"}) reader.require(name);
  reader.take("id", out.id);
  reader.take("number", out.number);
  reader.take("project", out.project);
  reader.take("environment", out.environment);
  reader.take("state", out.state);
  reader.take("job", out.job);
  reader.take("ref", out.ref);
  reader.take("sha", out.sha);
  reader.take("release", out.release);
  reader.take("carried_out_by", out.carried_out_by);
  reader.take("why", out.why);
  reader.take("script", out.script);
  if (const json* outline = reader.find("outline")) out.outline = outline_of(*outline);
  if (const json* before = reader.find("before")) {
    const Reader of(*before, "before");
    of.take("known_by", out.known_by);
    of.take("deployment", out.before);
  }
  if (const json* approvals = reader.find("approvals")) {
    const Reader of(*approvals, "approvals");
    of.take("changed_since", out.changed_since);
    of.take("of_something_else", out.of_something_else);
    of.take("void", out.void_ones);
  }
  return out;
}

DiffAnswer read_deployment_diff(std::string_view text) {
  const json document = parse_answer(text);
  return diff_of(Reader(document, "diff"), "base", "candidate");
}

DiffAnswer read_environment_diff(std::string_view text) {
  const json document = parse_answer(text);
  return diff_of(Reader(document, "diff"), "has_not", "has");
}

}  // namespace runner::cli
