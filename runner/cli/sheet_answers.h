#pragma once
// What a server answers about the way of a deployment and about what it brings, as values; see
// client_answers.h. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"

namespace runner::cli {

struct OutlineStepAnswer {
  std::string part, text;
  std::vector<std::string> commands;
};

struct OutlineAnswer {
  std::string target, strategy, balancer, image, artifact;
  std::vector<std::string> units, config;
  bool first_release = false;
  std::vector<OutlineStepAnswer> steps, back;
  std::vector<std::string> back_when, cannot_undo;
  bool migrates = false, compatible = false;
  std::vector<std::string> pending;  // the commands that list what is to be migrated
};

struct PlanAnswer {
  std::int64_t id = 0, number = 0;
  std::string project, environment, state, job, ref, sha, release, carried_out_by, why;
  std::vector<std::string> script;
  std::optional<OutlineAnswer> outline;
  std::string known_by;  // what is taken for what runs there: seen, deployment, unknown, nothing
  std::optional<std::int64_t> before;
  bool changed_since = false;
  std::vector<std::string> of_something_else, void_ones;
};

struct PointAnswer {
  std::int64_t id = 0;
  std::string environment, state, ref, sha, release, triggered_by;
  std::optional<TimePoint> created_at, finished_at;
};

struct CommitAnswer {
  std::string sha, author, subject;
};

struct CommitRangeAnswer {
  bool known = false;
  std::string why;
  std::vector<CommitAnswer> added, gone;
  std::int64_t added_total = 0, gone_total = 0, files = 0;
};

/// One thing that differs; before and after may be nothing.
struct ChangeAnswer {
  std::string what, change;
  std::optional<std::string> before, after;
};

struct VariableChangeAnswer {
  std::string key, scope, change;
  std::int64_t version = 0;
};

/// Of a deployment, or of two environments.
struct DiffAnswer {
  std::string project, environment;
  std::optional<std::string> other;  // environment
  std::optional<PointAnswer> from, to;
  CommitRangeAnswer commits;
  // nullopt: it is not known.
  std::optional<std::vector<ChangeAnswer>> block, inputs;
  std::optional<std::vector<VariableChangeAnswer>> variables;
};

/// All of them throw Error{corrupt} that names what is wrong when the answer is none of its kind.
PlanAnswer read_plan(std::string_view json);
DiffAnswer read_deployment_diff(std::string_view json);
DiffAnswer read_environment_diff(std::string_view json);

}  // namespace runner::cli
