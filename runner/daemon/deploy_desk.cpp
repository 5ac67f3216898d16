#include "runner/daemon/deploy_desk.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "deployments/people.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/daemon/deploy_inputs.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

using deployments::NewDeployment;
using deployments::state_of;
using nlohmann::json;
using pipelines::JobStatus;
using storage::DeploymentRecord;
using storage::JobRecord;
using storage::Tx;

// After a look that failed: the store is away, or full.
constexpr std::chrono::seconds kAfterFailure{2};
// An archive that is made after its job has ended.
constexpr std::chrono::milliseconds kUntilArchived{200};
// Before another attempt goes on with what one left half done; the first comes at once.
constexpr std::chrono::seconds kAgainAfter{5}, kAgainAtMost{300};

/// Of what people agree to when they approve: all the job runs, besides the commit.
std::vector<std::string> parts_of(const engine::AtGate& at) {
  std::vector<std::string> parts{at.scope, at.job.environment->name, at.job.name, at.facts.sha};
  for (const pipelines::Script* script :
       {&at.job.before_script, &at.job.script, &at.job.after_script, &at.job.pre_get_sources_script}) {
    parts.push_back(std::to_string(script->size()));
    parts.insert(parts.end(), script->begin(), script->end());
  }
  if (at.job.image) parts.push_back(at.job.image->name);
  if (!at.job.deploy.empty()) parts.push_back(at.job.deploy);
  return parts;
}

NewDeployment wanted_by(const engine::AtGate& at) {
  NewDeployment wanted;
  wanted.project = at.scope;
  wanted.environment = at.job.environment->name;
  wanted.kind = at.job.deploy.empty() ? "job" : "deploy";
  wanted.pipeline = at.pipeline;
  wanted.job = at.job.name;
  wanted.ref = at.facts.ref_name;
  wanted.sha = at.facts.sha;
  // Of a block it is known once its files are there.
  if (at.job.deploy.empty()) wanted.release = at.facts.sha;
  // Of a push it is not known here whose it was; its pipelines are said to be started by "push".
  const bool pushed = at.facts.source == "push" || at.facts.source == "merge_request_event";
  if (!pushed) wanted.triggered_by = at.facts.user_login;
  wanted.fingerprint = parts_of(at);
  wanted.plan = json{{"attempt", at.attempt_id},
                     {"commit_author", at.facts.commit_author},
                     {"journal", !at.job.deploy.empty()}}
                    .dump(-1, ' ', false, json::error_handler_t::replace);
  return wanted;
}

std::chrono::seconds wait_before(int attempt) {
  auto wait = std::chrono::seconds(0);
  for (int each = 1; each < attempt && wait < kAgainAtMost; ++each)
    wait = wait.count() == 0 ? kAgainAfter : wait * 2;
  return std::min(wait, kAgainAtMost);
}

std::string end_text(const JobRecord& job) {
  if (job.status == JobStatus::success) return {};
  return "its job " + std::string(to_string(job.status)) + (job.reason.empty() ? "" : ": " + job.reason);
}

}  // namespace

DeployDesk::DeployDesk(DeskParts parts) : parts_(std::move(parts)) {
  read_protected();
  recover();
}

deployments::Gate DeployDesk::gate() const {
  return {parts_.store, parts_.clock, deployments::people_now(parts_.store)};
}

std::optional<JobRecord> DeployDesk::attempt(std::int64_t id) const {
  std::optional<JobRecord> job;
  parts_.store.read([&](Tx& tx) { job = storage::Jobs(tx).find(id); });
  return job;
}

void DeployDesk::read_protected() {
  std::set<std::pair<std::string, std::string>> found;
  parts_.store.read([&](Tx& tx) {
    found.clear();
    for (const auto& environment : storage::Environments(tx).protected_ones())
      found.emplace(environment.project, environment.name);
  });
  state_.lock()->protected_ones = std::move(found);
}

