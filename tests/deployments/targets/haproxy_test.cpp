// HAProxy's runtime API, against a real one, and against what is none.
#include "deployments/balancers/haproxy.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>
#include <iostream>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/support/deploy_hosts.h"
#include "tests/support/load_client.h"
#include "tests/support/load_generator.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Place kBlue{"a", Slot::blue}, kGreen{"a", Slot::green};

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "";
}

struct HaproxyTest : ::testing::Test {
  void SetUp() override {
    if (const std::string why = test::RealHaproxy::missing(); !why.empty()) GTEST_SKIP() << why;
  }
  HaproxyBalancer balancer(const test::RealHaproxy& real) const {
    return HaproxyBalancer({.sockets = {real.socket()}, .backend = "shop", .server = ""});
  }
  test::RealHaproxy idle(const std::string& name = "haproxy", const std::string& level = "admin") const {
    return {top.path() / name,
            {{"a-blue", 1}, {"a-green", 2, "weight 100 disabled"}, {"light", 3, ""}, {"b", 4}},
            level};
  }

  TempDir top{"deploy-"};
};

/// Blue and green of one unit behind a real HAProxy, both running, under load. Green is out at first.
struct HaproxyLoadTest : HaproxyTest {
  void SetUp() override {
    HaproxyTest::SetUp();
    if (IsSkipped()) return;
    test::make_app(top.path() / "one", "one");
    test::make_app(top.path() / "two", "two");
    blue.emplace(top.path() / "one", ports[0]);
    green.emplace(top.path() / "two", ports[1]);
    real.emplace(
        top.path() / "haproxy",
        std::vector<test::HaproxyServer>{{"a-blue", ports[0]}, {"a-green", ports[1], "weight 100 disabled"}});
    haproxy.emplace(balancer(*real));
    load.emplace(test::Load{.port = real->port()});
    load->wait_for_ok(200);
  }
  void switch_to_green() {
    haproxy->set({{kGreen, {Admission::ready, 100}}, {kBlue, {Admission::drain, 100}}}, {});
  }

  test::ReservedPorts ports{2};
  std::optional<test::RunningApp> blue, green;
  std::optional<test::RealHaproxy> real;
  std::optional<HaproxyBalancer> haproxy;
  std::optional<test::LoadGenerator> load;
};

TEST_F(HaproxyTest, ReadsAndSetsTheStatesOfServers) {
  const auto real = idle();
  auto haproxy = balancer(real);
  const std::vector<Place> places = {kBlue, kGreen, {"b", Slot::single}};
  EXPECT_EQ(haproxy.observe(places, {}),
            (std::map<Place, ServerState>{{kBlue, {Admission::ready, 100}},
                                          {kGreen, {Admission::out, 100}},
                                          {{"b", Slot::single}, {Admission::ready, 100}}}));
  for (const ServerState& state : {ServerState{Admission::drain, 100}, ServerState{Admission::ready, 1},
                                   ServerState{Admission::ready, 37}, ServerState{Admission::out, 0},
                                   ServerState{Admission::drain, 50}, ServerState{Admission::ready, 100}}) {
    const std::map<Place, ServerState> wanted = {{kBlue, state},
                                                 {kGreen, {Admission::ready, 100 - state.weight}}};
    haproxy.set(wanted, {});
    haproxy.set(wanted, {});  // what is done already is done again at no harm
    EXPECT_EQ(haproxy.observe({kBlue, kGreen}, {}), wanted);
  }
}

TEST_F(HaproxyTest, SaysWhatItLacksAndHowToAddIt) {
  const auto real = idle();
  auto haproxy = balancer(real);
  const Place missing{"c", Slot::blue};
  const auto says = AllOf(HasSubstr("not_found: "), HasSubstr(real.socket()), HasSubstr("no server 'c-blue'"),
                          HasSubstr("a-blue, a-green, b, light"), HasSubstr("add 'server c-blue"));
  EXPECT_THAT(error_of([&] { haproxy.observe({kBlue, missing}, {}); }), says);
  EXPECT_THAT(error_of([&] { haproxy.counters({missing}, {}); }), says);
  EXPECT_THAT(error_of([&] { haproxy.set({{kBlue, {Admission::out, 0}}, {missing, {}}}, {}); }), says);
  EXPECT_EQ(haproxy.observe({kBlue}, {}).at(kBlue), (ServerState{Admission::ready, 100}));  // none changed
  HaproxyBalancer other({.sockets = {real.socket()}, .backend = "shopp", .server = ""});
  const auto no_backend =
      AllOf(HasSubstr("not_found: "), HasSubstr("no backend 'shopp'"), HasSubstr("it has shop, other"));
  EXPECT_THAT(error_of([&] { other.observe({kBlue}, {}); }), no_backend);
  EXPECT_THAT(error_of([&] { other.counters({kBlue}, {}); }), no_backend);
}

