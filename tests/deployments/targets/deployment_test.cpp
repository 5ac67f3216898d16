// Whole deployments on real parts: hosts by ssh, HAProxy, an application, and clients that count every answer
// they do not get.
#include "runner/base/digest.h"
#include "tests/deployments/targets/deployment_stage.h"
#include "tests/deployments/targets/ssh_fixture.h"
#include "tests/support/source_dir.h"

namespace runner::deployments {
namespace {

using pipelines::DeployStrategy;
using std::chrono::milliseconds;
using test::Counts;
using testing::AllOf;
using testing::HasSubstr;
using testing::Key;
using testing::UnorderedElementsAre;

class Deployment : public SshTest, protected DeploymentStage {
 protected:
  static constexpr std::size_t kHosts = 2;

  void SetUp() override {
    SshTest::SetUp();
    if (IsSkipped()) return;
    if (const std::string why = test::RealHaproxy::missing(); !why.empty()) GTEST_SKIP() << why;
    while (hosts.size() < kHosts) {
      add_host();
      std::filesystem::copy_file(hosts[0]->key("key.pub"), hosts.back()->key("authorized"),
                                 std::filesystem::copy_options::overwrite_existing);
    }
  }

  /// The stage for a strategy: with two places a host, or one.
  void build(DeployStrategy strategy) {
    slots_ = strategy == DeployStrategy::blue_green || strategy == DeployStrategy::canary;
    ports_.emplace(kHosts * 2);
    std::vector<test::HaproxyServer> servers;
    SshOptions told = options();
    told.ports.clear();
    const std::string app = (test::source_dir() / "tests/support/deploy_app.py").native();
    told.start = "python3 " + app +
                 " \"$RUNNER_RELEASE_DIR\" $RUNNER_PORT > \"$RUNNER_ROOT/shared/log\" 2>&1 & "
                 "echo $! > \"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\"";
    for (std::size_t host = 0; host < kHosts; ++host) {
      std::map<Slot, std::uint16_t>& own = told.hosts[host].ports;
      if (slots_) {
        own = {{Slot::blue, (*ports_)[host * 2]}, {Slot::green, (*ports_)[host * 2 + 1]}};
        servers.push_back({units[host] + "-blue", own[Slot::blue], "weight 100 disabled"});
        servers.push_back({units[host] + "-green", own[Slot::green], "weight 100 disabled"});
      } else {
        own = {{Slot::single, (*ports_)[host * 2]}};
        servers.push_back({units[host], own[Slot::single]});
      }
    }
    target_ = std::make_unique<SshTarget>(told);
    set_stage(top.path(), strategy, servers, milliseconds(20'000));
  }

  Release app(const std::string& version, const std::string& broken = "") {
    const auto tree = top.path() / ("app-" + version), archive = top.path() / (version + ".tar.gz");
    test::make_app(tree, version, broken);
    shell("tar -C " + tree.native() + " -czf " + archive.native() + " .");
    Release release;
    release.id = sha256_hex(read_file(archive).value()).substr(0, 16);
    release.artifact = file_of("app.tar.gz", archive);
    return release;
  }

  State deploy(const Release& release) { return carry_out(lock(release), release, *target_); }
  /// Deploys `release` while clients ask, and what they saw.
  Counts counted_while(const Release& release, State end) {
    return DeploymentStage::counted_while([&] { EXPECT_EQ(deploy(release), end) << said_; });
  }

  bool slots_ = false;
  std::optional<test::ReservedPorts> ports_;
  std::unique_ptr<SshTarget> target_;
};

TEST_F(Deployment, BlueGreenIsNoticedByNobody) {
  build(DeployStrategy::blue_green);
  ASSERT_EQ(deploy(app("one")), State::succeeded) << said_;
  const Counts counts = counted_while(app("two"), State::succeeded);
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));
}

TEST_F(Deployment, RollingIsNoticedByNobody) {
  build(DeployStrategy::rolling);
  ASSERT_EQ(deploy(app("one")), State::succeeded) << said_;
  const Counts counts = counted_while(app("two"), State::succeeded);
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));
}

