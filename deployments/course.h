#pragma once
// What a deployment goes through, decided once: the driver carries this out, and people are told it before
// (outline.h). Pure; any thread.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "deployments/phases.h"
#include "deployments/strategy.h"
#include "pipelines/deploy_spec.h"

namespace runner::deployments {

/// What a block's target and balancer are, as far as the way depends on it.
struct CourseShape {
  std::vector<std::string> units;
  bool slots = false;     // the target has two places a unit
  bool balanced = false;  // there is a balancer
};
StrategyInput course_input(const pipelines::DeploySpec& spec, const CourseShape& shape,
                           const std::string& candidate);

/// One that is done once, on the first unit. `n`: its number in the journal.
struct MigrationRun {
  std::size_t n = 0;
  std::string name;
  std::vector<std::string> commands;
};
/// Before any traffic is the candidate's, one after the other.
std::vector<MigrationRun> migration_runs(const pipelines::DeploySpec& spec);
/// Of a rollback, before all else: what undoes the migration. Nothing where it stays. Without commands: it
/// would have to be undone, and cannot.
std::vector<MigrationRun> migration_undo(const pipelines::DeploySpec& spec);

/// What no unit is for any more ends, and the old places, unless they are kept.
std::vector<Phase> plan_closing(const pipelines::DeploySpec& spec, const StrategyInput& input,
                                const Snapshot& before);

/// Whether this ends in a rollback, or waits for a person.
bool rolls_back(const pipelines::RollbackSpec& spec, Trouble trouble);
/// All units go back at once; else one after the other, the last first.
bool back_at_once(const StrategyInput& input);
/// Phases of plan_rollback() for one unit with their numbers, without those that have nothing to do, as what
/// ran before still runs `now`.
std::vector<std::pair<std::size_t, Phase>> way_back(const StrategyInput& input, const Snapshot& before,
                                                    const std::string& unit, const UnitState& now);

}  // namespace runner::deployments
