// Hosts by ssh behind HAProxy, both real, under load: what a strategy puts together, verb by verb.
#include <iostream>
#include <thread>

#include "deployments/balancers/haproxy.h"
#include "runner/base/digest.h"
#include "tests/deployments/targets/ssh_fixture.h"
#include "tests/support/load_client.h"
#include "tests/support/load_generator.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;

/// Two hosts, each with two slots behind one HAProxy; the application is in "blue".
struct BlueGreenTest : SshTest {
  void SetUp() override {
    if (const std::string why = test::RealHaproxy::missing(); !why.empty()) GTEST_SKIP() << why;
    SshTest::SetUp();
    if (IsSkipped()) return;
    add_host();
    std::filesystem::copy_file(hosts[0]->key("key.pub"), hosts[1]->key("authorized"),
                               std::filesystem::copy_options::overwrite_existing);
    SshOptions ssh = options();
    std::vector<test::HaproxyServer> servers;
    for (std::size_t i = 0; i < 2; ++i) {
      ssh.hosts[i].ports = {{Slot::blue, ports[2 * i]}, {Slot::green, ports[2 * i + 1]}};
      servers.push_back({units[i] + "-blue", ports[2 * i]});
      servers.push_back({units[i] + "-green", ports[2 * i + 1], "weight 100 disabled"});
    }
    ssh.start =
        "python3 app.py \"$RUNNER_RELEASE_DIR\" $RUNNER_PORT & echo $! > "
        "\"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\"";
    target.emplace(ssh);
    real.emplace(top.path() / "haproxy", servers);
    haproxy.emplace(HaproxyOptions{.sockets = {real->socket()}, .backend = "shop", .server = ""});
    for (const std::string& unit : units) target->claim(unit, fence_of(1, "d1"), milliseconds(5000), never);
    bring(app("one"), Slot::blue);
    for (const std::string& unit : units) wait_until_ready(unit, Slot::blue);
    load.emplace(test::Load{.port = real->port(), .clients = 4, .pause = std::chrono::milliseconds(3)});
    load->wait_for_ok(200);
  }
  void TearDown() override {
    load.reset();
    target.reset();
    SshTest::TearDown();
  }

  Release app(const std::string& version, const std::string& broken = "") const {
    test::make_app(top.path() / ("app-" + version), version, broken);
    const auto archive = top.path() / (version + ".tar.gz");
    shell("tar -czf " + archive.string() + " -C " + (top.path() / ("app-" + version)).string() + " .");
    Release release;
    release.id = sha256_hex(version).substr(0, 20);
    release.artifact = file_of("app.tar.gz", archive);
    return release;
  }
  void bring(const Release& release, Slot slot) {
    for (const std::string& unit : units) {
      target->prepare(unit, release, never);
      target->place(unit, slot, release.id, never);
      target->start(unit, slot, never);
    }
  }
  int status_of(const std::string& unit, Slot slot, const std::string& path) const {
    return test::LoadClient(target->endpoint(unit, slot).port, milliseconds(2000))
        .ask("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
        .status;
  }
  void wait_until_ready(const std::string& unit, Slot slot) const {
    while (status_of(unit, slot, "/ready") != 200) std::this_thread::yield();
  }
  std::vector<Place> places(Slot slot) const { return {{units[0], slot}, {units[1], slot}}; }
  void give(unsigned green) {
    std::map<Place, ServerState> states;
    for (const std::string& unit : units) {
      states[{unit, Slot::green}] = {green > 0 ? Admission::ready : Admission::drain,
                                     green > 0 ? green : 100};
      states[{unit, Slot::blue}] = {green < 100 ? Admission::ready : Admission::drain,
                                    green < 100 ? 100 - green : 100};
    }
    haproxy->set(states, never);
  }

  test::ReservedPorts ports{4};
  std::optional<SshTarget> target;
  std::optional<test::RealHaproxy> real;
  std::optional<HaproxyBalancer> haproxy;
  std::optional<test::LoadGenerator> load;
};

TEST_F(BlueGreenTest, LosesNoRequestFromOneReleaseToTheNext) {
  bring(app("two"), Slot::green);
  for (const std::string& unit : units) wait_until_ready(unit, Slot::green);
  give(10);
  load->wait_until([](const test::Counts& counts) { return counts.by_version.count("two") > 0; });
  give(100);
  ASSERT_TRUE(haproxy->wait_drained(places(Slot::blue), milliseconds(10'000), never));
  for (const std::string& unit : units) target->halt(unit, Slot::blue, milliseconds(5000), never);
  load->wait_for_ok(300);
  const auto counts = load->stop();
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_GT(counts.by_version.at("one"), 0U);
  EXPECT_FALSE(target->observe(unit(), never).at(Slot::blue).running);
  EXPECT_TRUE(target->observe(unit(), never).at(Slot::green).running);
  std::cout << "canary, then all: " << counts.text() << '\n';
}

TEST_F(BlueGreenTest, SeesErrorsOfACanaryInTheCountersAndTakesItBack) {
  bring(app("bad", "errors"), Slot::green);
  for (const std::string& unit : units) wait_until_ready(unit, Slot::green);
  give(20);
  const auto errors = [&] {
    std::uint64_t sum = 0;
    for (const auto& [place, counted] : haproxy->counters(places(Slot::green), never))
      sum += counted.server_errors;
    return sum;
  };
  while (errors() < 3) std::this_thread::yield();
  give(0);
  ASSERT_TRUE(haproxy->wait_drained(places(Slot::green), milliseconds(10'000), never));
  // What the canary has answered by now; a client may not have come to counting it yet.
  const auto answered = errors();
  load->wait_for_ok(300);
  const auto counts = load->stop();
  EXPECT_GT(counts.failed, 0U);
  EXPECT_LE(counts.failed, answered) << "none after it was taken back: " << counts.text();
  EXPECT_EQ(errors(), answered);
  for (const auto& [place, counted] : haproxy->counters(places(Slot::blue), never))
    EXPECT_EQ(counted.server_errors, 0U) << place.unit;
  std::cout << "a canary of 20 % with errors: " << counts.text() << '\n';
}

TEST_F(BlueGreenTest, ShowsAReleaseThatIsNeverReadyBeforeItGetsTraffic) {
  bring(app("bad", "never_ready"), Slot::green);
  while (status_of(unit(), Slot::green, "/") != 200) std::this_thread::yield();
  EXPECT_EQ(status_of(unit(), Slot::green, "/ready"), 503);
  for (const std::string& unit : units) target->halt(unit, Slot::green, milliseconds(5000), never);
  const auto counts = load->stop();
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_EQ(counts.by_version.size(), 1U);
}

// The negative control: the old ones are replaced without another to take their traffic.
TEST_F(BlueGreenTest, ShowsTheFailuresOfStoppingTheOldOneFirst) {
  for (const std::string& unit : units) target->halt(unit, Slot::blue, milliseconds(5000), never);
  load->wait_until([](const test::Counts& counts) { return counts.failed >= 20; });
  for (const std::string& unit : units) target->start(unit, Slot::blue, never);
  for (const std::string& unit : units) wait_until_ready(unit, Slot::blue);
  load->wait_for_ok(100);
  const auto counts = load->stop();
  EXPECT_GE(counts.failed, 20U);
  std::cout << "stopped, then started: " << counts.text() << '\n';
}

}  // namespace
}  // namespace runner::deployments
