// Who may change a service, and what becomes of those who may not any more.
#include <future>
#include <nlohmann/json.hpp>

#include "tests/deployments/targets/compose/compose_fixture.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class ComposeFence : public ComposeFixture {};
ON_BOTH_ENGINES(ComposeFence);

TEST_P(ComposeFence, OnlyTheHighestTokenChangesAnything) {
  const auto old = claimed(false, 1, "d1");
  EXPECT_EQ(old->seen_token(kUnit, never), 1U);
  const Release one = release("one");
  old->prepare(kUnit, one, never);
  old->place(kUnit, Slot::single, one.id, never);
  old->start(kUnit, Slot::single, never);
  const auto fresh = claimed(false, 7, "d2");
  EXPECT_EQ(target(false)->seen_token(kUnit, never), 7U);
  const std::map<std::string, std::function<void()>> verbs = {
      {"claim", [&] { old->claim(kUnit, fence(1, "d1"), milliseconds(0), never); }},
      {"prepare", [&] { old->prepare(kUnit, one, never); }},
      {"observe", [&] { old->observe(kUnit, never); }},
      {"place", [&] { old->place(kUnit, Slot::single, one.id, never); }},
      {"start", [&] { old->start(kUnit, Slot::single, never); }},
      {"halt", [&] { old->halt(kUnit, Slot::single, milliseconds(0), never); }},
      {"run",
       [&] {
         old->run(kUnit, Slot::single, {"health", "true", {}}, {}, never);
       }},
      {"clean", [&] { old->clean(kUnit, 0, {}, never); }}};
  for (const auto& [name, verb] : verbs)
    EXPECT_THAT(error_of(verb), AllOf(StartsWith("stale: "), HasSubstr("token 7 of deployment d2"))) << name;
  const auto orphan = target(false);
  EXPECT_THAT(error_of([&] { orphan->claim(kUnit, fence(6, "d3"), milliseconds(0), never); }),
              StartsWith("stale: "));
  EXPECT_THAT(error_of([&] { orphan->claim(kUnit, fence(7, "d3"), milliseconds(0), never); }),
              StartsWith("stale: "));
  EXPECT_EQ(error_of([&] { fresh->claim(kUnit, fence(7, "d2"), milliseconds(0), never); }), "");
  EXPECT_EQ(fresh->observe(kUnit, never), (UnitState{{Slot::single, {one.id, true}}}))
      << "what there was is as it was";
  EXPECT_THAT(error_of([&] {
                orphan->claim(kUnit, {"shop/another", 9, "d9"}, milliseconds(0), never);
              }),
              AllOf(StartsWith("conflict: "), HasSubstr("belongs to the environment 'shop/" + project)));
}

TEST_P(ComposeFence, IsOneForAllReplicasAndWhateverElseTheServiceWas) {
  ComposeOptions three = options(false);
  three.ports.clear();
  for (std::uint16_t n = 3; n < 6; ++n) three.replicas.push_back(static_cast<std::uint16_t>(single_port + n));
  ComposeOptions two = three;
  two.replicas.pop_back();
  ComposeTarget old(three), fresh(two);
  ASSERT_THAT(old.units(), testing::ElementsAre("shop-1", "shop-2", "shop-3"));
  for (const std::string& unit : old.units()) old.claim(unit, fence(1, "d1"), milliseconds(0), never);
  const Release one = release("one");
  old.prepare("shop-3", one, never);
  old.place("shop-3", Slot::single, one.id, never);
  // A deployment that knows nothing of the third takes the first.
  fresh.claim("shop-1", fence(2, "d2"), milliseconds(0), never);
  for (const std::string& unit : old.units()) {
    EXPECT_THAT(error_of([&] { old.start(unit, Slot::single, never); }), StartsWith("stale: ")) << unit;
    EXPECT_THAT(error_of([&] { old.claim(unit, fence(1, "d1"), milliseconds(0), never); }),
                StartsWith("stale: "));
  }
  EXPECT_THAT(containers("com.docker.compose.project=" + project + "-3"), testing::IsEmpty());
  EXPECT_THAT(error_of([&] { fresh.start("shop-2", Slot::single, never); }), HasSubstr("was not claimed"));
  EXPECT_THAT(error_of([&] { fresh.claim("shop-3", fence(2, "d2"), milliseconds(0), never); }),
              HasSubstr("there is no service 'shop-3' any more"));
  const auto single = target(false);
  EXPECT_THAT(error_of([&] { single->claim(kUnit, fence(1, "d3"), milliseconds(0), never); }),
              StartsWith("stale: "));
  single->claim(kUnit, fence(3, "d3"), milliseconds(0), never);
  EXPECT_THAT(error_of([&] { fresh.halt("shop-1", Slot::single, milliseconds(0), never); }),
              StartsWith("stale: "));
}

TEST_P(ComposeFence, OfTwoWithTheSameTokenOneWins) {
  for (std::uint64_t token = 1; token <= 8; ++token) {
    std::vector<std::future<std::string>> claims;
    for (const char* deployment : {"a", "b", "c"})
      claims.push_back(std::async(std::launch::async, [this, token, deployment] {
        return error_of(
            [&] { target(false)->claim(kUnit, fence(token, deployment), milliseconds(0), never); });
      }));
    int won = 0;
    for (auto& claim : claims) {
      const std::string error = claim.get();
      won += error.empty() ? 1 : 0;
      EXPECT_TRUE(error.empty() || error.starts_with("stale: ")) << error;
    }
    EXPECT_EQ(won, 1) << "token " << token;
  }
}

TEST_P(ComposeFence, WhatAnOrphanStillPutsIntoASlotIsOfNoEffect) {
  const auto old = claimed(false, 1, "d1");
  const Release one = release("one"), two = release("two");
  old->prepare(kUnit, one, never);
  old->prepare(kUnit, two, never);
  old->place(kUnit, Slot::single, one.id, never);
  const auto fresh = claimed(false, 2, "d2");
  // A request that was on its way when the orphan lost its fence: the record that it would make.
  const nlohmann::json record = {{"Name", "runner." + project + ".shop.slot.single.1.99"},
                                 {"Labels",
                                  {{"io.runner.deploy.unit", project + "/shop"},
                                   {"io.runner.deploy.record", "slot"},
                                   {"io.runner.deploy.slot", "single"},
                                   {"io.runner.deploy.release", two.id},
                                   {"io.runner.deploy.token", "1"},
                                   {"io.runner.deploy.number", "99"}}}};
  tell("POST", "/volumes/create", record.dump());
  EXPECT_EQ(fresh->observe(kUnit, never), (UnitState{{Slot::single, {one.id, false}}}));
  fresh->place(kUnit, Slot::single, two.id, never);
  EXPECT_EQ(fresh->observe(kUnit, never), (UnitState{{Slot::single, {two.id, false}}}));
}

}  // namespace
}  // namespace runner::deployments
