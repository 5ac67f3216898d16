#include "deployments/driver.h"

#include <algorithm>
#include <utility>

#include "deployments/drive.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/text.h"

namespace runner::deployments {

Drive::Drive(std::int64_t deployment, const DeployOrder& order, const DriverParts& parts,
             std::stop_token abort)
    : order_(order),
      parts_(parts),
      journal_(parts.store, parts.clock, deployment, parts.on_change),
      watch_(journal_.record(), order.spec.timeout, parts, std::move(abort)),
      before_(journal_.snapshot()) {}

StrategyInput Drive::input() const {
  return course_input(order_.spec,
                      {parts_.target.units(), parts_.target.has_slots(), parts_.balancer != nullptr},
                      order_.release.id);
}

const Snapshot& Drive::before() {
  if (!before_) throw Error(ErrorCode::internal, "the deployment has no snapshot");
  return *before_;
}

DriveEnd Drive::run() {
  recovering_ = journal_.state() != State::locked;
  try {
    while (!is_end(journal_.state()) && journal_.state() != State::rollback_failed) {
      try {
        advance();
      } catch (const PhaseFailed& failed) {
        give_up(failed.trouble(), failed.what());
      } catch (const JournalFailed&) {
        throw;
      } catch (const Error& error) {
        give_up(Trouble::machinery, error.what());
      }
    }
  } catch (const LostFence&) {
    tell("another process goes on with this deployment");
    return DriveEnd::lost;
  } catch (const StaleFence& stale) {
    tell(stale.what());
    return DriveEnd::lost;
  }
  for (const std::string& unit : parts_.target.units()) parts_.target.leave(unit);
  return DriveEnd::ended;
}

void Drive::advance() {
  if (journal_.state() == State::rolling_back) return roll_back();
  claim();
  if (std::exchange(recovering_, false)) recover();
  switch (journal_.state()) {
    case State::locked:
      return journal_.go(State::preparing);
    case State::preparing:
      prepare();
      return take_snapshot();
    case State::snapshotted:
      return journal_.go(order_.spec.migrate ? State::migrating : State::progressing);
    case State::migrating:
      migrate();
      return journal_.go(State::progressing);
    case State::paused:
      return pause({}, after_pause());
    case State::progressing:
      go_forward();
      return journal_.go(State::switched);
    case State::switched:
      return journal_.go(State::verifying);
    case State::verifying:
      verify();
      return journal_.go(State::finalizing);
    case State::finalizing:
      return finish();
    default:
      throw Error(ErrorCode::internal, "a deployment that is " + std::string(to_string(journal_.state())) +
                                           " cannot be carried out");
  }
}

void Drive::claim() {
  if (journal_.state() != State::locked && !recovering_) return;
  const Fence fence{order_.environment, static_cast<std::uint64_t>(journal_.record().fence),
                    std::to_string(journal_.record().id)};
  for_units(parts_.target.units(), [&](const std::string& unit) {
    parts_.target.claim(unit, fence, order_.spec.timeout.lock, watch_.stop());
  });
  watch_.check();
}

void Drive::prepare() {
  std::vector<Place> places;
  for (const std::string& unit : parts_.target.units()) places.push_back({unit, Slot::single});
  if (journal_.is_done(Part::prepare, 0, places)) return;
  journal_.begin(Part::prepare, 0, "prepare", places);
  for_units(parts_.target.units(),
            [&](const std::string& unit) { parts_.target.prepare(unit, order_.release, watch_.stop()); });
  watch_.check();
  journal_.complete(Part::prepare, 0, places, true);
  watch_.progressed();
}

void Drive::take_snapshot() {
  Snapshot seen;
  std::mutex lock;
  for_units(parts_.target.units(), [&](const std::string& unit) {
    UnitState state = parts_.target.observe(unit, watch_.stop());
    const std::scoped_lock guard(lock);
    seen.units[unit] = std::move(state);
  });
  for (const auto& [unit, slot] : parts_.target.left_over(watch_.stop())) seen.left_over.insert({unit, slot});
  if (parts_.balancer != nullptr) {
    std::vector<Place> places;
    for (const std::string& unit : parts_.target.units()) {
      if (!input().slots)
        places.push_back({unit, Slot::single});
      else
        for (const Slot slot : {Slot::blue, Slot::green}) places.push_back({unit, slot});
    }
    seen.servers = parts_.balancer->observe(places, watch_.stop());
    for (const Place& place : seen.left_over) {
      try {
        seen.servers.merge(parts_.balancer->observe({place}, watch_.stop()));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::not_found) throw;  // else its server has gone before it
      }
    }
  }
  watch_.check();
  before_ = seen;
  journal_.go_with_snapshot(State::snapshotted, seen);
}

