#include <algorithm>

#include "deployments/drive.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"

namespace runner::deployments {
namespace {

/// Numbers of one unit's way back, in the journal.
constexpr std::size_t kPhasesPerUnit = 100;

}  // namespace

void Drive::give_up(Trouble trouble, const std::string& why) {
  tell(why);
  switch (journal_.state()) {
    case State::locked:
    case State::preparing:
    case State::snapshotted:
      return journal_.go(State::failed, why);
    case State::finalizing: {
      // There is no way back any more: all traffic is the candidate's.
      tell("what ran before could not be ended: " + why);
      return journal_.go(State::succeeded, why);
    }
    case State::rolling_back:
      return journal_.go(State::rollback_failed, why);
    default:
      break;
  }
  const bool may_hold = may_follow(journal_.state(), State::paused);
  if (!rolls_back(order_.spec.rollback, trouble) && may_hold) {
    const State after = journal_.state();
    return pause(why, after);
  }
  watch_.retreat();
  journal_.go(State::rolling_back, why);
}

void Drive::roll_back() {
  watch_.retreat();
  const Fence fence{order_.environment, static_cast<std::uint64_t>(journal_.record().fence),
                    std::to_string(journal_.record().id)};
  tell("rolling back: " + journal_.record().reason);
  const std::set<std::string> touched = journal_.touched(Part::forward);
  std::vector<std::string> units;
  for (const std::string& unit : parts_.target.units())
    if (touched.count(unit) > 0) units.push_back(unit);

  std::map<std::string, std::string> failures;
  if (std::string failed = undo_migration(); !failed.empty()) failures["*"] = std::move(failed);
  std::mutex lock;
  const auto go_back = [&](const std::string& unit) {
    const auto at = std::find(units.begin(), units.end(), unit) - units.begin();
    std::string failed;
    try {
      parts_.target.claim(unit, fence, order_.spec.timeout.lock, {});
      failed = roll_back_unit(unit, static_cast<std::size_t>(at) * kPhasesPerUnit);
    } catch (const JournalFailed&) {
      throw;
    } catch (const Error& error) {
      failed = error.what();
    }
    const std::scoped_lock guard(lock);
    if (!failed.empty()) failures[unit] = std::move(failed);
  };
  if (failures.empty()) {
    if (back_at_once(input())) {
      if (!units.empty()) for_units(units, go_back);
    } else {
      for (auto unit = units.rbegin(); unit != units.rend(); ++unit) go_back(*unit);
    }
  }
  watch_.check();
  if (failures.empty()) {
    tell("rolled back");
    return journal_.go(State::rolled_back, journal_.record().reason);
  }
  std::string why;
  for (const auto& [unit, failed] : failures)
    why += (why.empty() ? "" : "; ") + (unit == "*" ? "" : unit + ": ") + failed;
  tell("the rollback failed: " + why);
  journal_.go(State::rollback_failed, why);
}

std::string Drive::roll_back_unit(const std::string& unit, std::size_t first_n) {
  for (const auto& [number, step] : way_back(input(), before(), unit, parts_.target.observe(unit, {}))) {
    const std::size_t n = number;
    const Phase& phase = step;
    {
      const std::scoped_lock guard(rollback_lock_);
      if (journal_.is_done(Part::rollback, first_n + n, phase.places)) continue;
      journal_.begin(Part::rollback, first_n + n, to_string(phase.action), phase.places);
    }
    std::string failed;
    try {
      failpoint("deploy.rollback_phase");
      const bool of_balancer = phase.action == Action::admit || phase.action == Action::drain;
      std::unique_lock<std::mutex> guard(rollback_lock_, std::defer_lock);
      if (of_balancer) guard.lock();
      perform(phase, order_, parts_, {});
    } catch (const Error& error) {
      failed = error.what();
    } catch (const PhaseFailed& error) {
      failed = error.what();
    }
    const std::scoped_lock guard(rollback_lock_);
    journal_.complete(Part::rollback, first_n + n, phase.places, failed.empty(), failed);
    if (!failed.empty()) return failed;
  }
  return {};
}

std::string Drive::undo_migration() {
  const std::vector<MigrationRun> runs = migration_undo(order_.spec);
  if (runs.empty() || !journal_.was_begun(Part::migrate, 1)) return {};
  const MigrationRun& undo = runs.front();
  const pipelines::MigrationSpec& migration = *order_.spec.migrate;
  const std::string unit = parts_.target.units().front();
  const std::vector<Place> places{{unit, Slot::single}};
  if (journal_.is_done(Part::migrate, undo.n, places)) return {};
  if (undo.commands.empty())
    return "the old code does not work with the new schema, and there is no migrate:down to undo it";
  journal_.begin(Part::migrate, undo.n, undo.name, places);
  TargetCommand command;
  command.name = undo.name;
  for (const std::string& line : undo.commands) command.script += line + "\n";
  command.release = order_.release.id;
  command.env = order_.env;
  command.timeout = migration.timeout;
  command.survives = true;
  std::string failed;
  try {
    const CommandResult result = parts_.target.run(unit, Slot::single, command, parts_.tell, {});
    if (result.end == CommandEnd::unknown)
      failed = "whether 'down' was done is unknown";
    else if (result.end == CommandEnd::timeout)
      failed = "'down' took too long";
    else if (result.exit_code != 0)
      failed = "'down' ended with exit code " + std::to_string(result.exit_code);
  } catch (const Error& error) {
    failed = error.what();
  }
  journal_.complete(Part::migrate, undo.n, places, failed.empty(), failed);
  return failed;
}

void retire(std::int64_t deployment, const DeployOrder& order, const DriverParts& parts,
            const std::stop_token& stop) {
  std::optional<storage::DeploymentRecord> record;
  bool current = false;
  parts.store.read([&](storage::Tx& tx) {
    record = storage::Deployments(tx).find(deployment);
    if (!record) return;
    const auto environment = storage::Environments(tx).find(record->environment);
    current = environment && environment->current == deployment && !environment->holder;
  });
  if (!record || !current || record->state != to_string(State::succeeded) || record->snapshot.empty()) return;
  const StrategyInput input =
      course_input(order.spec, {parts.target.units(), parts.target.has_slots(), parts.balancer != nullptr},
                   order.release.id);
  const Fence fence{order.environment, static_cast<std::uint64_t>(record->fence), std::to_string(deployment)};
  for (const std::string& unit : input.units) parts.target.claim(unit, fence, order.spec.timeout.lock, stop);
  for (const Phase& phase : plan_retirement(input, parse_snapshot(record->snapshot)))
    perform(phase, order, parts, stop);
  for (const std::string& unit : input.units) parts.target.leave(unit);
}

}  // namespace runner::deployments
