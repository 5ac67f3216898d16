#include "deployments/phases.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "runner/base/error.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;

std::vector<std::string> units_of(const std::vector<Place>& places) {
  std::vector<std::string> units;
  for (const Place& place : places)
    if (std::find(units.begin(), units.end(), place.unit) == units.end()) units.push_back(place.unit);
  return units;
}

std::string shown(const Place& place) {
  if (place.slot == Slot::single) return place.unit;
  return place.unit + " (" + std::string(to_string(place.slot)) + ")";
}

void for_places(const std::vector<Place>& places, const std::function<void(const Place&)>& act) {
  for_units(units_of(places), [&](const std::string& unit) {
    for (const Place& place : places)
      if (place.unit == unit) act(place);
  });
}

std::string url_of(const Endpoint& at) {
  return at.port == 0 ? std::string() : "http://" + at.host + ":" + std::to_string(at.port);
}

Look probe_once(const DeployOrder& order, const DriverParts& parts, const Place& place,
                const std::stop_token& stop) {
  const pipelines::ProbeSpec& probe = order.spec.health;
  if (probe.kind != pipelines::ProbeKind::exec) {
    Endpoint at = parts.target.endpoint(place.unit, place.slot);
    if (probe.port != 0) at.port = static_cast<std::uint16_t>(probe.port);
    return parts.prober.look(at, probe, stop);
  }
  TargetCommand command;
  command.name = "health";
  command.script = probe.command;
  command.timeout = probe.timeout;
  std::string last;
  const CommandResult result = parts.target.run(
      place.unit, place.slot, command,
      [&last](const std::string&, std::string_view line) { last = std::string(line); }, stop);
  if (result.end == CommandEnd::timeout) return {Verdict::unknown, "its check took too long"};
  if (result.exit_code == 0) return {Verdict::pass, {}};
  std::string why = "exit code " + std::to_string(result.exit_code);
  if (!last.empty()) why += ": " + last;
  return {result.exit_code == 75 ? Verdict::unknown : Verdict::fail, std::move(why)};
}

}  // namespace

void for_units(const std::vector<std::string>& units, const std::function<void(const std::string&)>& act) {
  if (units.size() == 1) return act(units.front());
  struct Failure {
    std::string unit;
    std::exception_ptr what;
  };
  std::mutex lock;
  std::vector<Failure> failures;
  {
    std::vector<std::jthread> threads;
    threads.reserve(units.size());
    for (const std::string& unit : units) {
      threads.emplace_back([&, unit] {
        try {
          act(unit);
        } catch (...) {
          const std::scoped_lock guard(lock);
          failures.push_back({unit, std::current_exception()});
        }
      });
    }
  }
  if (failures.empty()) return;
  std::sort(failures.begin(), failures.end(), [](const auto& a, const auto& b) { return a.unit < b.unit; });
  // What several say is said once.
  std::vector<std::pair<std::string, std::string>> said;  // text, units
  std::optional<Trouble> trouble;
  const auto say = [&](const std::string& text, const std::string& unit) {
    const auto same =
        std::find_if(said.begin(), said.end(), [&](const auto& one) { return one.first == text; });
    if (same == said.end())
      said.emplace_back(text, unit);
    else if (!unit.empty())
      same->second += ", " + unit;
  };
  for (const Failure& failure : failures) {
    try {
      std::rethrow_exception(failure.what);
    } catch (const StaleFence&) {
      throw;
    } catch (const LostFence&) {
      throw;
    } catch (const JournalFailed&) {
      throw;
    } catch (const PhaseFailed& failed) {
      say(failed.what(), "");
      if (!trouble) trouble = failed.trouble();
    } catch (const std::exception& error) {
      say(error.what(), failure.unit);
      if (!trouble) trouble = Trouble::machinery;
    }
  }
  std::string why;
  for (const auto& [text, units_of_it] : said)
    why += (why.empty() ? "" : "; ") + (units_of_it.empty() ? "" : units_of_it + ": ") + text;
  throw PhaseFailed(*trouble, why);
}

