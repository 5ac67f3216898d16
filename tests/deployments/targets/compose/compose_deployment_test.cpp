// Whole deployments of a service of a compose file: a real engine, HAProxy, and clients that count every
// answer they do not get.
#include "deployments/balancers/haproxy.h"
#include "deployments/driver.h"
#include "deployments/network_prober.h"
#include "runner/base/failpoint.h"
#include "runner/storage/deployment_table.h"
#include "tests/deployments/targets/compose/compose_fixture.h"
#include "tests/support/deploy_hosts.h"
#include "tests/support/load_generator.h"

namespace runner::deployments {
namespace {

using pipelines::DeployStrategy;
using std::chrono::milliseconds;
using test::Counts;
using testing::HasSubstr;
using testing::Key;
using testing::UnorderedElementsAre;

struct Killed {};

class ComposeDeployment : public ComposeFixture {
 protected:
  void build(DeployStrategy strategy) {
    spec_.strategy.type = strategy;
    spec_.strategy.interval = milliseconds(200);
    spec_.strategy.unknown = 10'000;  // a slow machine asks little: nobody is here to be asked
    spec_.health.kind = pipelines::ProbeKind::http;
    spec_.health.path = "/ready";
    spec_.health.status_high = 299;
    spec_.health.interval = milliseconds(100);
    spec_.health.deadline = milliseconds(60'000);
    spec_.health.successes = 2;
    spec_.drain_timeout = milliseconds(20'000);
    spec_.stop_grace = milliseconds(5'000);
    spec_.compose.emplace();
    slots_ = strategy != DeployStrategy::recreate;
    std::vector<test::HaproxyServer> servers;
    if (slots_)
      servers = {{"shop-blue", blue_port, "weight 100 disabled"},
                 {"shop-green", green_port, "weight 100 disabled"}};
    else
      servers = {{"shop", single_port, "weight 100"}};
    haproxy_.emplace(top.path() / "haproxy", servers);
    balancer_.emplace(HaproxyOptions{{haproxy_->socket()}, "shop", "", milliseconds(5000)});
    store_ = storage::open_file_store(top.path() / "db", clock_);
  }

  std::int64_t lock(const Release& release) {
    std::int64_t id = 0;
    store_->write([&](storage::Tx& tx) {
      storage::Environments environments(tx);
      const auto environment = environments.of("shop", project, clock_.now());
      storage::DeploymentRecord record;
      record.environment = environment.id;
      record.kind = "deploy";
      record.state = to_string(State::locked);
      record.release = release.id;
      record.created_at = clock_.now();
      record.locked_at = clock_.now();
      record = storage::Deployments(tx).insert(record);
      record.fence = environments.lock(environment.id, record.id).value();
      storage::Deployments(tx).replace(record);
      id = record.id;
    });
    return id;
  }
  void take_again(std::int64_t id) {
    store_->write([&](storage::Tx& tx) {
      auto record = storage::Deployments(tx).find(id).value();
      record.fence = storage::Environments(tx).lock(record.environment, id).value();
      storage::Deployments(tx).replace(record);
    });
  }

  /// By a target of its own, which knows nothing but what the engine says.
  State carry_out(std::int64_t id, const Release& release) {
    ComposeOptions own = options(slots_);
    own.directory = top.path() / ("life-" + std::to_string(++lives_));
    ComposeTarget target(own);
    DeployOrder order;
    order.spec = spec_;
    order.release = release;
    order.environment = "shop/" + project;
    NetworkProber prober(top.path());
    const TellLine tell = [this](const std::string& unit, std::string_view line) {
      told += (unit.empty() ? "" : unit + ": ") + std::string(line) + "\n";
    };
    const DriverParts parts{target, &*balancer_, prober, *store_, clock_, tell, {}, milliseconds(50)};
    drive(id, order, parts, {});
    store_->read([&](storage::Tx& tx) { last_ = storage::Deployments(tx).find(id).value(); });
    return parse_state(last_.state).value();
  }
  State deploy(const Release& release) { return carry_out(lock(release), release); }

  Counts counted_while(const std::function<void()>& act) {
    test::LoadGenerator load({.port = haproxy_->port(), .clients = 4, .pause = std::chrono::milliseconds(2)});
    load.wait_for_ok(100);
    act();
    load.wait_for_ok(100);
    Counts counts = load.stop();
    std::printf("%s: %s\n", ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                counts.text().c_str());
    return counts;
  }

  SystemClock clock_;
  pipelines::DeploySpec spec_;
  bool slots_ = false;
  int lives_ = 0;
  std::optional<test::RealHaproxy> haproxy_;
  std::optional<HaproxyBalancer> balancer_;
  std::unique_ptr<storage::Store> store_;
  storage::DeploymentRecord last_;
};
ON_BOTH_ENGINES(ComposeDeployment);

TEST_P(ComposeDeployment, BlueGreenIsNoticedByNobodyAndASickReleaseNeither) {
  build(DeployStrategy::blue_green);
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  const Counts counts =
      counted_while([&] { EXPECT_EQ(deploy(release("two")), State::succeeded) << last_.reason; });
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));

  spec_.health.deadline = milliseconds(4'000);
  const Counts kept =
      counted_while([&] { EXPECT_EQ(deploy(release("three", true)), State::rolled_back) << last_.reason; });
  EXPECT_THAT(last_.reason, HasSubstr("was not healthy within 4 s: status 503"));
  EXPECT_EQ(kept.failed, 0U) << kept.text();
  EXPECT_THAT(kept.by_version, UnorderedElementsAre(Key("two")));
}

TEST_P(ComposeDeployment, ACanaryGetsItsShare) {
  build(DeployStrategy::canary);
  spec_.strategy.steps = {{20, milliseconds(1'500), false}, {100, {}, false}};
  spec_.strategy.checks.push_back({"errors", "candidate", "http_5xx_ratio", 0.01, {}, {}, {}, 20});
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  const Counts counts =
      counted_while([&] { EXPECT_EQ(deploy(release("two")), State::succeeded) << last_.reason; });
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));
}

TEST_P(ComposeDeployment, RecreateBringsTheOldBackWhenTheNewIsSick) {
  build(DeployStrategy::recreate);
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  spec_.health.deadline = milliseconds(4'000);
  EXPECT_EQ(deploy(release("two", true)), State::rolled_back) << last_.reason;
  EXPECT_EQ(answer_of(single_port), "one");
}

TEST_P(ComposeDeployment, ADeployerThatIsKilledAtAnyStepIsGoneOnFor) {
  build(DeployStrategy::blue_green);
  ASSERT_EQ(deploy(release("one")), State::succeeded) << last_.reason;
  const Release next = release("two");
  const auto id = lock(next);
  int left = 1, kills = 0;
  const Counts counts = counted_while([&] {
    // The first life dies at its first boundary, the next at its second, until one comes to the end.
    for (State state = State::locked; !is_end(state);) {
      if (kills > 0) take_again(id);
      int count = left;
      left += 3;
      set_failpoint_handler([&](std::string_view name) {
        if (name.starts_with("deploy.") && --count == 0) throw Killed();
      });
      try {
        state = carry_out(id, next);
      } catch (const Killed&) {
        ++kills;
      }
    }
    set_failpoint_handler({});
  });
  EXPECT_EQ(parse_state(last_.state), State::succeeded) << last_.reason;
  EXPECT_GT(kills, 2);
  EXPECT_EQ(counts.failed, 0U) << counts.text();
}

}  // namespace
}  // namespace runner::deployments