TEST_F(Deployment, ACanaryGetsItsShare) {
  build(DeployStrategy::canary);
  spec_.strategy.steps = {{20, milliseconds(1'500), false}, {100, {}, false}};
  spec_.strategy.checks.push_back({"errors", "candidate", "http_5xx_ratio", 0.01, {}, {}, {}, 20});
  ASSERT_EQ(deploy(app("one")), State::succeeded) << said_;
  const Counts counts = counted_while(app("two"), State::succeeded);
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));
}

TEST_F(Deployment, ACanaryWithErrorsIsRolledBackAndFewSawThem) {
  build(DeployStrategy::canary);
  spec_.strategy.steps = {{10, milliseconds(20'000), false}, {100, {}, false}};
  spec_.strategy.checks.push_back({"errors", "candidate", "http_5xx_ratio", 0.05, {}, {}, {}, 20});
  spec_.strategy.failures = 1;
  ASSERT_EQ(deploy(app("one")), State::succeeded) << said_;
  const Counts counts = counted_while(app("two", "errors"), State::rolled_back);
  EXPECT_THAT(last_.reason, HasSubstr("http_5xx_ratio"));
  EXPECT_GT(counts.failed, 0U) << "else the application is not broken";
  // A fifth of a tenth, and less outside of the window.
  EXPECT_LE(counts.failed, counts.sent / 25) << counts.text();
  EXPECT_EQ(counts.cut + counts.refused, 0U) << counts.text();
}

TEST_F(Deployment, ACandidateThatIsNeverReadyIsRolledBackInTime) {
  for (const DeployStrategy strategy : {DeployStrategy::blue_green, DeployStrategy::rolling}) {
    build(strategy);
    ASSERT_EQ(deploy(app("one")), State::succeeded) << said_;
    spec_.health.deadline = milliseconds(2'000);
    const auto begun = std::chrono::steady_clock::now();
    const Counts counts = counted_while(app("two", "never_ready"), State::rolled_back);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(60));
    EXPECT_THAT(last_.reason, AllOf(HasSubstr("was not healthy within 2 s"), HasSubstr("status 503")));
    EXPECT_EQ(counts.failed, 0U) << counts.text();
    EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one")));
    TearDown();
    std::filesystem::remove(top.path() / "db");
    for (std::size_t host = 0; host < kHosts; ++host) std::filesystem::remove_all(root(host));
    std::filesystem::remove_all(top.path() / "haproxy");
    haproxy_.reset();
  }
}

TEST_F(Deployment, AFirstReleaseThatIsNeverReadyLeavesNothing) {
  build(DeployStrategy::rolling);
  spec_.health.deadline = milliseconds(2'000);
  EXPECT_EQ(deploy(app("one", "never_ready")), State::rolled_back) << last_.reason;
  for (const std::string& unit : units) {
    target_->claim(
        unit, fence_of(static_cast<std::uint64_t>(last_.fence), std::to_string(last_.id), "shop/production"),
        milliseconds(5'000), {});
    EXPECT_EQ(target_->observe(unit, {}).at(Slot::single), SlotState{}) << unit;
  }
  spec_.health.deadline = milliseconds(20'000);
  EXPECT_EQ(deploy(app("two")), State::succeeded) << said_;
}

TEST_F(Deployment, SmokeAfterTheSwitchThatFailsBringsTheOldBack) {
  build(DeployStrategy::blue_green);
  ASSERT_EQ(deploy(app("one")), State::succeeded) << said_;
  spec_.smoke.after_switch.push_back(
      {"", "http://127.0.0.1:" + std::to_string(haproxy_->port()) + "/health", 200, 200});
  const Counts counts = counted_while(app("two", "smoke"), State::rolled_back);
  EXPECT_THAT(last_.reason, HasSubstr("status 500"));
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("one"), Key("two")));
}

TEST_F(Deployment, RecreateIsNoticed) {
  build(DeployStrategy::recreate);
  ASSERT_EQ(deploy(app("one")), State::succeeded) << said_;
  const Counts counts = counted_while(app("two"), State::succeeded);
  EXPECT_GT(counts.failed, 0U) << "else the clients see nothing: " << counts.text();
}

TEST_F(Deployment, AnOrphanOfADeadDeployerChangesNothing) {
  build(DeployStrategy::blue_green);
  ASSERT_EQ(deploy(app("one")), State::succeeded) << said_;
  // Somebody else's deployment, on its way with the fence of before.
  const Release stale = app("stale"), next = app("two");
  const auto orphan = target();
  for (const std::string& one : units)
    orphan->claim(one, fence_of(1'000'000, "orphan", "shop/production"), std::chrono::seconds(5), {});
  orphan->prepare(units[0], stale, {});
  EXPECT_EQ(deploy(next), State::locked) << "a lower token than the hosts have seen gets nowhere";
  take_again(last_.id, 1'000'000);
  EXPECT_EQ(carry_out(last_.id, next, *target_), State::succeeded) << said_;
  EXPECT_THAT(error_of([&] { orphan->place(units[0], Slot::blue, stale.id, {}); }), HasSubstr("stale:"));
}

}  // namespace
}  // namespace runner::deployments
