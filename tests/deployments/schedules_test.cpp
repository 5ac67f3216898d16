// Random schedules of people, deaths and time, and two servers with one database: what must always hold.
#include <gmock/gmock.h>

#include <random>
#include <thread>

#include "deployments/gate.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/synchronized.h"
#include "tests/deployments/world.h"

namespace runner::deployments::test {
namespace {

using pipelines::DeployStrategy;

struct Killed {};

/// Checked with every change, in its transaction: at most one deployment of the environment is at work, no
/// end is left again, and none began without approvals of others than whoever started it.
class Referee {
 public:
  explicit Referee(bool approvals = true) : approvals_(approvals) {}

  OnChange watch() {
    return [this](storage::Tx& tx, const storage::DeploymentRecord& changed) {
      ++changes;
      const State state = parse_state(changed.state).value();
      auto seen = seen_.lock();
      int at_work = 0;
      for (const auto& one : storage::Deployments(tx).of_environment(changed.environment)) {
        const State now = parse_state(one.state).value();
        if (is_effectful(now) || now == State::rollback_failed) ++at_work;
      }
      if (at_work > 1) seen->broken += "two at work after " + changed.state + "\n";
      const auto known = seen->states.find(changed.id);
      if (known != seen->states.end() && is_end(known->second) && known->second != state)
        seen->broken += "an end was left\n";
      seen->states[changed.id] = state;
      if (changed.fence < seen->fences[changed.id]) seen->broken += "a fence went back\n";
      seen->fences[changed.id] = changed.fence;
      if (approvals_ && state == State::locked && changed.forced.empty()) {
        int others = 0;
        for (const auto& approval : storage::Approvals(tx).of(changed.id))
          if (approval.fingerprint == changed.fingerprint && approval.person != changed.triggered_by)
            ++others;
        if (others < 1) seen->broken += "begun without an approval\n";
      }
    };
  }
  std::string broken() { return seen_.lock()->broken; }
  std::atomic<int> changes{0};

 private:
  struct Seen {
    std::map<std::int64_t, State> states;
    std::map<std::int64_t, std::int64_t> fences;
    std::string broken;
  };
  const bool approvals_;
  Synchronized<Seen> seen_;
};

Person developer(const std::string& name) {
  return Person{name, "developer", {}, {}, {}, true};
}

class Town {
 public:
  Town(storage::Store& store, WorldClock& clock, World& world, Referee& referee,
       const std::string& protection =
           R"({"approvals": {"rules": [{"who": ["role:developer"]}]}, "queue": "fifo"})")
      : store_(store),
        clock_(clock),
        world_(world),
        prober_(world, clock),
        referee_(referee),
        gate_(
            store, clock, [](const std::string& name) { return developer(name); }, referee.watch()) {
    store_.write([&](storage::Tx& tx) {
      storage::Environments environments(tx);
      const auto environment = environments.of("shop", "production", clock_.now());
      environment_ = environment.id;
      if (environment.protection.empty())
        environments.set_protection(environment.id, protection, environment.version);
    });
  }

  std::int64_t add(const std::string& by, int number) {
    NewDeployment wanted;
    wanted.project = "shop";
    wanted.environment = "production";
    wanted.triggered_by = by;
    wanted.release = std::string(kNew, 8) + std::to_string(1000 + number);
    wanted.fingerprint = {std::to_string(number)};
    return gate_.add(wanted).id;
  }

  Gate& gate() { return gate_; }
  std::optional<storage::DeploymentRecord> advance() { return gate_.advance(environment_); }

  std::vector<storage::DeploymentRecord> all() {
    std::vector<storage::DeploymentRecord> all;
    store_.read([&](storage::Tx& tx) { all = storage::Deployments(tx).of_environment(environment_); });
    return all;
  }

  /// The next fence, as whoever takes a deployment over has it; false when it is nobody's to take.
  bool take_over(std::int64_t id) {
    bool taken = false;
    store_.write([&](storage::Tx& tx) {
      taken = false;
      auto record = storage::Deployments(tx).find(id).value();
      if (!is_effectful(parse_state(record.state).value())) return;
      const auto fence = storage::Environments(tx).lock(environment_, id);
      if (!fence) return;
      record.fence = *fence;
      taken = storage::Deployments(tx).replace(record);
    });
    return taken;
  }

  DriveEnd drive(const storage::DeploymentRecord& record, bool canary) {
    DeployOrder order;
    order.spec = quick_spec(canary ? DeployStrategy::canary : DeployStrategy::blue_green);
    order.spec.health.successes = 1;
    order.release.id = record.release;
    order.environment = "shop/production";
    const DriverParts parts{world_,           &world_,
                            prober_,          store_,
                            clock_,           [](const auto&, auto) {},
                            referee_.watch(), std::chrono::milliseconds(1)};
    return deployments::drive(record.id, order, parts, {});
  }

