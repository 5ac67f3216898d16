#include "runner/daemon/deploy_desk.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "deployments/people.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

using deployments::NewDeployment;
using nlohmann::json;
using pipelines::JobStatus;
using storage::DeploymentRecord;
using storage::JobRecord;
using storage::Tx;

// After a look that failed: the store is away, or full.
constexpr std::chrono::seconds kAfterFailure{2};

deployments::State state_of(const DeploymentRecord& deployment) {
  if (const auto state = deployments::parse_state(deployment.state)) return *state;
  throw Error(ErrorCode::corrupt, "deployment " + std::to_string(deployment.id) +
                                      " has an unknown state in the database: '" + deployment.state + "'");
}

/// Of what people agree to when they approve: all the job runs, besides the commit.
std::vector<std::string> parts_of(const engine::AtGate& at) {
  std::vector<std::string> parts{at.scope, at.job.environment->name, at.job.name, at.facts.sha};
  for (const pipelines::Script* script :
       {&at.job.before_script, &at.job.script, &at.job.after_script, &at.job.pre_get_sources_script}) {
    parts.push_back(std::to_string(script->size()));
    parts.insert(parts.end(), script->begin(), script->end());
  }
  if (at.job.image) parts.push_back(at.job.image->name);
  return parts;
}

NewDeployment wanted_by(const engine::AtGate& at) {
  NewDeployment wanted;
  wanted.project = at.scope;
  wanted.environment = at.job.environment->name;
  wanted.kind = "job";
  wanted.pipeline = at.pipeline;
  wanted.job = at.job.name;
  wanted.ref = at.facts.ref_name;
  wanted.sha = wanted.release = at.facts.sha;
  // Of a push it is not known here whose it was; its pipelines are said to be started by "push".
  const bool pushed = at.facts.source == "push" || at.facts.source == "merge_request_event";
  if (!pushed) wanted.triggered_by = at.facts.user_login;
  wanted.fingerprint = parts_of(at);
  wanted.plan = json{{"attempt", at.attempt_id}, {"commit_author", at.facts.commit_author}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
  return wanted;
}

/// The attempt it was made for; 0: unknown.
std::int64_t attempt_of(const DeploymentRecord& deployment) {
  const json plan = json::parse(deployment.plan, nullptr, false);
  return plan.is_object() ? plan.value("attempt", std::int64_t{0}) : 0;
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
  using deployments::State;
  std::vector<std::string> open = deployments::waiting_states();
  open.emplace_back(to_string(State::locked));
  std::vector<DeploymentRecord> found;
  parts_.store.read([&](Tx& tx) { found = storage::Deployments(tx).in_states(open); });
  auto state = state_.lock();
  for (const DeploymentRecord& deployment : found) {
    if (deployment.kind != "job" || !deployment.pipeline) continue;
    std::optional<JobRecord> newest;
    parts_.store.read([&](Tx& tx) {
      newest.reset();
      for (JobRecord& job : storage::Jobs(tx).of_pipeline(*deployment.pipeline))
        if (job.name == deployment.job) newest = std::move(job);
    });
    if (!newest) continue;
    const Key key{newest->pipeline, newest->plan_index};
    if (is_completed(newest->status))
      state->ended[key] = {newest->id, deployment.id};
    else if (state_of(deployment) == State::locked)
      state->under_way[key] = deployment.id;
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
  if (!is_protected && !state->under_way.count(key)) return false;
  Waiting& waiting = state->waiting[key];
  if (waiting.attempt_id != at.attempt_id) waiting = {at.attempt_id, wanted_by(at)};
  return true;
}

void DeployDesk::note(const engine::StoredChange& change) {
  auto state = state_.lock();
  for (const JobRecord* job : change.jobs) {
    if (!is_completed(job->status)) continue;
    const Key key{job->pipeline, job->plan_index};
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

/// Something is to be read from the store that was not there before.
bool DeployDesk::undecided() {
  auto state = state_.lock();
  return !state->ended.empty() || std::any_of(state->waiting.begin(), state->waiting.end(),
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
  settle_ended(current);
  make_deployments(current);
  next_.reset();
  for (const std::int64_t environment : environments()) current.advance(environment);
  settle_waiting();
  for (const std::int64_t environment : environments()) {
    const auto wake = current.next_wake(environment);
    if (wake && (!next_ || *wake < *next_)) next_ = wake;
  }
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
    if (deployment != 0) {
      current.give_up(deployment, end_text(*job));
      current.finish(deployment, job->status == JobStatus::success, end_text(*job));
    }
    auto state = state_.lock();
    state->ended.erase(key);
    state->under_way.erase(key);
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
    if (known && is_end(state_of(*known)) && attempt_of(*known) != wait.attempt_id) known.reset();
    if (!known) known = current.add(wait.wanted);
    auto state = state_.lock();
    const auto found = state->waiting.find(key);
    if (found == state->waiting.end() || found->second.attempt_id != wait.attempt_id) continue;
    found->second.deployment = known->id;
    found->second.environment = known->environment;
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
