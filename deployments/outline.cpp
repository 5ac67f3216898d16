#include "deployments/outline.h"

#include <algorithm>
#include <set>
#include <utility>

#include "deployments/outline_words.h"

namespace runner::deployments {
namespace {

using pipelines::DeploySpec;
using pipelines::DeployStrategy;

class Outliner {
 public:
  Outliner(const DeploySpec& spec, StrategyInput input, Snapshot before)
      : spec_(spec), input_(std::move(input)), before_(std::move(before)) {}

  Outline make() {
    out_.target = to_string(spec_.target);
    out_.strategy = to_string(spec_.strategy.type);
    if (input_.balanced) out_.balancer = to_string(spec_.balancer.type);
    out_.units = input_.units;
    out_.slots = input_.slots;
    out_.first_release = std::none_of(input_.units.begin(), input_.units.end(),
                                      [&](const std::string& unit) { return runs(unit); });
    if (input_.units.empty()) return std::move(out_);
    go_forward();
    go_back();
    out_.cannot_undo = losses();
    return std::move(out_);
  }

 private:
  bool runs(const std::string& unit) const {
    const UnitState& held = before_.units.at(unit);
    const auto found = held.find(slot_in_use(before_, unit, input_.slots));
    return found != held.end() && found->second.running;
  }

  OutlineStep step(Part part, std::size_t n, std::string action, std::vector<Place> places) const {
    OutlineStep made;
    made.part = part;
    made.n = n;
    made.action = std::move(action);
    made.places = std::move(places);
    return made;
  }
  void add(std::vector<OutlineStep>& to, OutlineStep made) const {
    if (made.text.empty()) made.text = step_words(made, spec_, input_.candidate);
    to.push_back(std::move(made));
  }
  void add(std::vector<OutlineStep>& to, Part part, std::size_t n, const Phase& phase) const {
    OutlineStep made = step(part, n, std::string(to_string(phase.action)), phase.places);
    made.phase = phase;
    if (phase.action == Action::smoke) made.commands = smoke_lines(spec_.smoke.before_switch);
    if (part == Part::forward) set_batch(made);
    add(to, std::move(made));
  }
  void add(std::vector<OutlineStep>& to, const MigrationRun& run) const {
    OutlineStep made = step(Part::migrate, run.n, run.name, {{input_.units.front(), Slot::single}});
    made.commands = run.commands;
    add(to, std::move(made));
  }

  void set_batch(OutlineStep& made) const {
    const std::size_t size = batch_size(input_);
    if (made.places.empty() || size == 0 || size >= input_.units.size()) return;
    const auto at = std::find(input_.units.begin(), input_.units.end(), made.places.front().unit);
    made.batch = static_cast<std::size_t>(at - input_.units.begin()) / size + 1;
    made.batches = (input_.units.size() + size - 1) / size;
  }

  // As Drive::advance() goes from state to state.
  void go_forward() {
    std::vector<Place> all;
    for (const std::string& unit : input_.units) all.push_back({unit, Slot::single});
    add(out_.steps, step(Part::prepare, 0, "prepare", all));
    for (const MigrationRun& run : migration_runs(spec_)) add(out_.steps, run);
    const std::vector<Phase> forward = plan_forward(input_, before_);
    for (std::size_t n = 0; n < forward.size(); ++n) add(out_.steps, Part::forward, n, forward[n]);
    if (!spec_.smoke.after_switch.empty()) {
      OutlineStep made = step(Part::verify, 0, "smoke", {});
      made.commands = smoke_lines(spec_.smoke.after_switch);
      add(out_.steps, std::move(made));
    }
    const std::vector<Phase> closing = plan_closing(spec_, input_, before_);
    for (std::size_t n = 0; n < closing.size(); ++n) add(out_.steps, Part::retire, n, closing[n]);
  }

