#include "tests/deployments/world.h"

#include <algorithm>

#include "runner/base/error.h"

namespace runner::deployments::test {

World::World(std::vector<std::string> units, bool slots) : units_(std::move(units)), slots_(slots) {
  for (const std::string& unit : units_) {
    state_[unit];
    for (const Slot slot : {Slot::single, Slot::blue, Slot::green})
      servers_[{unit, slot}] = {slot == Slot::single ? Admission::ready : Admission::out, 100};
  }
}

World::Unit& World::enter(const std::string& verb, const std::string& unit) {
  if (before_verb) before_verb(verb + " " + unit);
  Unit& state = state_.at(unit);
  if (!state.open) throw Error(ErrorCode::internal, verb + " on " + unit + " without a claim");
  if (state.presented.token < state.token) {
    stale_.push_back(verb + " " + unit);
    throw StaleFence(unit, state.token, state.holder);
  }
  log_.push_back(verb + " " + unit);
  return state;
}

std::vector<std::pair<std::string, Slot>> World::left_over(std::stop_token) {
  const std::scoped_lock guard(lock_);
  std::vector<std::pair<std::string, Slot>> left;
  for (const auto& [unit, state] : state_)
    if (std::find(units_.begin(), units_.end(), unit) == units_.end() && !state.running.empty())
      left.emplace_back(unit, Slot::single);
  return left;
}

void World::leave_over(const std::string& unit, const std::string& release, bool known) {
  const std::scoped_lock guard(lock_);
  Unit& state = state_[unit];
  state.slots[Slot::single] = {release, true};
  state.running[Slot::single] = release;
  state.open = true;
  if (known) servers_[{unit, Slot::single}] = {Admission::ready, 100};
}

std::uint64_t World::seen_token(const std::string& unit, std::stop_token) {
  const std::scoped_lock guard(lock_);
  return state_.at(unit).token;
}

void World::claim(const std::string& unit, const Fence& fence, std::chrono::milliseconds, std::stop_token) {
  const std::scoped_lock guard(lock_);
  if (before_verb) before_verb("claim " + unit);
  Unit& state = state_.at(unit);
  if (fence.token < state.token || (fence.token == state.token && fence.deployment != state.holder))
    throw StaleFence(unit, state.token, state.holder);
  state.token = fence.token;
  state.holder = fence.deployment;
  state.presented = fence;
  state.open = true;
}

void World::prepare(const std::string& unit, const Release& release, std::stop_token) {
  const std::scoped_lock guard(lock_);
  enter("prepare", unit).prepared.insert(release.id);
}

bool World::is_prepared(const std::string& unit, const std::string& release, std::stop_token) {
  const std::scoped_lock guard(lock_);
  return enter("is_prepared", unit).prepared.count(release) > 0;
}

UnitState World::observe(const std::string& unit, std::stop_token) {
  const std::scoped_lock guard(lock_);
  return enter("observe", unit).slots;
}

void World::place(const std::string& unit, Slot slot, const std::string& release, std::stop_token) {
  const std::scoped_lock guard(lock_);
  Unit& state = enter("place " + release, unit);
  if (!release.empty() && state.prepared.count(release) == 0)
    throw Error(ErrorCode::not_found, unit + " does not have release " + release);
  SlotState& held = state.slots[slot];
  held.release = release;
  held.running = state.running.count(slot) > 0 && state.running[slot] == release;
}

void World::start(const std::string& unit, Slot slot, std::stop_token) {
  const std::scoped_lock guard(lock_);
  Unit& state = enter("start " + std::string(to_string(slot)), unit);
  state.slots[slot].running = true;
  state.running[slot] = state.slots[slot].release;
  look_for_outage("start");
}

void World::halt(const std::string& unit, Slot slot, std::chrono::milliseconds, std::stop_token) {
  const std::scoped_lock guard(lock_);
  Unit& state = enter("halt " + std::string(to_string(slot)), unit);
  state.slots[slot].running = false;
  state.running.erase(slot);
  look_for_outage("halt " + std::string(to_string(slot)) + " of " + unit);
}

Endpoint World::endpoint(const std::string& unit, Slot slot) const {
  return {unit, static_cast<std::uint16_t>(8000 + static_cast<int>(slot))};
}

CommandResult World::run(const std::string& unit, Slot, const TargetCommand& command, const TellLine&,
                         std::stop_token) {
  const std::scoped_lock guard(lock_);
  enter("run " + command.name, unit);
  const auto found = commands.find(command.name);
  return found == commands.end() ? CommandResult{} : found->second;
}

void World::clean(const std::string& unit, std::size_t, const std::vector<std::string>& named,
                  std::stop_token) {
  const std::scoped_lock guard(lock_);
  std::set<std::string>& prepared = enter("clean", unit).prepared;
  for (auto at = prepared.begin(); at != prepared.end();)
    at = std::find(named.begin(), named.end(), *at) == named.end() ? prepared.erase(at) : std::next(at);
}

void World::leave(const std::string& unit) noexcept {
  const std::scoped_lock guard(lock_);
  state_[unit].open = false;
}

std::map<Place, ServerState> World::observe(const std::vector<Place>& places, std::stop_token) {
  const std::scoped_lock guard(lock_);
  if (before_verb) before_verb("balancer observe");
  std::map<Place, ServerState> states;
  for (const Place& place : places) {
    const auto found = servers_.find(place);
    if (found == servers_.end()) throw Error(ErrorCode::not_found, "there is no server " + place.unit);
    states[place] = found->second;
  }
  return states;
}

void World::set(const std::map<Place, ServerState>& states, std::stop_token) {
  const std::scoped_lock guard(lock_);
  if (before_verb) before_verb("balancer set");
  for (const auto& [place, state] : states) {
    servers_.at(place) = state;
    log_.push_back("set " + place.unit + " " + std::string(to_string(place.slot)) + " " +
                   std::string(to_string(state.admission)) + " " + std::to_string(state.weight));
  }
  look_for_outage("set");
}

bool World::wait_drained(const std::vector<Place>&, std::chrono::milliseconds, std::stop_token) {
  const std::scoped_lock guard(lock_);
  if (before_verb) before_verb("balancer drain");
  return true;
}

std::map<Place, ServerCounters> World::counters(const std::vector<Place>& places, std::stop_token) {
  const std::scoped_lock guard(lock_);
  std::map<Place, ServerCounters> counted;
  for (const Place& place : places) {
    ServerCounters& counter = counters_[place];
    counter.requests += 100;
    const auto bad = failing.find(state_.at(place.unit).slots[place.slot].release);
    if (bad != failing.end()) counter.server_errors += static_cast<std::uint64_t>(bad->second);
    counter.recent_seconds = 0.01;
    counted[place] = counter;
  }
  return counted;
}

void World::install(const std::string& release) {
  const std::scoped_lock guard(lock_);
  installed_ = true;
  const Slot slot = slots_ ? Slot::green : Slot::single;
  for (const std::string& unit : units_) {
    Unit& state = state_.at(unit);
    state.prepared.insert(release);
    state.slots[slot] = {release, true};
    state.running[slot] = release;
    servers_[{unit, slot}] = {Admission::ready, 100};
  }
}

std::set<std::string> World::serving() const {
  const std::scoped_lock guard(lock_);
  std::set<std::string> releases;
  for (const auto& [place, server] : servers_) {
    if (server.admission != Admission::ready || server.weight == 0) continue;
    const auto& running = state_.at(place.unit).running;
    const auto found = running.find(place.slot);
    if (found != running.end()) releases.insert(found->second);
  }
  return releases;
}

void World::look_for_outage(const std::string& after) {
  if (!installed_) return;
  bool somebody = false;
  for (const auto& [place, server] : servers_) {
    if (server.admission != Admission::ready || server.weight == 0) continue;
    const auto& running = state_.at(place.unit).running;
    const auto found = running.find(place.slot);
    const bool in_use = slots_ ? place.slot != Slot::single : place.slot == Slot::single;
    if (!in_use) continue;
    if (found == running.end())
      outages_.push_back("after " + after + ": " + place.unit + " gets traffic and runs nothing");
    else if (sick.count(found->second) > 0)
      outages_.push_back("after " + after + ": " + place.unit + " gets traffic and is sick");
    else
      somebody = true;
  }
  if (!somebody) outages_.push_back("after " + after + ": nobody serves");
}

std::vector<std::string> World::outages() const {
  const std::scoped_lock guard(lock_);
  return outages_;
}
std::vector<std::string> World::stale_writes() const {
  const std::scoped_lock guard(lock_);
  return stale_;
}
std::vector<std::string> World::log() const {
  const std::scoped_lock guard(lock_);
  return log_;
}
std::vector<std::string> World::prepared(const std::string& unit) const {
  const std::scoped_lock guard(lock_);
  const auto& all = state_.at(unit).prepared;
  return {all.begin(), all.end()};
}

Look WorldProber::look(const Endpoint& at, const pipelines::ProbeSpec& probe, std::stop_token) {
  const std::scoped_lock guard(world_.lock_);
  const World::Unit& unit = world_.state_.at(at.host);
  const auto found = unit.running.find(static_cast<Slot>(at.port - 8000));
  if (found == unit.running.end()) return {Verdict::fail, "connection refused"};
  if (world_.sick.count(found->second) > 0) {
    clock_.skip(probe.deadline / 3);
    return {Verdict::fail, "status 503"};
  }
  return {Verdict::pass, {}};
}

Look WorldProber::fetch(const std::string& url, int, int, std::chrono::milliseconds, std::stop_token) {
  if (failing.count(url) > 0) return {Verdict::fail, "status 500"};
  return {Verdict::pass, {}};
}

Look WorldProber::run(const std::string& script, const std::map<std::string, std::string>&,
                      std::chrono::milliseconds, const TellLine&, std::stop_token) {
  if (failing.count(script) > 0) return {Verdict::fail, "exit code 1"};
  return {Verdict::pass, {}};
}

Scene::Scene(std::vector<std::string> units, bool slots, pipelines::DeploySpec spec, bool balanced)
    : world(std::move(units), slots),
      prober(world, clock),
      store(storage::make_memory_store(clock)),
      balanced_(balanced) {
  order.spec = std::move(spec);
  order.environment = "shop/production";
}

std::int64_t Scene::lock_new(const std::string& release) {
  order.release.id = release;
  std::int64_t id = 0;
  store->write([&](storage::Tx& tx) {
    storage::Environments environments(tx);
    const auto environment = environments.of("shop", "production", clock.now());
    storage::DeploymentRecord record;
    record.environment = environment.id;
    record.kind = "deploy";
    record.state = to_string(State::locked);
    record.job = "deploy";
    record.release = release;
    record.created_at = clock.now();
    record.locked_at = clock.now();
    record = storage::Deployments(tx).insert(record);
    record.fence = environments.lock(environment.id, record.id).value();
    storage::Deployments(tx).replace(record);
    id = record.id;
  });
  return id;
}

void Scene::take_again(std::int64_t deployment) {
  store->write([&](storage::Tx& tx) {
    auto record = storage::Deployments(tx).find(deployment).value();
    record.fence = storage::Environments(tx).lock(record.environment, record.id).value();
    storage::Deployments(tx).replace(record);
  });
}

DriveEnd Scene::drive(std::int64_t deployment, std::stop_token abort) {
  const TellLine tell = [this](const std::string&, std::string_view line) {
    {
      const std::scoped_lock guard(lock_);
      told_ += std::string(line) + "\n";
    }
    if (on_line) on_line(std::string(line));
  };
  const DriverParts parts{world, balanced_ ? &world : nullptr, prober, *store, clock, tell, {}, poll};
  return deployments::drive(deployment, order, parts, std::move(abort));
}

void Scene::ask(std::int64_t deployment, const std::string& request) {
  store->write([&](storage::Tx& tx) {
    std::vector<std::string> any;
    for (int state = 0; state <= static_cast<int>(State::canceled); ++state)
      any.emplace_back(to_string(static_cast<State>(state)));
    storage::Deployments(tx).set_request(deployment, request, any);
  });
}

storage::DeploymentRecord Scene::record(std::int64_t deployment) const {
  storage::DeploymentRecord record;
  store->read([&](storage::Tx& tx) { record = storage::Deployments(tx).find(deployment).value(); });
  return record;
}

State Scene::state(std::int64_t deployment) const {
  return parse_state(record(deployment).state).value();
}

std::vector<storage::StepRecord> Scene::steps(std::int64_t deployment) const {
  std::vector<storage::StepRecord> steps;
  store->read([&](storage::Tx& tx) { steps = storage::DeploymentSteps(tx).of(deployment); });
  return steps;
}

std::string Scene::told() const {
  const std::scoped_lock guard(lock_);
  return told_;
}

std::string Scene::broken(std::int64_t deployment) const {
  std::string broken;
  for (const std::string& outage : world.outages()) broken += outage + "\n";
  for (const std::string& write : world.stale_writes()) broken += "stale: " + write + "\n";
  const storage::DeploymentRecord now = record(deployment);
  const State state = parse_state(now.state).value();
  store->read([&](storage::Tx& tx) {
    const auto environment = storage::Environments(tx).find(now.environment).value();
    const bool held = environment.holder == now.id;
    if (held != (is_effectful(state) || state == State::rollback_failed))
      broken += "the environment is " + std::string(held ? "" : "not ") + "held while " + now.state + "\n";
    if (environment.fence < now.fence) broken += "the fence went back\n";
    if (state == State::succeeded && environment.current != now.id) broken += "it is not current\n";
  });
  for (const storage::StepRecord& step : steps(deployment)) {
    if (step.done_at && step.begun_at > *step.done_at + std::chrono::milliseconds(1))
      broken += "done before it was begun\n";
    if (step.fence > now.fence) broken += "a step under a fence of the future\n";
  }
  return broken;
}

pipelines::DeploySpec quick_spec(pipelines::DeployStrategy strategy) {
  using std::chrono::milliseconds;
  pipelines::DeploySpec spec;
  spec.strategy.type = strategy;
  spec.strategy.interval = milliseconds(2);
  spec.health.kind = pipelines::ProbeKind::http;
  spec.health.interval = milliseconds(1);
  spec.health.deadline = milliseconds(20'000);
  spec.health.successes = 2;
  if (strategy == pipelines::DeployStrategy::canary)
    spec.strategy.steps = {{10, milliseconds(5), false}, {50, milliseconds(5), false}, {100, {}, false}};
  return spec;
}

}  // namespace runner::deployments::test
