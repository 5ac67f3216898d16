#include "deployments/journal.h"

#include <algorithm>
#include <array>

#include "deployments/record.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

constexpr std::array<std::pair<Part, std::string_view>, 6> kParts{{{Part::prepare, "prepare"},
                                                                   {Part::migrate, "migrate"},
                                                                   {Part::forward, "forward"},
                                                                   {Part::verify, "verify"},
                                                                   {Part::retire, "retire"},
                                                                   {Part::rollback, "rollback"}}};

storage::StepRecord step_at(std::int64_t deployment, Part part, std::size_t n, const Place& place) {
  storage::StepRecord step;
  step.deployment = deployment;
  step.part = to_string(part);
  step.n = static_cast<std::int64_t>(n);
  step.unit = place.unit;
  step.slot = to_string(place.slot);
  return step;
}

}  // namespace

std::string_view to_string(Part part) noexcept {
  for (const auto& [value, text] : kParts)
    if (value == part) return text;
  return {};
}

Journal::Journal(storage::Store& store, const Clock& clock, std::int64_t deployment, OnChange on_change)
    : store_(store), clock_(clock), on_change_(std::move(on_change)) {
  store_.read([&](storage::Tx& tx) {
    const auto record = storage::Deployments(tx).find(deployment);
    if (!record) throw Error(ErrorCode::not_found, "there is no deployment " + std::to_string(deployment));
    record_ = *record;
    state_ = state_of(record_);
    steps_.clear();
    for (const storage::StepRecord& step : storage::DeploymentSteps(tx).of(deployment)) {
      Known& known = steps_[{step.part, step.n}];
      const Place place{step.unit, parse_slot(step.slot).value_or(Slot::single)};
      known.begun.insert(place);
      if (step.result == "done") known.done.insert(place);
    }
  });
}

void Journal::change(const std::function<void(storage::Tx& tx)>& body) {
  const storage::DeploymentRecord before = record_;
  try {
    store_.write([&](storage::Tx& tx) {
      record_ = before;  // it may be repeated
      refresh(tx);
      body(tx);
    });
  } catch (const Error& error) {
    record_ = before;
    throw JournalFailed(error);
  }
}

void Journal::refresh(storage::Tx& tx) {
  // People's requests change the row too; the fence alone says whose it is.
  const auto now = storage::Deployments(tx).find(record_.id);
  if (!now || now->fence != record_.fence) throw LostFence();
  record_.version = now->version;
  record_.request = now->request;
}

void Journal::write(storage::Tx& tx) {
  if (!storage::Deployments(tx).replace(record_)) throw LostFence();
  if (on_change_) on_change_(tx, record_);
}

void Journal::go(State next, std::string_view reason) {
  if (!may_follow(state_, next))
    throw Error(ErrorCode::internal, "a deployment cannot go from " + std::string(to_string(state_)) +
                                         " to " + std::string(to_string(next)));
  failpoint("deploy.before_state");
  change([&](storage::Tx& tx) {
    record_.state = to_string(next);
    record_.state_since = clock_.now();
    record_.reason = reason;
    if (is_end(next) || next == State::rollback_failed) record_.finished_at = clock_.now();
    if (is_end(next)) {
      record_.request.clear();
      storage::Environments environments(tx);
      environments.unlock(record_.environment, record_.id);
      if (next == State::succeeded) environments.set_current(record_.environment, record_.id);
    }
    write(tx);
  });
  state_ = next;
  failpoint("deploy.after_state");
}

void Journal::go_with_snapshot(State next, const Snapshot& snapshot) {
  record_.snapshot = snapshot_text(snapshot);
  go(next);
}

std::optional<Snapshot> Journal::snapshot() const {
  if (record_.snapshot.empty()) return std::nullopt;
  return parse_snapshot(record_.snapshot);
}

std::string Journal::request() {
  std::string request;
  try {
    store_.read([&](storage::Tx& tx) {
      const auto now = storage::Deployments(tx).find(record_.id);
      if (!now || now->fence != record_.fence) throw LostFence();
      request = now->request;
    });
  } catch (const Error& error) {
    throw JournalFailed(error);
  }
  return request;
}

void Journal::forget_request() {
  change([&](storage::Tx& tx) {
    record_.request.clear();
    write(tx);
  });
}

void Journal::begin(Part part, std::size_t n, std::string_view action, const std::vector<Place>& places) {
  failpoint("deploy.before_intent");
  change([&](storage::Tx& tx) {
    for (const Place& place : places) {
      storage::StepRecord step = step_at(record_.id, part, n, place);
      step.action = action;
      step.fence = record_.fence;
      step.begun_at = clock_.now();
      storage::DeploymentSteps(tx).begin(step);
    }
  });
  Known& known = steps_[{std::string(to_string(part)), static_cast<std::int64_t>(n)}];
  known.begun.insert(places.begin(), places.end());
  for (const Place& place : places) known.done.erase(place);
  failpoint("deploy.after_intent");
}

void Journal::complete(Part part, std::size_t n, const std::vector<Place>& places, bool done,
                       std::string_view message) {
  failpoint("deploy.before_result");
  change([&](storage::Tx& tx) {
    for (const Place& place : places) {
      storage::StepRecord step = step_at(record_.id, part, n, place);
      step.fence = record_.fence;
      step.done_at = clock_.now();
      step.result = done ? "done" : "failed";
      step.message = message;
      if (!storage::DeploymentSteps(tx).complete(step)) throw LostFence();
    }
  });
  if (done)
    steps_[{std::string(to_string(part)), static_cast<std::int64_t>(n)}].done.insert(places.begin(),
                                                                                     places.end());
  failpoint("deploy.after_result");
}

bool Journal::is_done(Part part, std::size_t n, const std::vector<Place>& places) const {
  const auto found = steps_.find({std::string(to_string(part)), static_cast<std::int64_t>(n)});
  return found != steps_.end() && std::all_of(places.begin(), places.end(), [&](const Place& place) {
           return found->second.done.count(place) > 0;
         });
}

bool Journal::was_begun(Part part, std::size_t n) const {
  return steps_.count({std::string(to_string(part)), static_cast<std::int64_t>(n)}) > 0;
}

std::set<std::string> Journal::touched(Part part) const {
  std::set<std::string> units;
  for (const auto& [key, known] : steps_) {
    if (key.first != to_string(part)) continue;
    for (const Place& place : known.begun) units.insert(place.unit);
  }
  return units;
}

}  // namespace runner::deployments
