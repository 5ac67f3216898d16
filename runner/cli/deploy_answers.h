#pragma once
// What a server answers about environments and deployments, as values; see client_answers.h. Pure; any
// thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"

namespace runner::cli {

/// What runs in an environment.
struct CurrentAnswer {
  std::int64_t id = 0;
  std::string ref, sha, release, triggered_by;
  std::optional<TimePoint> since;
};

struct EnvironmentAnswer {
  std::string project, name;
  std::string protection;  // JSON in lines; "" = none
  std::int64_t version = 0, waiting = 0;
  std::optional<std::int64_t> holder;
  std::optional<CurrentAnswer> current;
};

struct RuleAnswer {
  std::string name;
  std::int64_t wanted = 0;
  std::vector<std::string> approved_by, who;
};

struct DecisionAnswer {
  std::string person, decision, comment, method;
  std::optional<TimePoint> at;
};

/// The same commit in another environment.
struct ElsewhereAnswer {
  std::string environment, state;
  std::optional<TimePoint> since;
  bool current = false;
  std::optional<bool> same_inputs;
};

/// What a job before gave the deployment.
struct InputAnswer {
  std::string job, archive;  // archive: "sha256:..."; "" = none
  std::uint64_t bytes = 0;
  std::vector<std::string> images;
};

struct StepAnswer {
  std::string part, unit, slot, action, result, message;
};

struct DeploymentAnswer {
  std::int64_t id = 0, number = 0;
  std::string project, environment, kind, state, job, ref, sha, triggered_by, release, reason, forced;
  std::optional<std::int64_t> pipeline;
  std::optional<TimePoint> state_since, created_at, finished_at;
  // Of one that was asked for by its id.
  std::optional<TimePoint> expires_at, opens_at, frozen_until;
  std::optional<CurrentAnswer> current;
  std::vector<RuleAnswer> rules;
  std::vector<std::string> void_ones;
  std::vector<DecisionAnswer> decisions;
  std::vector<ElsewhereAnswer> elsewhere;
  std::vector<InputAnswer> inputs;
  std::vector<StepAnswer> steps;  // the oldest first
  std::string fingerprint, plan;  // plan: JSON in lines; "" = none
};

/// All of them throw Error{corrupt} that names what is wrong when the answer is none of its kind.
EnvironmentAnswer read_environment(std::string_view json);
DeploymentAnswer read_deployment(std::string_view json);
std::vector<EnvironmentAnswer> read_environments(std::string_view json);
std::vector<DeploymentAnswer> read_deployments(std::string_view json);

/// The request that sets the protection of an environment as it was answered, with one more window in which
/// nothing is deployed; or without any. It holds the version: what somebody else changes meanwhile is not
/// lost.
std::string with_freeze(std::string_view environment, const std::string& from, const std::string& to,
                        const std::string& zone);
std::string without_freeze(std::string_view environment);

}  // namespace runner::cli