/// Jobs that ended while nobody noted it, and those that run. Those that wait are asked about by the engine.
void DeployDesk::recover() {
  std::vector<std::string> open = deployments::waiting_states();
  const std::vector<std::string>& begun = deployments::effectful_states();
  open.insert(open.end(), begun.begin(), begun.end());
  // All of it is read before the state is locked: note() comes with the store held.
  std::vector<std::pair<DeploymentRecord, JobRecord>> found;
  parts_.store.read([&](Tx& tx) {
    found.clear();
    for (DeploymentRecord& deployment : storage::Deployments(tx).in_states(open)) {
      if (!deployment.pipeline) continue;
      auto newest = deployments::newest_attempt(tx, *deployment.pipeline, deployment.job);
      if (newest) found.emplace_back(std::move(deployment), *std::move(newest));
    }
  });
  auto state = state_.lock();
  for (const auto& [deployment, newest] : found) {
    const Key key{newest.pipeline, newest.plan_index};
    const bool waits = is_waiting(state_of(deployment));
    if (waits && deployment.kind == "rollback" && newest.id == deployments::attempt_of(deployment))
      continue;  // its attempt is to come: look()
    if (is_completed(newest.status))
      state->ended[key] = {newest.id, deployment.id};
    else if (!waits)
      state->under_way[key] = deployment.id;
  }
}

/// Rollbacks are made before the attempt that carries them out.
void DeployDesk::find_rollbacks() {
  std::vector<std::pair<DeploymentRecord, JobRecord>> found;
  parts_.store.read([&](Tx& tx) {
    found.clear();
    for (DeploymentRecord& deployment : storage::Deployments(tx).in_states(deployments::waiting_states())) {
      if (deployment.kind != "rollback" || !deployment.pipeline) continue;
      const auto before = storage::Jobs(tx).find(deployments::attempt_of(deployment));
      if (before) found.emplace_back(std::move(deployment), *before);
    }
  });
  auto state = state_.lock();
  for (const auto& [deployment, before] : found) {
    const Key key{before.pipeline, before.plan_index};
    const auto waits = state->waiting.find(key);
    const bool comes = waits != state->waiting.end() && waits->second.attempt_id != before.id;
    if (!comes) state->again.try_emplace(key, Again{parts_.clock.now(), deployment.id});
  }
}

void DeployDesk::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

void DeployDesk::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  timer_.wake();
  thread_.join();
}

bool DeployDesk::holds(const engine::AtGate& at) {
  if (!at.job.environment || at.job.environment->action != "start") return false;
  auto state = state_.lock();
  const bool is_protected = state->protected_ones.count({at.scope, at.job.environment->name}) > 0;
  const Key key{at.pipeline, at.index};
  if (at.job.deploy.empty() && !is_protected && !state->under_way.count(key) && !state->again.count(key))
    return false;
  state->again.erase(key);
  Waiting& waiting = state->waiting[key];
  if (waiting.attempt_id != at.attempt_id)
    waiting = {
        at.attempt_id, wanted_by(at), {at.job.artifact_sources.begin(), at.job.artifact_sources.end()}};
  return true;
}

void DeployDesk::note(const engine::StoredChange& change) {
  auto state = state_.lock();
  for (const JobRecord* job : change.jobs) {
    if (!is_completed(job->status)) continue;
    const Key key{job->pipeline, job->plan_index};
    const bool renewed = std::any_of(state->waiting.begin(), state->waiting.end(), [&](const auto& entry) {
      const auto& sources = entry.second.sources;
      return entry.first.first == job->pipeline &&
             std::find(sources.begin(), sources.end(), job->plan_index) != sources.end();
    });
    if (renewed) state->renewed.insert(job->id);
    if (const auto found = state->under_way.find(key); found != state->under_way.end())
      state->ended[key] = {job->id, found->second};
    else if (const auto waits = state->waiting.find(key); waits != state->waiting.end())
      state->ended[key] = {job->id, waits->second.deployment};
  }
}

void DeployDesk::changed() {
  read_protected();
  changed_ = true;
  timer_.wake();
}

void DeployDesk::work(const std::stop_token& stop) {
  std::string told;
  bool due = true;
  while (!stop.stop_requested()) {
    try {
      look(std::exchange(due, false));
      told.clear();
    } catch (const std::exception& error) {
      if (std::exchange(told, error.what()) != error.what()) log_error("deployments", error.what());
      changed_ = true;
      next_ = parts_.clock.now() + kAfterFailure;
    }
    due = timer_.wait(next_) != WallTimer::Woken::called;
  }
}

void DeployDesk::look_again_at(TimePoint time) {
  if (!next_ || time < *next_) next_ = time;
}