TEST_F(HaproxyTest, RefusesAShareThatWouldBeRoundedToNone) {
  const auto real = idle();
  auto haproxy = balancer(real);
  const Place light{"light", Slot::single};
  EXPECT_THAT(error_of([&] {
                haproxy.set({{light, {Admission::ready, 10}}}, {});
              }),
              AllOf(HasSubstr("invalid_input: "), HasSubstr("'light'"), HasSubstr("add 'weight 100'")));
  haproxy.set({{light, {Admission::drain, 100}}}, {});
  EXPECT_EQ(haproxy.observe({light}, {}).at(light).admission, Admission::drain);
}

TEST_F(HaproxyTest, SaysThatASocketMayChangeNothing) {
  const auto real = idle("haproxy", "operator");
  auto haproxy = balancer(real);
  EXPECT_NO_THROW(haproxy.observe({kBlue}, {}));
  EXPECT_THAT(error_of([&] {
                haproxy.set({{kBlue, {}}}, {});
              }),
              AllOf(HasSubstr("conflict: "), HasSubstr("'level admin'")));
}

TEST_F(HaproxyTest, ChangesAllThatStandInARowAndCountsThemTogether) {
  const auto one = idle("one"), two = idle("two");
  HaproxyBalancer both({.sockets = {one.socket(), two.socket()}, .backend = "shop", .server = ""});
  const std::map<Place, ServerState> wanted = {{kBlue, {Admission::drain, 100}},
                                               {kGreen, {Admission::ready, 20}}};
  both.set(wanted, {});
  for (const auto* real : {&one, &two}) EXPECT_EQ(balancer(*real).observe({kBlue, kGreen}, {}), wanted);
  // One was reloaded, say: what still gets traffic somewhere is not out.
  balancer(two).set({{kBlue, {Admission::ready, 70}}}, {});
  EXPECT_EQ(both.observe({kBlue}, {}).at(kBlue), (ServerState{Admission::ready, 100}));
  EXPECT_TRUE(both.wait_drained({kBlue, kGreen}, milliseconds(0), {}));
  two.stop();
  EXPECT_THAT(error_of([&] { both.set(wanted, {}); }),
              AllOf(HasSubstr("unavailable: "), HasSubstr(two.socket()), HasSubstr("cannot be reached")));
}

TEST(HaproxyNamesTest, NeverHoldWhatWouldEndACommand) {
  const auto make = [](const std::string& backend, const std::string& pattern, const Place& place) {
    return error_of([&] {
      HaproxyBalancer({.sockets = {"/s"}, .backend = backend, .server = pattern}).server_of(place);
    });
  };
  for (const std::string bad : {"", "a b", "a;shutdown", "a\nb", "a/b", "a\\b", "ä", "a<<", "a\tb", "$a"}) {
    EXPECT_THAT(make(bad, "", kBlue), HasSubstr("invalid_input: ")) << bad;
    EXPECT_THAT(make("shop", "", {bad + " ", Slot::single}), HasSubstr("invalid_input: ")) << bad;
  }
  EXPECT_EQ(make("shop", "", kBlue), "");
  EXPECT_THAT(make("shop", "%unit", kBlue), HasSubstr("add '%slot'"));
  EXPECT_THAT(error_of([] { HaproxyBalancer({.sockets = {}, .backend = "shop", .server = ""}); }),
              HasSubstr("stats socket"));
  EXPECT_THAT(error_of([] { HaproxyBalancer({.sockets = {"x"}, .backend = "shop", .server = ""}); }),
              HasSubstr("HOST:PORT"));
  const HaproxyBalancer haproxy({.sockets = {"h:1"}, .backend = "shop", .server = "%slot.%unit:8"});
  EXPECT_EQ(haproxy.server_of(kGreen), "green.a:8");
}

