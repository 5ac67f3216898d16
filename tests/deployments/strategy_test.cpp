#include "deployments/strategy.h"

#include <gmock/gmock.h>

#include "tests/deployments/world.h"

namespace runner::deployments {
namespace {

using pipelines::DeployStrategy;

std::string shown(const std::vector<Phase>& phases) {
  std::string text;
  for (const Phase& phase : phases) {
    text += std::string(to_string(phase.action));
    for (const Place& place : phase.places) {
      text += " " + place.unit;
      if (place.slot != Slot::single) text += "/" + std::string(to_string(place.slot));
      if (const auto server = phase.servers.find(place); server != phase.servers.end())
        text +=
            "=" + std::string(to_string(server->second.admission)) + std::to_string(server->second.weight);
    }
    if (phase.action == Action::place) text += " " + (phase.release.empty() ? "-" : phase.release);
    if (phase.action == Action::hold) text += " " + std::to_string(phase.hold.count());
    text += "\n";
  }
  return text;
}

StrategyInput input_for(DeployStrategy type, std::vector<std::string> units, bool slots) {
  StrategyInput input;
  input.strategy = test::quick_spec(type).strategy;
  input.units = std::move(units);
  input.slots = slots;
  input.balanced = true;
  input.candidate = "new";
  return input;
}

Snapshot running_in(const std::vector<std::string>& units, Slot slot) {
  Snapshot snapshot;
  for (const std::string& unit : units) {
    snapshot.units[unit][slot] = {"old", true};
    if (slot == Slot::single) {
      snapshot.servers[{unit, slot}] = {Admission::ready, 100};
      continue;
    }
    for (const Slot one : {Slot::blue, Slot::green})
      snapshot.servers[{unit, one}] = {one == slot ? Admission::ready : Admission::out, 100};
  }
  return snapshot;
}

TEST(Strategy, RecreateExchangesAllAtOnce) {
  EXPECT_EQ(shown(plan_forward(input_for(DeployStrategy::recreate, {"a", "b"}, false),
                               running_in({"a", "b"}, Slot::single))),
            "admit a=drain100 b=drain100\n"
            "drain a b\n"
            "halt a b\n"
            "place a b new\n"
            "start a b\n"
            "probe a b\n"
            "admit a=ready100 b=ready100\n");
}

TEST(Strategy, RollingExchangesBatchesAndPausesBetween) {
  StrategyInput input = input_for(DeployStrategy::rolling, {"a", "b", "c"}, false);
  input.strategy.max_parallel = {2, false};
  input.strategy.pause_between = std::chrono::milliseconds(7);
  EXPECT_EQ(shown(plan_forward(input, running_in({"a", "b", "c"}, Slot::single))),
            "admit a=drain100 b=drain100\ndrain a b\nhalt a b\nplace a b new\nstart a b\nprobe a b\n"
            "admit a=ready100 b=ready100\n"
            "hold 7\n"
            "admit c=drain100\ndrain c\nhalt c\nplace c new\nstart c\nprobe c\nadmit c=ready100\n");
}

TEST(Strategy, SmokeIsAskedBeforeTrafficWhateverTheStrategyIs) {
  for (const DeployStrategy type : {DeployStrategy::recreate, DeployStrategy::rolling}) {
    StrategyInput input = input_for(type, {"a"}, false);
    input.smoke = true;
    EXPECT_EQ(
        shown(plan_forward(input, running_in({"a"}, Slot::single))),
        "admit a=drain100\ndrain a\nhalt a\nplace a new\nstart a\nprobe a\nsmoke a\nadmit a=ready100\n");
  }
}

TEST(Strategy, SharesOfUnitsAreRoundedDownButNeverToNone) {
  for (const auto& [percent, batches] :
       std::vector<std::pair<int, int>>{{10, 4}, {25, 4}, {50, 2}, {75, 2}, {100, 1}}) {
    StrategyInput input = input_for(DeployStrategy::rolling, {"a", "b", "c", "d"}, false);
    input.strategy.max_parallel = {percent, true};
    int starts = 0;
    for (const Phase& phase : plan_forward(input, running_in(input.units, Slot::single)))
      if (phase.action == Action::start) ++starts;
    EXPECT_EQ(starts, batches) << percent;
  }
}

TEST(Strategy, BlueGreenBringsUpTheFreePlaceThenSwitches) {
  StrategyInput input = input_for(DeployStrategy::blue_green, {"a", "b"}, true);
  input.smoke = true;
  EXPECT_EQ(shown(plan_forward(input, running_in({"a", "b"}, Slot::blue))),
            "halt a/green b/green\n"
            "place a/green b/green new\n"
            "start a/green b/green\n"
            "probe a/green b/green\n"
            "smoke a/green b/green\n"
            "admit a/blue=drain100 a/green=ready100 b/blue=drain100 b/green=ready100\n"
            "drain a/blue b/blue\n");
}

TEST(Strategy, TheFirstReleaseDrainsNobodyAndSharesNothing) {
  for (const DeployStrategy type : {DeployStrategy::blue_green, DeployStrategy::canary})
    EXPECT_EQ(shown(plan_forward(input_for(type, {"a"}, true), Snapshot{})),
              "halt a/blue\nplace a/blue new\nstart a/blue\nprobe a/blue\n"
              "admit a/blue=ready100 a/green=out100\n");
}

TEST(Strategy, CanarySharesTraffic) {
  StrategyInput input = input_for(DeployStrategy::canary, {"a"}, true);
  input.strategy.steps[0].approve = true;
  EXPECT_EQ(shown(plan_forward(input, running_in({"a"}, Slot::green))),
            "halt a/blue\nplace a/blue new\nstart a/blue\nprobe a/blue\n"
            "admit a/blue=ready10 a/green=ready90\nhold 5\npromote\n"
            "admit a/blue=ready50 a/green=ready50\nhold 5\n"
            "admit a/blue=ready100 a/green=drain100\ndrain a/green\n");
}

TEST(Strategy, WithoutABalancerNothingIsAskedOfIt) {
  StrategyInput input = input_for(DeployStrategy::recreate, {"a"}, false);
  input.balanced = false;
  EXPECT_EQ(shown(plan_forward(input, running_in({"a"}, Slot::single))),
            "halt a\nplace a new\nstart a\nprobe a\n");
}

TEST(Strategy, WhatIsLeftOverEndsAfterItsTrafficAsFarAsTheBalancerKnowsIt) {
  StrategyInput input = input_for(DeployStrategy::rolling, {"a"}, false);
  Snapshot before = running_in({"a"}, Slot::single);
  EXPECT_EQ(shown(plan_left_over(input, before)), "");
  before.left_over = {{"b", Slot::single}, {"c", Slot::blue}};
  before.servers[{"c", Slot::blue}] = {Admission::ready, 100};
  EXPECT_EQ(shown(plan_left_over(input, before)),
            "admit c/blue=drain100\ndrain c/blue\nhalt b c/blue\nadmit c/blue=out100\n");
  EXPECT_EQ(parse_snapshot(snapshot_text(before)), before);
  EXPECT_THAT(parse_snapshot(R"({"units": {}, "servers": []})").left_over, testing::IsEmpty())
      << "of an earlier version";
  input.balanced = false;
  EXPECT_EQ(shown(plan_left_over(input, before)), "halt b c/blue\n");
}

TEST(Strategy, TheWayBackTouchesOnlyWhatWasTouched) {
  const StrategyInput input = input_for(DeployStrategy::rolling, {"a", "b", "c"}, false);
  EXPECT_EQ(shown(plan_rollback(input, running_in(input.units, Slot::single), {"b"})),
            "admit b=drain100\ndrain b\nhalt b\nplace b old\nstart b\nprobe b\nadmit b=ready100\n");
  EXPECT_EQ(shown(plan_rollback(input, running_in(input.units, Slot::single), {})), "");
}

TEST(Strategy, TheWayBackGivesTrafficToTheOldBeforeItTakesItFromTheNew) {
  const StrategyInput input = input_for(DeployStrategy::blue_green, {"a"}, true);
  EXPECT_EQ(shown(plan_rollback(input, running_in({"a"}, Slot::blue), {"a"})),
            "place a/blue old\nstart a/blue\nprobe a/blue\n"
            "admit a/blue=ready100 a/green=drain100\n"
            "drain a/green\nhalt a/green\nadmit a/green=out100\n");
}

TEST(Strategy, TheWayBackOfAFirstReleaseLeavesNothing) {
  Snapshot nothing;
  nothing.units["a"];
  nothing.servers[{"a", Slot::single}] = {Admission::out, 100};
  EXPECT_EQ(shown(plan_rollback(input_for(DeployStrategy::recreate, {"a"}, false), nothing, {"a"})),
            "admit a=drain100\ndrain a\nhalt a\nplace a -\nadmit a=out100\n");
}

TEST(Strategy, WhatIsInUseIsWhatRunsAndGetsTraffic) {
  Snapshot both;
  both.units["a"][Slot::blue] = {"x", true};
  both.units["a"][Slot::green] = {"y", true};
  both.servers[{"a", Slot::blue}] = {Admission::ready, 100};
  both.servers[{"a", Slot::green}] = {Admission::drain, 100};
  EXPECT_EQ(slot_in_use(both, "a", true), Slot::blue);
  both.servers[{"a", Slot::green}] = {Admission::ready, 100};
  both.servers[{"a", Slot::blue}] = {Admission::ready, 0};
  EXPECT_EQ(slot_in_use(both, "a", true), Slot::green);
  EXPECT_EQ(free_slot(both, "a", true), Slot::blue);
  EXPECT_EQ(free_slot(both, "a", false), Slot::single);
}

TEST(Snapshot, IsReadBackAsItWasWritten) {
  const Snapshot snapshot = running_in({"a", "b \"quoted\""}, Slot::green);
  EXPECT_EQ(parse_snapshot(snapshot_text(snapshot)), snapshot);
  for (const char* text :
       {"", "{}", "[]", R"({"units":{"a":{"red":{"release":"","running":true}}},"servers":[]})",
        R"({"units":{},"servers":[{"unit":"a","slot":"blue","admission":"x","weight":1}]})"})
    EXPECT_THROW(parse_snapshot(text), Error) << text;
}

}  // namespace
}  // namespace runner::deployments