 private:
  storage::Store& store_;
  WorldClock& clock_;
  World& world_;
  WorldProber prober_;
  Referee& referee_;
  Gate gate_;
  std::int64_t environment_ = 0;
};

TEST(Schedules, TwoHundredAtRandomBreakNothing) {
  int kills = 0, done = 0, changes = 0, undone = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    WorldClock clock;
    const auto store = storage::make_memory_store(clock);
    World world({"app1", "app2"}, true);
    world.install(kOld);
    Referee referee;
    Town town(*store, clock, world, referee);
    const std::string names[] = {"ada", "ben", "cid"};
    std::vector<std::int64_t> ids;
    std::optional<storage::DeploymentRecord> at_work;
    for (int turn = 0; turn < 25; ++turn) {
      const std::string& who = names[random() % 3];
      const auto any = [&] { return ids[random() % ids.size()]; };
      switch (random() % 8) {
        case 0:
        case 1:
          ids.push_back(town.add(who, static_cast<int>(ids.size())));
          if (random() % 5 == 0)
            world.sick.insert(std::string(kNew, 8) + std::to_string(1000 + static_cast<int>(ids.size()) - 1));
          break;
        case 2:
        case 3:
        case 4:
          if (!ids.empty()) town.gate().approve(any(), developer(who), "", "token");
          break;
        case 5:
          if (!ids.empty() && random() % 4 == 0) town.gate().reject(any(), developer(who), "no", "token");
          if (!ids.empty() && random() % 4 == 0) town.gate().cancel(any(), developer(who));
          break;
        case 6:
          store->write([&](storage::Tx& tx) {
            if (!ids.empty())
              storage::Deployments(tx).set_request(any(), "abort",
                                                   {"locked", "progressing", "verifying", "preparing"});
          });
          break;
        default:
          break;
      }
      if (!at_work) at_work = town.advance();
      if (!at_work) continue;
      std::atomic<int> left{random() % 2 == 0 ? static_cast<int>(random() % 30) + 1 : -1};
      set_failpoint_handler([&](std::string_view name) {
        if (name.starts_with("deploy.") && left.fetch_sub(1) == 1) throw Killed();
      });
      try {
        town.drive(*at_work, seed % 2 == 0);
        ++done;
        at_work.reset();
      } catch (const Killed&) {
        ++kills;
        if (!town.take_over(at_work->id)) at_work.reset();
      }
      set_failpoint_handler({});
    }
    while (at_work) {
      town.drive(*at_work, seed % 2 == 0);
      at_work = town.advance();
    }
    EXPECT_EQ(referee.broken(), "") << "seed " << seed;
    EXPECT_THAT(world.outages(), testing::IsEmpty()) << "seed " << seed;
    for (const auto& deployment : town.all()) {
      const State state = parse_state(deployment.state).value();
      EXPECT_TRUE(is_end(state) || is_waiting(state)) << deployment.state << ", seed " << seed;
      if (state == State::rolled_back) ++undone;
    }
    changes += referee.changes;
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_GT(done, 200);
  EXPECT_GT(kills, 100);
  std::printf(
      "200 random schedules: %d deployments, %d rolled back, %d kills, %d changes of state, none wrong\n",
      done, undone, kills, changes);
}

TEST(Schedules, TwoServersWithOneDatabaseAreNeverBothAtWork) {
  const TempDir dir("runner-two-servers");
  WorldClock clock;
  World world({"app1", "app2"}, true);
  world.install(kOld);
  Referee referee(false);
  const std::string protection = R"({"queue": "fifo", "refuse_older": false})";
  {
    const auto store = storage::open_file_store(dir.path() / "db", clock);
    Town(*store, clock, world, referee, protection);
  }
  std::atomic<int> carried{0};
  const auto serve = [&](int server) {
    const auto store = storage::open_file_store(dir.path() / "db", clock);
    Town town(*store, clock, world, referee, protection);
    for (int round = 0; round < 15; ++round) {
      town.add("ada", server * 100 + round);
      while (const auto locked = town.advance()) {
        town.drive(*locked, false);
        ++carried;
      }
    }
  };
  { std::jthread one(serve, 1), other(serve, 2); }
  EXPECT_EQ(referee.broken(), "");
  EXPECT_THAT(world.outages(), testing::IsEmpty());
  EXPECT_THAT(world.stale_writes(), testing::IsEmpty());
  EXPECT_EQ(carried, 30);
  std::printf("two servers: %d deployments, never two at once\n", carried.load());
}

}  // namespace
}  // namespace runner::deployments::test