/// Something is to be read from the store that was not there before.
bool DeployDesk::undecided() {
  auto state = state_.lock();
  return !state->ended.empty() || !state->again.empty() || !state->renewed.empty() ||
         std::any_of(state->waiting.begin(), state->waiting.end(),
                     [](const auto& entry) { return entry.second.deployment == 0; });
}

std::set<std::int64_t> DeployDesk::environments() {
  std::set<std::int64_t> all;
  auto state = state_.lock();
  for (const auto& [key, wait] : state->waiting)
    if (wait.environment != 0) all.insert(wait.environment);
  return all;
}

// Woken with every change of a job: most of them are none of its business.
void DeployDesk::look(bool due) {
  const bool news = undecided();
  if (!changed_.exchange(false) && !due && !news) return;
  deployments::Gate current = gate();
  find_rollbacks();
  settle_ended(current);
  next_.reset();
  make_deployments(current);
  check_inputs(current);
  for (const std::int64_t environment : environments()) current.advance(environment);
  settle_waiting();
  for (const std::int64_t environment : environments()) {
    const auto wake = current.next_wake(environment);
    if (wake) look_again_at(*wake);
  }
  try_again();
}

void DeployDesk::settle_ended(deployments::Gate& current) {
  const auto ended = state_.lock()->ended;
  for (const auto& [key, end] : ended) {
    const auto job = attempt(end.attempt_id);
    if (!job || !is_completed(job->status)) continue;  // not written yet: this is called again
    std::int64_t deployment = end.deployment;
    {
      auto state = state_.lock();
      const auto waits = state->waiting.find(key);
      if (waits != state->waiting.end() && waits->second.attempt_id == end.attempt_id) {
        if (deployment == 0) deployment = waits->second.deployment;
        state->waiting.erase(waits);
      }
      // Until it is told, also when the store fails now.
      if (const auto told = state->ended.find(key); told != state->ended.end())
        told->second.deployment = deployment;
    }
    if (deployment != 0) settle_job(current, deployment, *job);
    auto state = state_.lock();
    state->ended.erase(key);
    state->under_way.erase(key);
  }
}

void DeployDesk::settle_job(deployments::Gate& current, std::int64_t id, const JobRecord& job) {
  std::optional<DeploymentRecord> deployment;
  parts_.store.read([&](Tx& tx) { deployment = storage::Deployments(tx).find(id); });
  if (!deployment) return;
  current.give_up(id, end_text(job));
  const deployments::State now = state_of(*deployment);
  const bool begun = is_effectful(now) && now != deployments::State::locked;
  if (!deployments::has_journal(*deployment) || !begun) {
    // With a journal and locked still: it died, or was stopped, before it did anything.
    current.finish(id, job.status == JobStatus::success, end_text(job));
    return;
  }
  // Half done: it goes on, and back when a person has stopped the job.
  if (job.status == JobStatus::canceled)
    parts_.store.write(
        [&](Tx& tx) { storage::Deployments(tx).set_request(id, "abort", deployments::effectful_states()); });
  log_warn("deployments", "the job of deployment " + std::to_string(id) + " ended while it was " +
                              deployment->state + "; another attempt goes on with it");
  auto state = state_.lock();
  state->again[{job.pipeline, job.plan_index}] = {parts_.clock.now() + wait_before(job.attempt), id};
}

void DeployDesk::try_again() {
  const TimePoint now = parts_.clock.now();
  const auto all = state_.lock()->again;
  for (const auto& [key, again] : all) {
    if (again.at > now) {
      look_again_at(again.at);
      continue;
    }
    std::optional<DeploymentRecord> deployment;
    parts_.store.read([&, id = again.deployment](Tx& tx) { deployment = storage::Deployments(tx).find(id); });
    if (!deployment || is_end(state_of(*deployment))) {  // by a person, meanwhile
      state_.lock()->again.erase(key);
      continue;
    }
    parts_.again(key.first, key.second);
    // Asked for until the attempt is there: holds() takes it off.
    const TimePoint next = now + kAgainAfter;
    look_again_at(next);
    auto state = state_.lock();
    if (const auto found = state->again.find(key); found != state->again.end()) found->second.at = next;
  }
}