void Drive::recover() {
  const State state = journal_.state();
  tell("going on with a deployment that was " + std::string(to_string(state)) +
       " when the process before this one ended");
  if (!before_ || state == State::finalizing) return;
  if (state != State::snapshotted && order_.spec.rollback.on_restart == pipelines::AfterRestart::rollback)
    throw PhaseFailed(Trouble::machinery, "the process before this one ended (rollback:on_restart)");
  // What each place holds is from before, or ours; else somebody was at work beside us.
  const std::string candidate = order_.release.id;
  for_units(parts_.target.units(), [&](const std::string& unit) {
    const UnitState now = parts_.target.observe(unit, watch_.stop());
    const auto known = before().units.find(unit);
    if (known == before().units.end())
      throw PhaseFailed(Trouble::machinery, unit + " was not there when this deployment began");
    const UnitState& then = known->second;
    for (const auto& [slot, held] : now) {
      const auto found = then.find(slot);
      const std::string old = found == then.end() ? std::string() : found->second.release;
      if (held.release != candidate && held.release != old)
        throw PhaseFailed(Trouble::machinery, unit + " holds release " + in_quotes(held.release) +
                                                  " in its place '" + std::string(to_string(slot)) +
                                                  "', which this deployment did not put there");
    }
  });
  watch_.check();
  if (order_.spec.rollback.on_restart == pipelines::AfterRestart::hold &&
      (state == State::progressing || state == State::migrating)) {
    const State after = state;
    journal_.go(State::paused, "the process before this one ended (rollback:on_restart)");
    pause({}, after);
  }
}

void Drive::migrate() {
  for (const MigrationRun& run : migration_runs(order_.spec)) run_migration(run);
}

void Drive::run_migration(const MigrationRun& wanted) {
  const std::size_t n = wanted.n;
  const std::string& name = wanted.name;
  const pipelines::MigrationSpec& migration = *order_.spec.migrate;
  const std::string unit = parts_.target.units().front();
  const std::vector<Place> places{{unit, Slot::single}};
  if (journal_.is_done(Part::migrate, n, places)) return;
  const bool again = journal_.was_begun(Part::migrate, n);
  journal_.begin(Part::migrate, n, name, places);
  TargetCommand command;
  command.name = name;
  for (const std::string& line : wanted.commands) command.script += line + "\n";
  command.release = order_.release.id;
  command.env = order_.env;
  command.timeout = migration.timeout;
  command.survives = true;
  const Slot slot = input().slots ? free_slot(before(), unit, true) : Slot::single;
  // Nobody ends a migration half-way: whoever aborts waits for its end.
  CommandResult result = parts_.target.run(unit, slot, command, parts_.tell, {});
  watch_.progressed();
  if (again && result.end == CommandEnd::unknown) {
    if (!migration.idempotent) {
      pause("whether '" + name +
                "' was done is unknown: see to it, then 'resume' goes on as if it was, and "
                "'abort' rolls back",
            State::migrating);
      journal_.complete(Part::migrate, n, places, true, "taken for done by a person");
      return;
    }
    tell("whether '" + name + "' was done is unknown; it is idempotent and done once more");
    command.name += "-again-" + std::to_string(journal_.record().fence);
    result = parts_.target.run(unit, slot, command, parts_.tell, {});
  }
  if (result.end != CommandEnd::exited || result.exit_code != 0) {
    const std::string why = result.end == CommandEnd::exited
                                ? "'" + name + "' ended with exit code " + std::to_string(result.exit_code)
                            : result.end == CommandEnd::timeout ? "'" + name + "' took too long"
                                                                : "'" + name + "' left no exit code";
    journal_.complete(Part::migrate, n, places, false, why);
    throw PhaseFailed(Trouble::machinery, why);
  }
  journal_.complete(Part::migrate, n, places, true);
  watch_.progressed();
  watch_.check();
}

