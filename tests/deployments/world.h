#pragma once
// A target, a balancer and their hosts in memory, which keep book: who wrote under which token, and whether
// there was ever a moment in which traffic reached nobody who is well.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "deployments/driver.h"
#include "runner/storage/store.h"

namespace runner::deployments::test {

/// Real time, and whatever was skipped: nobody waits for a deadline, and none passes because the machine is
/// slow.
class WorldClock final : public Clock {
 public:
  TimePoint now() const override { return real_.now() + skipped_.load(); }
  SteadyPoint steady_now() const override { return real_.steady_now() + skipped_.load(); }
  void skip(std::chrono::milliseconds time) { skipped_ = skipped_.load() + time; }

 private:
  SystemClock real_;
  std::atomic<std::chrono::milliseconds> skipped_{std::chrono::milliseconds(0)};
};

class World final : public Target, public Balancer {
 public:
  World(std::vector<std::string> units, bool slots);

  // Target
  const std::vector<std::string>& units() const override { return units_; }
  bool has_slots() const override { return slots_; }
  /// Of `more_units` that run.
  std::vector<std::pair<std::string, Slot>> left_over(std::stop_token stop) override;
  std::uint64_t seen_token(const std::string& unit, std::stop_token stop) override;
  void claim(const std::string& unit, const Fence& fence, std::chrono::milliseconds patience,
             std::stop_token stop) override;
  void prepare(const std::string& unit, const Release& release, std::stop_token stop) override;
  bool is_prepared(const std::string& unit, const std::string& release, std::stop_token stop) override;
  UnitState observe(const std::string& unit, std::stop_token stop) override;
  void place(const std::string& unit, Slot slot, const std::string& release, std::stop_token stop) override;
  void start(const std::string& unit, Slot slot, std::stop_token stop) override;
  void halt(const std::string& unit, Slot slot, std::chrono::milliseconds grace,
            std::stop_token stop) override;
  Endpoint endpoint(const std::string& unit, Slot slot) const override;
  CommandResult run(const std::string& unit, Slot slot, const TargetCommand& command, const TellLine& tell,
                    std::stop_token stop) override;
  void clean(const std::string& unit, std::size_t keep, const std::vector<std::string>& named,
             std::stop_token stop) override;
  void leave(const std::string& unit) noexcept override;

  // Balancer
  bool has_weights() const override { return true; }
  bool has_counters() const override { return true; }
  std::map<Place, ServerState> observe(const std::vector<Place>& places, std::stop_token stop) override;
  void set(const std::map<Place, ServerState>& states, std::stop_token stop) override;
  bool wait_drained(const std::vector<Place>& places, std::chrono::milliseconds patience,
                    std::stop_token stop) override;
  std::map<Place, ServerCounters> counters(const std::vector<Place>& places, std::stop_token stop) override;

  /// As if it had been deployed long ago and serves.
  void install(const std::string& release);
  /// As if that had been deployed, too, when there were more units. `known`: to the balancer.
  void leave_over(const std::string& unit, const std::string& release, bool known);
  /// What each unit serves with: release of the places that are ready, have weight and run.
  std::set<std::string> serving() const;
  /// Releases that never become healthy.
  std::set<std::string> sick;
  /// Releases of which so many of 100 requests fail.
  std::map<std::string, int> failing;
  /// Called before each verb: "place app1"; may throw.
  std::function<void(const std::string& verb)> before_verb;
  /// Outcome of run() by name; default: exit code 0.
  std::map<std::string, CommandResult> commands;

  /// Moments in which somebody could have got no answer, and writes under a token that was not the highest.
  std::vector<std::string> outages() const;
  std::vector<std::string> stale_writes() const;
  std::vector<std::string> log() const;
  std::vector<std::string> prepared(const std::string& unit) const;

 private:
  struct Unit {
    std::set<std::string> prepared;
    UnitState slots;
    std::map<Slot, std::string> running;  // what really runs
    std::uint64_t token = 0;
    std::string holder;
    Fence presented;  // of the connection that is open
    bool open = false;
  };
  friend class WorldProber;
  Unit& enter(const std::string& verb, const std::string& unit);
  void look_for_outage(const std::string& after);

  const std::vector<std::string> units_;
  const bool slots_;
  mutable std::recursive_mutex lock_;
  std::map<std::string, Unit> state_;
  std::map<Place, ServerState> servers_;
  std::map<Place, ServerCounters> counters_;
  std::vector<std::string> outages_, stale_, log_;
  bool installed_ = false;
};

/// Asks the world.
class WorldProber final : public Prober {
 public:
  /// Each look at what is sick takes a part of its deadline.
  WorldProber(World& world, WorldClock& clock) : world_(world), clock_(clock) {}
  Look look(const Endpoint& at, const pipelines::ProbeSpec& probe, std::stop_token stop) override;
  Look fetch(const std::string& url, int status_low, int status_high, std::chrono::milliseconds timeout,
             std::stop_token stop) override;
  Look run(const std::string& script, const std::map<std::string, std::string>& env,
           std::chrono::milliseconds timeout, const TellLine& tell, std::stop_token stop) override;
  /// Smoke checks that fail.
  std::set<std::string> failing;

 private:
  World& world_;
  WorldClock& clock_;
};

/// A deployment in a store, and what is needed to carry it out.
class Scene {
 public:
  Scene(std::vector<std::string> units, bool slots, pipelines::DeploySpec spec, bool balanced = true);

  /// Locked, for the release "bbbbbbbbbbbb"; returns its id.
  std::int64_t lock_new(const std::string& release = "bbbbbbbbbbbb");
  /// The next fence for it, as whoever goes on with it takes.
  void take_again(std::int64_t deployment);
  DriveEnd drive(std::int64_t deployment, std::stop_token abort = {});
  void ask(std::int64_t deployment, const std::string& request);

  storage::DeploymentRecord record(std::int64_t deployment) const;
  State state(std::int64_t deployment) const;
  std::vector<storage::StepRecord> steps(std::int64_t deployment) const;
  /// Of what was told.
  std::string told() const;
  /// Violations of what must always hold, one a line.
  std::string broken(std::int64_t deployment) const;

  WorldClock clock;
  World world;
  WorldProber prober;
  std::unique_ptr<storage::Store> store;
  DeployOrder order;
  std::chrono::milliseconds poll{2};
  std::function<void(const std::string& line)> on_line;

 private:
  const bool balanced_;
  mutable std::mutex lock_;
  std::string told_;
};

/// A spec with short waits.
pipelines::DeploySpec quick_spec(pipelines::DeployStrategy strategy);

inline constexpr const char* kOld = "aaaaaaaaaaaa";
inline constexpr const char* kNew = "bbbbbbbbbbbb";

}  // namespace runner::deployments::test
