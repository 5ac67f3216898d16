// Where the containers of a service run.
#include "deployments/targets/compose_places.h"

#include <gmock/gmock.h>

#include "runner/base/error.h"

namespace runner::deployments {
namespace {

using testing::ElementsAre;

ComposePlaces places(const std::map<Slot, std::uint16_t>& ports, std::vector<std::uint16_t> replicas) {
  ComposeOptions options;
  options.project = "shop-staging";
  options.service = "web";
  options.ports = ports;
  options.replicas = std::move(replicas);
  return ComposePlaces(options);
}

TEST(ComposePlaces, AServiceHasOneOrTwoOrOneForEachReplica) {
  const ComposePlaces one = places({{Slot::single, 80}}, {});
  EXPECT_THAT(one.units(), ElementsAre("web"));
  EXPECT_THAT(one.of("web"), ElementsAre("single"));
  EXPECT_FALSE(one.has_slots());
  EXPECT_EQ(one.port("single"), 80);
  EXPECT_EQ(one.project("single"), "shop-staging");
  EXPECT_EQ(places({}, {}).port("single"), 0) << "it has none";

  const ComposePlaces two = places({{Slot::blue, 81}, {Slot::green, 82}}, {});
  EXPECT_THAT(two.units(), ElementsAre("web"));
  EXPECT_THAT(two.of("web"), ElementsAre("blue", "green"));
  EXPECT_TRUE(two.has_slots());
  EXPECT_EQ(two.port(two.at("web", Slot::green)), 82);
  EXPECT_EQ(two.project("green"), "shop-staging-green");
  EXPECT_FALSE(two.is_used("single"));

  const ComposePlaces three = places({}, {91, 92, 93});
  EXPECT_THAT(three.units(), ElementsAre("web-1", "web-2", "web-3"));
  EXPECT_THAT(three.of("web-2"), ElementsAre("2"));
  EXPECT_FALSE(three.has_slots());
  EXPECT_EQ(three.port(three.at("web-3", Slot::single)), 93);
  EXPECT_EQ(three.project("3"), "shop-staging-3");
}

TEST(ComposePlaces, ThoseOfBeforeAreKnownByTheirNames) {
  const ComposePlaces now = places({}, {91, 92});
  for (const auto& [place, unit, slot] : std::vector<std::tuple<std::string, std::string, Slot>>{
           {"single", "web", Slot::single}, {"blue", "web", Slot::blue}, {"7", "web-7", Slot::single}}) {
    EXPECT_EQ(now.at(unit, slot), place);
    EXPECT_EQ(now.unit_of(place), std::pair(unit, slot));
    EXPECT_FALSE(now.is_used(place));
    EXPECT_EQ(now.port(place), 0);
    EXPECT_THROW(now.of(unit), Error) << "no release goes there";
  }
}

TEST(ComposePlaces, AnothersUnitIsNone) {
  const ComposePlaces now = places({}, {91, 92});
  for (const char* unit : {"other", "web-", "web-0", "web-01", "web-x", "web-1-1", "web1"})
    EXPECT_THROW(now.at(unit, Slot::single), Error) << unit;
  EXPECT_THROW(now.at("web-1", Slot::blue), Error) << "a replica has one place";
}

}  // namespace
}  // namespace runner::deployments
