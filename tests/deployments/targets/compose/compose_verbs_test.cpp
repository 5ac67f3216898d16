// What a compose target does, verb by verb.
#include <nlohmann/json.hpp>

#include "runner/base/digest.h"
#include "tests/deployments/targets/compose/compose_fixture.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class ComposeVerbs : public ComposeFixture {};
ON_BOTH_ENGINES(ComposeVerbs);

TEST_P(ComposeVerbs, BringAReleaseUpAndMayAllBeRepeated) {
  const auto t = claimed(false, 1, "d1");
  const Release one = release("one"), two = release("two");
  EXPECT_FALSE(t->is_prepared(kUnit, one.id, never));
  for (int twice = 0; twice < 2; ++twice) t->prepare(kUnit, one, never);
  EXPECT_TRUE(t->is_prepared(kUnit, one.id, never));
  EXPECT_EQ(t->observe(kUnit, never), (UnitState{{Slot::single, {"", false}}}));
  for (int twice = 0; twice < 2; ++twice) t->place(kUnit, Slot::single, one.id, never);
  EXPECT_EQ(t->observe(kUnit, never), (UnitState{{Slot::single, {one.id, false}}}));
  for (int twice = 0; twice < 2; ++twice) t->start(kUnit, Slot::single, never);
  EXPECT_EQ(t->observe(kUnit, never), (UnitState{{Slot::single, {one.id, true}}}));
  EXPECT_EQ(answer_of(single_port), "one");
  EXPECT_EQ(t->endpoint(kUnit, Slot::single), (Endpoint{"127.0.0.1", single_port}));

  t->prepare(kUnit, two, never);
  t->place(kUnit, Slot::single, two.id, never);
  EXPECT_EQ(answer_of(single_port), "one") << "what runs goes on until it is halted";
  EXPECT_EQ(t->observe(kUnit, never), (UnitState{{Slot::single, {two.id, false}}}));
  for (int twice = 0; twice < 2; ++twice) t->halt(kUnit, Slot::single, milliseconds(2000), never);
  EXPECT_EQ(t->observe(kUnit, never), (UnitState{{Slot::single, {two.id, false}}}));
  t->start(kUnit, Slot::single, never);
  EXPECT_EQ(answer_of(single_port), "two");
  EXPECT_THAT(containers("com.docker.compose.project=" + project), SizeIs(1));

  // Back, by what the engine has alone: neither the file nor its variables are there any more.
  std::filesystem::remove(top.path() / "compose.yml");
  ComposeOptions elsewhere = options(false);
  elsewhere.directory = top.path() / "other";
  elsewhere.variables.clear();
  ComposeTarget other(elsewhere);
  other.claim(kUnit, fence(2, "d2"), milliseconds(1000), never);
  EXPECT_EQ(other.observe(kUnit, never), (UnitState{{Slot::single, {two.id, true}}}));
  other.prepare(kUnit, Release{one.id, {}, {}, {}}, never);
  other.halt(kUnit, Slot::single, milliseconds(2000), never);
  other.place(kUnit, Slot::single, one.id, never);
  other.start(kUnit, Slot::single, never);
  EXPECT_EQ(answer_of(single_port), "one");
}

TEST_P(ComposeVerbs, AContainerSaysWhatItIsAndIsMadeByTheFile) {
  const auto t = claimed(true, 7, "d7");
  const Release one = release("one");
  t->prepare(kUnit, one, never);
  t->place(kUnit, Slot::green, one.id, never);
  t->start(kUnit, Slot::green, never);
  EXPECT_EQ(answer_of(green_port), "one");
  const auto made = containers("com.docker.compose.project=" + project + "-green");
  ASSERT_THAT(made, SizeIs(1));
  const auto config = nlohmann::json::parse(ask("/containers/" + made[0] + "/json")).at("Config");
  EXPECT_EQ(config.at("Image"), one.image);
  EXPECT_THAT(config.at("Env").dump(), AllOf(HasSubstr("GREETING=hello $you"), HasSubstr("LEVEL=staging")));
  const auto& labels = config.at("Labels");
  EXPECT_EQ(labels.at("io.runner.deploy.release"), one.id);
  EXPECT_EQ(labels.at("io.runner.deploy.deployment"), "d7");
  EXPECT_EQ(labels.at("io.runner.deploy.token"), "7");
  EXPECT_EQ(labels.at("io.runner.deploy.environment"), "shop/" + project);
  EXPECT_EQ(labels.at("io.runner.deploy.slot"), "green");
}