TEST_F(HaproxyLoadTest, SwitchesUnderLoadWithoutAFailureAndBackAndForth) {
  for (int i = 0; i < 5; ++i) {
    switch_to_green();
    EXPECT_TRUE(haproxy->wait_drained({kBlue}, milliseconds(5000), {}));
    load->wait_for_ok(100);
    haproxy->set({{kBlue, {Admission::ready, 100}}, {kGreen, {Admission::drain, 100}}}, {});
    EXPECT_TRUE(haproxy->wait_drained({kGreen}, milliseconds(5000), {}));
    load->wait_for_ok(100);
  }
  const auto counts = load->stop();
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_GT(counts.by_version.at("two"), 100U);
  std::cout << "ten switches by drain: " << counts.text() << '\n';
}

TEST_F(HaproxyLoadTest, LosesNothingWhenTheOldOneEndsAfterItsDrain) {
  switch_to_green();
  ASSERT_TRUE(haproxy->wait_drained({kBlue}, milliseconds(5000), {}));
  blue->kill();
  load->wait_for_ok(300);
  const auto counts = load->stop();
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  std::cout << "killed after the drain: " << counts.text() << '\n';
}

// The negative control: without it, the two tests above would prove nothing.
TEST_F(HaproxyLoadTest, ShowsTheFailuresWhenTheOldOneIsKilledWithoutDrain) {
  haproxy->set({{kGreen, {Admission::ready, 100}}}, {});
  load->wait_for_ok(100);
  blue->kill();
  load->wait_until([](const test::Counts& counts) { return counts.failed >= 5; });
  const auto counts = load->stop();
  EXPECT_GE(counts.failed, 5U);
  EXPECT_EQ(counts.ok + counts.failed, counts.sent);
  EXPECT_GT(haproxy->counters({kBlue}, {}).at(kBlue).server_errors, 0U);
  EXPECT_EQ(haproxy->counters({kGreen}, {}).at(kGreen).server_errors, 0U);
  std::cout << "killed without a drain: " << counts.text() << '\n';
}

TEST_F(HaproxyLoadTest, GivesEachServerTheShareOfItsWeight) {
  // A round of HAProxy is 16 times the sum of the weights (BE_WEIGHT_SCALE): the one in which they change is
  // shared by the old and the new ones, and only a whole one has the shares asked for.
  constexpr std::uint64_t kRound = 1600;
  for (const unsigned weight : {10U, 50U}) {
    haproxy->set({{kGreen, {Admission::ready, weight}}, {kBlue, {Admission::ready, 100 - weight}}}, {});
    load->wait_for_ok(kRound);
    const auto before = haproxy->counters({kBlue, kGreen}, {});
    load->wait_for_ok(kRound);
    const auto after = haproxy->counters({kBlue, kGreen}, {});
    const auto new_ones = static_cast<double>(after.at(kGreen).requests - before.at(kGreen).requests);
    const auto all = new_ones + static_cast<double>(after.at(kBlue).requests - before.at(kBlue).requests);
    EXPECT_NEAR(new_ones / all, weight / 100.0, 0.03) << "of " << all;
    EXPECT_GE(after.at(kGreen).recent_seconds, 0.0);
  }
  EXPECT_EQ(load->stop().failed, 0U);
}

TEST_F(HaproxyTest, WaitsForSessionsOnlySoLongAndUntilItIsStopped) {
  // Nobody takes what comes in here, so a request is a session that does not end.
  UniqueFd deaf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(deaf.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(deaf.get(), 8), 0);
  ASSERT_EQ(::getsockname(deaf.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const test::RealHaproxy real(top.path() / "haproxy", {{"a-blue", ntohs(address.sin_port)}});
  auto haproxy = balancer(real);
  auto asked = std::async(std::launch::async, [&] {
    return test::LoadClient(real.port(), milliseconds(20'000))
        .ask("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        .failure;
  });
  while (haproxy.counters({kBlue}, {}).at(kBlue).sessions == 0) std::this_thread::yield();
  EXPECT_FALSE(haproxy.wait_drained({kBlue}, milliseconds(60), {}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(error_of([&] { haproxy.wait_drained({kBlue}, milliseconds(9000), stop.get_token()); }),
            "cancelled: cancelled");
  deaf.reset();  // the kernel ends what nobody had taken
  EXPECT_TRUE(haproxy.wait_drained({kBlue}, milliseconds(10'000), {}));
  EXPECT_EQ(asked.get(), "");
}

}  // namespace
}  // namespace runner::deployments