void DeployDesk::make_deployments(deployments::Gate& current) {
  const auto waiting = state_.lock()->waiting;
  for (const auto& [key, wait] : waiting) {
    if (wait.deployment != 0) continue;
    const auto job = attempt(wait.attempt_id);
    if (!job || job->status != JobStatus::waiting_for_resource) continue;
    std::optional<DeploymentRecord> known;
    const std::int64_t pipeline = key.first;
    const std::string& name = wait.wanted.job;
    parts_.store.read([&](Tx& tx) { known = storage::Deployments(tx).find(pipeline, name); });
    // One that ended is of an earlier attempt, or says what to tell this one.
    if (known && is_end(state_of(*known)) && deployments::attempt_of(*known) != wait.attempt_id)
      known.reset();
    if (!known) {
      std::optional<std::string> inputs;
      parts_.store.read([&, sources = wait.sources](Tx& tx) { inputs = inputs_of(tx, pipeline, sources); });
      if (!inputs) {
        look_again_at(parts_.clock.now() + kUntilArchived);
        continue;
      }
      NewDeployment wanted = wait.wanted;
      wanted.plan = with_inputs(wanted.plan, *inputs);
      wanted.fingerprint.push_back(*inputs);
      known = current.add(wanted);
    }
    auto state = state_.lock();
    const auto found = state->waiting.find(key);
    if (found == state->waiting.end() || found->second.attempt_id != wait.attempt_id) continue;
    found->second.deployment = known->id;
    found->second.environment = known->environment;
  }
}

/// A job before one that waits was run again: what people agreed to, or what a rollback goes back to, is not
/// what would be deployed.
void DeployDesk::check_inputs(deployments::Gate& current) {
  const auto [waiting, renewed] = [&] {
    auto state = state_.lock();
    return std::pair(state->waiting, state->renewed);
  }();
  bool known = true;
  for (const auto& [key, wait] : waiting) {
    if (wait.deployment == 0 || (wait.checked && renewed.empty())) continue;
    std::optional<DeploymentRecord> deployment;
    std::optional<std::string> inputs;
    parts_.store.read([&, id = wait.deployment, pipeline = key.first, sources = wait.sources](Tx& tx) {
      deployment = storage::Deployments(tx).find(id);
      inputs = inputs_of(tx, pipeline, sources);
    });
    if (!inputs) {
      known = false;
      continue;
    }
    const auto planned = deployment ? planned_inputs(*deployment) : std::nullopt;
    if (planned && *planned != *inputs) {
      if (deployment->kind == "rollback")
        current.give_up(
            deployment->id,
            "a job before it was run again since: what was deployed then is not what would be now");
      else
        current.revise(deployment->id, with_inputs(deployment->plan, *inputs), {*inputs});
    }
    auto state = state_.lock();
    if (const auto found = state->waiting.find(key); found != state->waiting.end())
      found->second.checked = found->second.deployment == wait.deployment;
  }
  if (!known) return look_again_at(parts_.clock.now() + kUntilArchived);
  for (const std::int64_t id : renewed) {
    const auto job = attempt(id);
    if (job && is_completed(job->status)) state_.lock()->renewed.erase(id);
  }
}

/// What the gate said of those that wait.
void DeployDesk::settle_waiting() {
  const auto waiting = state_.lock()->waiting;
  for (const auto& [key, wait] : waiting) {
    if (wait.deployment == 0) continue;
    std::optional<DeploymentRecord> deployment;
    const std::int64_t id = wait.deployment;
    parts_.store.read([&](Tx& tx) { deployment = storage::Deployments(tx).find(id); });
    if (!deployment) throw Error(ErrorCode::corrupt, "deployment " + std::to_string(id) + " is gone");
    const deployments::State now = state_of(*deployment);
    if (is_waiting(now)) continue;
    {
      auto state = state_.lock();
      if (!is_end(now)) state->under_way[key] = id;
      const auto found = state->waiting.find(key);
      if (found == state->waiting.end() || found->second.attempt_id != wait.attempt_id) continue;
      state->waiting.erase(found);
    }
    if (is_end(now))
      parts_.turn_away(key.first, key.second,
                       "deployment " + std::to_string(deployment->number) + " to '" +
                           wait.wanted.environment + "' " + deployment->state +
                           (deployment->reason.empty() ? "" : ": " + deployment->reason));
    else
      parts_.pass(key.first, key.second);
  }
}

}  // namespace runner::daemon