TEST_P(ComposeVerbs, BlueAndGreenRunSideBySide) {
  const auto t = claimed(true, 1, "d1");
  ASSERT_TRUE(t->has_slots());
  const Release one = release("one"), two = release("two");
  for (const auto& [slot, what] : {std::pair(Slot::blue, one), std::pair(Slot::green, two)}) {
    t->prepare(kUnit, what, never);
    t->place(kUnit, slot, what.id, never);
    t->start(kUnit, slot, never);
  }
  EXPECT_EQ(answer_of(blue_port), "one");
  EXPECT_EQ(answer_of(green_port), "two");
  t->halt(kUnit, Slot::blue, milliseconds(2000), never);
  EXPECT_EQ(
      t->observe(kUnit, never),
      (UnitState{{Slot::single, {"", false}}, {Slot::blue, {one.id, false}}, {Slot::green, {two.id, true}}}));
  t->start(kUnit, Slot::blue, never);
  EXPECT_EQ(answer_of(blue_port), "one");
}

TEST_P(ComposeVerbs, WhatIsAnothersIsLeftAlone) {
  const auto t = claimed(false, 1, "d1");
  const Release one = release("one"), two = release("two"), three = release("three");
  for (const Release& each : {one, two, three}) t->prepare(kUnit, each, never);
  t->place(kUnit, Slot::single, one.id, never);
  t->start(kUnit, Slot::single, never);
  // Somebody's own container, of the image of a release that goes.
  tell("POST", "/containers/create?name=somebodys-" + project, R"({"Image": ")" + two.image + R"("})");
  t->clean(kUnit, 0, {}, never);
  EXPECT_TRUE(t->is_prepared(kUnit, one.id, never)) << "a slot holds it";
  EXPECT_FALSE(t->is_prepared(kUnit, two.id, never));
  EXPECT_FALSE(t->is_prepared(kUnit, three.id, never));
  EXPECT_THAT(ask("/images/" + one.image + "/json"), Not(IsEmpty()));
  EXPECT_THAT(ask("/images/" + two.image + "/json"), Not(IsEmpty())) << "a container uses it";
  EXPECT_THAT(ask("/images/" + three.image + "/json"), IsEmpty());
  EXPECT_THAT(ask("/containers/somebodys-" + project + "/json"), Not(IsEmpty()));
  EXPECT_EQ(answer_of(single_port), "one");
  tell("DELETE", "/containers/somebodys-" + project + "?force=1");

  // A container in the place of the service that no deployment made.
  tell("POST", "/containers/create?name=stranger-" + project,
       R"({"Image": ")" + one.image + R"(", "Labels": {"com.docker.compose.service": "shop", )" +
           R"("com.docker.compose.project": ")" + project + R"("}})");
  EXPECT_THAT(error_of([&] { t->halt(kUnit, Slot::single, milliseconds(0), never); }),
              AllOf(HasSubstr("conflict: "), HasSubstr("that no deployment made")));
  tell("DELETE", "/containers/stranger-" + project + "?force=1");
}

TEST_P(ComposeVerbs, SayWhatIsWrongAndHowToMendIt) {
  const auto t = claimed(false, 1, "d1");
  Release absent = release("one");
  absent.image = absent.image.substr(0, absent.image.find('@')) + "@sha256:" + std::string(64, '0');
  EXPECT_THAT(error_of([&] { t->prepare(kUnit, absent, never); }), HasSubstr("cannot be pulled"));
  EXPECT_THAT(error_of([&] { t->place(kUnit, Slot::single, std::string(32, 'a'), never); }),
              HasSubstr("is not there"));
  write_file_atomic(top.path() / "compose.yml", "services:\n  other: {image: x}\n", 0600, false);
  EXPECT_THAT(error_of([&] { t->prepare(kUnit, release("one"), never); }),
              HasSubstr("the compose file has no service 'shop'"));
  write_file_atomic(top.path() / "compose.yml", "services:\n  shop: {image: x, colour: red}\n", 0600, false);
  EXPECT_THAT(error_of([&] { t->prepare(kUnit, release("one"), never); }),
              AllOf(HasSubstr("'docker-compose config' ended with exit code 1"), HasSubstr("colour")));
  const auto unclaimed = target(false);
  EXPECT_THAT(error_of([&] { unclaimed->halt(kUnit, Slot::single, milliseconds(0), never); }),
              HasSubstr("was not claimed"));
}

}  // namespace
}  // namespace runner::deployments