  void go_back() {
    for (const auto& [trouble, word] :
         {std::pair{Trouble::health, "health"}, std::pair{Trouble::smoke, "smoke"},
          std::pair{Trouble::checks, "checks"}, std::pair{Trouble::timeout, "timeout"},
          std::pair{Trouble::machinery, "failure"}, std::pair{Trouble::abort, "abort"}})
      if (rolls_back(spec_.rollback, trouble)) out_.back_when.emplace_back(word);
    for (const MigrationRun& run : migration_undo(spec_)) {
      if (!run.commands.empty()) add(out_.back, run);
    }
    std::vector<std::string> units = input_.units;
    if (!back_at_once(input_)) std::reverse(units.begin(), units.end());
    for (const std::string& unit : units) {
      UnitState now = before_.units.at(unit);
      now[free_slot(before_, unit, input_.slots)] = {input_.candidate, true};
      for (const auto& [n, phase] : way_back(input_, before_, unit, now))
        add(out_.back, Part::rollback, n, phase);
    }
  }

  /// Whether somebody waits for an answer while a unit goes from one release to the other.
  bool has_gap() const {
    if (input_.slots || out_.first_release) return false;
    return !input_.balanced || batch_size(input_) >= input_.units.size();
  }

  std::vector<std::string> losses() const {
    std::vector<std::string> lost;
    if (spec_.migrate) lost.push_back(migration_loss(*spec_.migrate));
    if (has_gap())
      lost.emplace_back(
          "the gap: between the end of one release and the start of the other nobody answers there, on the "
          "way back as on the way there");
    if (out_.first_release)
      lost.emplace_back(
          "nothing of ours runs there: there is nothing to go back to, and the places are empty after it");
    if (spec_.rollback.keep_old.count() == 0)
      lost.emplace_back(
          input_.slots
              ? "once what ran before is being ended (retire) it does not roll back by itself any more; "
                "'runner "
                "deploy rollback' deploys that again"
              : "once it has succeeded it does not roll back by itself any more; 'runner deploy rollback' "
                "deploys what ran before again");
    lost.emplace_back("what the new release has written and sent while it had traffic");
    return lost;
  }

  const DeploySpec& spec_;
  const StrategyInput input_;
  const Snapshot before_;
  Outline out_;
};

}  // namespace

Snapshot left_by(const storage::DeploymentRecord& deployment, const std::vector<storage::StepRecord>& steps) {
  const Snapshot before = deployment.snapshot.empty() ? Snapshot() : parse_snapshot(deployment.snapshot);
  Snapshot left;
  for (const storage::StepRecord& one : steps) {
    const auto slot = parse_slot(one.slot);
    if (one.part != to_string(Part::forward) || one.action != to_string(Action::place) || !slot) continue;
    left.units[one.unit][*slot] = {deployment.release, true};
    left.servers[{one.unit, *slot}] = {Admission::ready, 100};
    if (*slot == Slot::single) continue;
    const Slot other = *slot == Slot::blue ? Slot::green : Slot::blue;
    const bool retired = std::any_of(steps.begin(), steps.end(), [&](const storage::StepRecord& step) {
      return step.part == to_string(Part::retire) && step.unit == one.unit;
    });
    const auto unit = before.units.find(one.unit);
    const auto held = unit == before.units.end() ? UnitState::const_iterator() : unit->second.find(other);
    const bool kept =
        !retired && unit != before.units.end() && held != unit->second.end() && held->second.running;
    if (kept) left.units[one.unit][other] = held->second;
    left.servers[{one.unit, other}] = {kept ? Admission::drain : Admission::out, 100};
  }
  return left;
}

Outline make_outline(const DeploySpec& spec, const CourseShape& shape, Snapshot before,
                     const std::string& candidate) {
  for (const std::string& unit : shape.units) before.units.try_emplace(unit);
  if (!shape.balanced) before.servers.clear();
  return Outliner(spec, course_input(spec, shape, candidate), std::move(before)).make();
}

}  // namespace runner::deployments