void Drive::do_phase(Part part, std::size_t n, const Phase& phase) {
  if (journal_.is_done(part, n, phase.places)) return;
  failpoint("deploy.phase");
  journal_.begin(part, n, to_string(phase.action), phase.places);
  try {
    perform(phase, order_, parts_, watch_.stop());
    watch_.check();
  } catch (const PhaseFailed& failed) {
    journal_.complete(part, n, phase.places, false, failed.what());
    throw;
  } catch (const Error& error) {
    // What was interrupted says why it was. Who stops us may stop our commands as well, and those first.
    wait_for(parts_.poll, watch_.stop());
    watch_.check();
    journal_.complete(part, n, phase.places, false, error.what());
    throw;
  }
  journal_.complete(part, n, phase.places, true);
  watch_.progressed();
}

void Drive::go_forward() {
  const std::vector<Phase> phases = plan_forward(input(), before());
  for (std::size_t n = 0; n < phases.size(); ++n) {
    pause_if_asked();
    const Phase& phase = phases[n];
    if (phase.action == Action::hold)
      hold(n, phase);
    else if (phase.action == Action::promote)
      promote(n);
    else
      do_phase(Part::forward, n, phase);
  }
}

void Drive::verify() {
  const std::vector<pipelines::SmokeCheck>& checks = order_.spec.smoke.after_switch;
  if (checks.empty()) return;
  const std::string unit = parts_.target.units().front();
  const Slot slot = input().slots ? free_slot(before(), unit, true) : Slot::single;
  const Endpoint at = parts_.target.endpoint(unit, slot);
  smoke(checks, order_, parts_,
        at.port == 0 ? std::string() : "http://" + at.host + ":" + std::to_string(at.port), watch_.stop());
  watch_.check();
}

void Drive::finish() {
  for (const auto& [unit, slot] : before().left_over)
    tell(unit + (slot == Slot::single ? "" : " (" + std::string(to_string(slot)) + ")") +
         " is not used any more, and ends");
  const std::vector<Phase> phases = plan_closing(order_.spec, input(), before());
  for (std::size_t n = 0; n < phases.size(); ++n) do_phase(Part::retire, n, phases[n]);
  std::vector<std::string> named = order_.keep_releases;
  named.push_back(order_.release.id);
  for (const auto& [unit, slots] : before().units)
    for (const auto& [slot, held] : slots)
      if (!held.release.empty()) named.push_back(held.release);
  const std::size_t keep =
      order_.spec.ssh ? static_cast<std::size_t>(std::max(order_.spec.ssh->keep_releases, 2)) : 5;
  for_units(parts_.target.units(), [&](const std::string& unit) {
    try {
      parts_.target.clean(unit, keep, named, watch_.stop());
    } catch (const Error& error) {
      parts_.tell(unit, std::string("old releases could not be removed: ") + error.what());
    }
  });
  journal_.go(State::succeeded);
}

DriveEnd drive(std::int64_t deployment, const DeployOrder& order, const DriverParts& parts,
               std::stop_token abort) {
  return Drive(deployment, order, parts, std::move(abort)).run();
}

}  // namespace runner::deployments
