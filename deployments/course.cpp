#include "deployments/course.h"

#include <algorithm>

namespace runner::deployments {

StrategyInput course_input(const pipelines::DeploySpec& spec, const CourseShape& shape,
                           const std::string& candidate) {
  StrategyInput input;
  input.strategy = spec.strategy;
  input.units = shape.units;
  input.slots = uses_slots(spec.strategy, shape.slots);
  input.balanced = shape.balanced;
  input.candidate = candidate;
  input.smoke = !spec.smoke.before_switch.empty();
  return input;
}

std::vector<MigrationRun> migration_runs(const pipelines::DeploySpec& spec) {
  if (!spec.migrate) return {};
  std::vector<MigrationRun> runs;
  if (spec.migrate->backup_before) runs.push_back({0, "backup", spec.migrate->backup});
  runs.push_back({1, "migrate", spec.migrate->run});
  return runs;
}

std::vector<MigrationRun> migration_undo(const pipelines::DeploySpec& spec) {
  if (!spec.migrate || spec.migrate->compatible) return {};
  return {{2, "down", spec.migrate->down}};
}

std::vector<Phase> plan_closing(const pipelines::DeploySpec& spec, const StrategyInput& input,
                                const Snapshot& before) {
  std::vector<Phase> phases = plan_left_over(input, before);
  if (spec.rollback.keep_old.count() == 0)
    for (Phase& phase : plan_retirement(input, before)) phases.push_back(std::move(phase));
  return phases;
}

bool rolls_back(const pipelines::RollbackSpec& spec, Trouble trouble) {
  if (trouble == Trouble::abort) return true;  // a person said so
  const bool wished = trouble == Trouble::health    ? spec.on_health
                      : trouble == Trouble::smoke   ? spec.on_smoke
                      : trouble == Trouble::checks  ? spec.on_checks
                      : trouble == Trouble::timeout ? spec.on_timeout
                                                    : true;
  return spec.automatic && wished;
}

// With two places nobody notices when all go back at once; with one, as few are gone at a time as before.
bool back_at_once(const StrategyInput& input) {
  return input.slots || input.strategy.type == pipelines::DeployStrategy::recreate;
}

std::vector<std::pair<std::size_t, Phase>> way_back(const StrategyInput& input, const Snapshot& before,
                                                    const std::string& unit, const UnitState& now) {
  const Place old{unit, slot_in_use(before, unit, input.slots)};
  const auto held = now.find(old.slot);
  const UnitState& then = before.units.at(unit);
  const auto wanted = then.find(old.slot);
  // What ran before still runs: traffic goes back to it at once.
  const bool untouched =
      input.slots && held != now.end() && wanted != then.end() && held->second == wanted->second;
  std::vector<Phase> phases = plan_rollback(input, before, {unit});
  std::vector<std::pair<std::size_t, Phase>> way;
  for (std::size_t n = 0; n < phases.size(); ++n) {
    const Phase& phase = phases[n];
    const bool of_old = std::find(phase.places.begin(), phase.places.end(), old) != phase.places.end();
    const bool bring_up =
        phase.action == Action::place || phase.action == Action::start || phase.action == Action::probe;
    if (untouched && of_old && bring_up) continue;
    way.emplace_back(n, std::move(phases[n]));
  }
  return way;
}

}  // namespace runner::deployments