bool wait_for(milliseconds time, const std::stop_token& stop) {
  std::mutex lock;
  std::condition_variable_any woken;
  std::unique_lock guard(lock);
  woken.wait_for(guard, stop, time, [] { return false; });
  return !stop.stop_requested();
}

void wait_healthy(const DeployOrder& order, const DriverParts& parts, const Place& place,
                  const std::stop_token& stop) {
  const pipelines::ProbeSpec& probe = order.spec.health;
  if (probe.kind == pipelines::ProbeKind::none) return;
  const SteadyPoint begun = parts.clock.steady_now();
  const auto deadline = begun + probe.deadline;
  int passed = 0;
  Look last{Verdict::unknown, "it was not asked yet"};
  if (!wait_for(probe.start_period, stop)) return;
  while (!stop.stop_requested()) {
    last = probe_once(order, parts, place, stop);
    passed = last.verdict == Verdict::pass ? passed + 1 : 0;
    if (passed >= probe.successes) return;
    if (parts.clock.steady_now() + probe.interval > deadline)
      throw PhaseFailed(Trouble::health, shown(place) + " was not healthy within " +
                                             std::to_string(probe.deadline.count() / 1000) + " s" +
                                             (last.why.empty() ? std::string() : ": " + last.why));
    if (!wait_for(probe.interval, stop)) return;
  }
}

void smoke(const std::vector<pipelines::SmokeCheck>& checks, const DeployOrder& order,
           const DriverParts& parts, const std::string& candidate_url, const std::stop_token& stop) {
  std::map<std::string, std::string> env = order.env;
  env["RUNNER_CANDIDATE_URL"] = candidate_url;
  env["RUNNER_CANDIDATE_RELEASE"] = order.release.id;
  const auto deadline = parts.clock.steady_now() + order.spec.smoke.timeout;
  for (const pipelines::SmokeCheck& check : checks) {
    const std::string name = check.command.empty() ? check.url : check.command;
    for (;;) {
      if (stop.stop_requested()) return;
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - parts.clock.steady_now());
      if (left.count() <= 0) throw PhaseFailed(Trouble::smoke, "'" + name + "' got no answer in time");
      const Look look = check.command.empty()
                            ? parts.prober.fetch(check.url, check.status_low, check.status_high, left, stop)
                            : parts.prober.run(check.command, env, left, parts.tell, stop);
      if (look.verdict == Verdict::pass) break;
      if (look.verdict == Verdict::fail)
        throw PhaseFailed(Trouble::smoke, "'" + name + "' failed: " + look.why);
      if (!wait_for(std::min(parts.poll, left), stop)) return;
    }
    parts.tell("", "passed: " + name);
  }
}

void perform(const Phase& phase, const DeployOrder& order, const DriverParts& parts,
             const std::stop_token& stop) {
  Target& target = parts.target;
  switch (phase.action) {
    case Action::halt:
      return for_places(phase.places, [&](const Place& place) {
        target.halt(place.unit, place.slot, order.spec.stop_grace, stop);
      });
    case Action::place:
      return for_places(phase.places, [&](const Place& place) {
        target.place(place.unit, place.slot, phase.release, stop);
      });
    case Action::start:
      return for_places(phase.places,
                        [&](const Place& place) { target.start(place.unit, place.slot, stop); });
    case Action::probe:
      return for_places(phase.places, [&](const Place& place) { wait_healthy(order, parts, place, stop); });
    case Action::smoke:
      for (const Place& place : phase.places)
        smoke(order.spec.smoke.before_switch, order, parts, url_of(target.endpoint(place.unit, place.slot)),
              stop);
      return;
    case Action::admit:
      if (parts.balancer != nullptr) parts.balancer->set(phase.servers, stop);
      return;
    case Action::drain:
      if (parts.balancer != nullptr &&
          !parts.balancer->wait_drained(phase.places, order.spec.drain_timeout, stop) &&
          !stop.stop_requested())
        parts.tell("", "some connections were still open after the drain timeout and are cut");
      return;
    case Action::hold:
    case Action::promote:
      return;  // the driver's
  }
}

}  // namespace runner::deployments
