// Deployments from their lock to their end, each way, in a world that keeps book.
#include <gmock/gmock.h>

#include <thread>

#include "runner/base/error.h"
#include "runner/storage/deployment_table.h"
#include "tests/deployments/world.h"

namespace runner::deployments::test {
namespace {

using pipelines::DeployStrategy;
using std::chrono::milliseconds;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::vector<std::string> kThree = {"app1", "app2", "app3"};

struct Way {
  const char* name;
  DeployStrategy strategy;
  bool slots;
};
constexpr Way kWays[] = {{"rolling", DeployStrategy::rolling, false},
                         {"rolling_start_first", DeployStrategy::rolling, true},
                         {"blue_green", DeployStrategy::blue_green, true},
                         {"canary", DeployStrategy::canary, true}};

class EachWay : public testing::TestWithParam<Way> {
 protected:
  EachWay() : scene_(kThree, GetParam().slots, quick_spec(GetParam().strategy)) {
    scene_.world.install(kOld);
  }
  Scene scene_;
};
INSTANTIATE_TEST_SUITE_P(Driver, EachWay, testing::ValuesIn(kWays),
                         [](const auto& way) { return way.param.name; });

TEST_P(EachWay, AHealthyReleaseReplacesTheOldOneAndNobodyNotices) {
  const auto id = scene_.lock_new();
  EXPECT_EQ(scene_.drive(id), DriveEnd::ended);
  EXPECT_EQ(scene_.state(id), State::succeeded) << scene_.told();
  EXPECT_THAT(scene_.world.serving(), testing::ElementsAre(kNew));
  EXPECT_EQ(scene_.broken(id), "");
  for (const storage::StepRecord& step : scene_.steps(id)) EXPECT_EQ(step.result, "done") << step.action;
}

TEST_P(EachWay, AReleaseThatNeverGetsHealthyIsRolledBackAndNobodyNotices) {
  scene_.world.sick.insert(kNew);
  const auto id = scene_.lock_new();
  scene_.drive(id);
  EXPECT_EQ(scene_.state(id), State::rolled_back) << scene_.told();
  EXPECT_THAT(scene_.record(id).reason, HasSubstr("was not healthy within"));
  EXPECT_THAT(scene_.world.serving(), testing::ElementsAre(kOld));
  EXPECT_EQ(scene_.broken(id), "");
}

TEST_P(EachWay, SmokeAfterTheSwitchThatFailsIsRolledBack) {
  scene_.order.spec.smoke.after_switch.push_back({"", "http://shop/health", 200, 200});
  scene_.prober.failing.insert("http://shop/health");
  const auto id = scene_.lock_new();
  scene_.drive(id);
  EXPECT_EQ(scene_.state(id), State::rolled_back);
  EXPECT_THAT(scene_.record(id).reason, HasSubstr("'http://shop/health' failed: status 500"));
  EXPECT_THAT(scene_.world.serving(), testing::ElementsAre(kOld));
  EXPECT_EQ(scene_.broken(id), "");
}

TEST_P(EachWay, WhatCannotBePreparedHasNoEffect) {
  scene_.world.before_verb = [](const std::string& verb) {
    if (verb == "prepare app2") throw Error(ErrorCode::unavailable, "app2: the disk is full");
  };
  const auto id = scene_.lock_new();
  scene_.drive(id);
  EXPECT_EQ(scene_.state(id), State::failed);
  EXPECT_THAT(scene_.record(id).reason, HasSubstr("the disk is full"));
  EXPECT_THAT(scene_.world.log(), Not(Contains(HasSubstr("place"))));
  EXPECT_EQ(scene_.broken(id), "");
}

TEST_P(EachWay, AHostThatIsGoneInTheMiddleLeavesTheOthersRolledBackAndIsNamed) {
  bool gone = false, back = false;
  scene_.world.before_verb = [&](const std::string& verb) {
    if (verb == "start single app2" || verb == "start blue app2") gone = true;
    if (gone && !back && verb.ends_with(" app2")) throw Error(ErrorCode::unavailable, "app2 does not answer");
  };
  const auto id = scene_.lock_new();
  scene_.drive(id);
  ASSERT_EQ(scene_.state(id), State::rollback_failed) << scene_.told();
  EXPECT_THAT(scene_.record(id).reason, HasSubstr("app2: app2 does not answer"));
  EXPECT_THAT(scene_.record(id).reason, Not(HasSubstr("app1")));
  EXPECT_EQ(scene_.broken(id), "");
  // It answers again, and a person says that it is to be tried once more.
  back = true;
  scene_.take_again(id);
  scene_.store->write([&](storage::Tx& tx) {
    auto record = storage::Deployments(tx).find(id).value();
    record.state = to_string(State::rolling_back);
    storage::Deployments(tx).replace(record);
  });
  scene_.drive(id);
  EXPECT_EQ(scene_.state(id), State::rolled_back) << scene_.told();
  EXPECT_THAT(scene_.world.serving(), testing::ElementsAre(kOld));
  EXPECT_EQ(scene_.broken(id), "");
}

TEST_P(EachWay, AbortRollsBack) {
  const auto id = scene_.lock_new();
  scene_.world.before_verb = [&](const std::string& verb) {
    if (verb == "start single app2" || verb == "start blue app2") scene_.ask(id, "abort");
    if (verb == "balancer set") std::this_thread::sleep_for(milliseconds(20));
  };
  scene_.drive(id);
  EXPECT_EQ(scene_.state(id), State::rolled_back) << scene_.told();
  EXPECT_THAT(scene_.record(id).reason, HasSubstr("aborted by a person"));
  EXPECT_THAT(scene_.world.serving(), testing::ElementsAre(kOld));
  EXPECT_EQ(scene_.broken(id), "");
}

TEST_P(EachWay, WhoeverHasANewerFenceGoesOnAlone) {
  const auto id = scene_.lock_new();
  bool taken = false;
  scene_.world.before_verb = [&](const std::string& verb) {
    if (taken || !verb.starts_with("place")) return;
    taken = true;
    scene_.take_again(id);
  };
  EXPECT_EQ(scene_.drive(id), DriveEnd::lost);
  EXPECT_TRUE(is_effectful(scene_.state(id)));
  const std::size_t written = scene_.world.log().size();
  EXPECT_EQ(scene_.drive(id), DriveEnd::ended);
  EXPECT_GT(scene_.world.log().size(), written);
  EXPECT_EQ(scene_.state(id), State::succeeded) << scene_.told();
  EXPECT_EQ(scene_.broken(id), "");
}

TEST(Driver, RecreateIsNoticed) {
  Scene scene(kThree, false, quick_spec(DeployStrategy::recreate));
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::succeeded);
  EXPECT_THAT(scene.world.outages(), Contains(HasSubstr("nobody serves"))) << "else the world sees nothing";
}

TEST(Driver, TheFirstReleaseThatFailsLeavesNothingRunning) {
  Scene scene(kThree, true, quick_spec(DeployStrategy::blue_green));
  scene.world.sick.insert(kNew);
  const auto id = scene.lock_new();
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::rolled_back);
  EXPECT_THAT(scene.world.serving(), IsEmpty());
}

TEST(Driver, ErrorsDuringACanaryAreRolledBack) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::canary);
  spec.strategy.checks.push_back({"errors", "candidate", "http_5xx_ratio", 0.01, {}, {}, {}, 50});
  spec.strategy.failures = 2;
  Scene scene(kThree, true, spec);
  scene.world.install(kOld);
  scene.world.failing[kNew] = 20;
  const auto id = scene.lock_new();
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::rolled_back) << scene.told();
  EXPECT_THAT(scene.record(id).reason, HasSubstr("http_5xx_ratio is 0.2, at most 0.01 is allowed"));
  EXPECT_THAT(scene.world.log(), Not(Contains(HasSubstr("ready 50"))))
      << "no more traffic than the first step's";
}

TEST(Driver, NoDataNeitherPromotesNorRollsBack) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::canary);
  spec.strategy.checks.push_back({"errors", "candidate", "http_5xx_ratio", 0.01, {}, {}, {}, 1'000'000});
  spec.strategy.unknown = 2;
  Scene scene(kThree, true, spec);
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  bool asked = false;
  scene.on_line = [&](const std::string& line) {
    if (line.find("paused: errors:") == std::string::npos) return;
    EXPECT_EQ(scene.state(id), State::paused);
    scene.ask(id, asked ? "abort" : "promote");
    asked = true;
  };
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::rolled_back);
  EXPECT_THAT(scene.world.log(), Contains(HasSubstr("ready 50"))) << "the first was promoted by a person";
}

TEST(Driver, AStepThatAPersonPromotesWaitsForThem) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::canary);
  spec.strategy.steps[1].approve = true;
  Scene scene(kThree, true, spec);
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  int pauses = 0;
  scene.on_line = [&](const std::string& line) {
    if (line.find("it waits to be promoted") == std::string::npos) return;
    ++pauses;
    EXPECT_THAT(scene.world.serving(), testing::ElementsAre(kOld, kNew));
    scene.ask(id, "promote");
  };
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::succeeded);
  EXPECT_EQ(pauses, 1);
  EXPECT_EQ(scene.broken(id), "");
}

TEST(Driver, WhatIsLeftOverServesUntilAllTrafficIsTheCandidatesAndNotLonger) {
  for (const bool known : {true, false})
    for (const bool sick : {false, true}) {
      Scene scene(kThree, false, quick_spec(DeployStrategy::rolling));
      scene.world.install(kOld);
      scene.world.leave_over("app4", kOld, known);
      if (sick) scene.world.sick.insert(kNew);
      const auto id = scene.lock_new();
      scene.drive(id);
      EXPECT_EQ(scene.state(id), sick ? State::rolled_back : State::succeeded) << scene.told();
      EXPECT_EQ(scene.broken(id), "");
      const auto log = scene.world.log();
      const auto halted = std::find(log.begin(), log.end(), "halt single app4");
      EXPECT_EQ(halted == log.end(), sick);
      EXPECT_EQ(scene.world.left_over({}).empty(), !sick);
      if (sick) continue;
      EXPECT_GT(halted, std::find(log.begin(), log.end(), "set app3 single ready 100"));
      EXPECT_EQ(std::find(log.begin(), halted, "set app4 single drain 100") != halted, known);
      EXPECT_THAT(scene.told(), HasSubstr("app4 is not used any more, and ends"));
    }
}

TEST(Driver, AUnitThatWasNotThereWhenItBeganIsNotGoneOnWith) {
  Scene scene(kThree, false, quick_spec(DeployStrategy::rolling));
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  scene.store->write([&](storage::Tx& tx) {
    storage::DeploymentRecord record = storage::Deployments(tx).find(id).value();
    Snapshot two;
    for (const char* unit : {"app1", "app2"}) two.units[unit][Slot::single] = {kOld, true};
    record.state = to_string(State::progressing);
    record.snapshot = snapshot_text(two);
    storage::Deployments(tx).replace(record);
  });
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::rolled_back);
  EXPECT_THAT(scene.record(id).reason, HasSubstr("app3 was not there when this deployment began"));
  EXPECT_THAT(scene.world.serving(), testing::ElementsAre(kOld));
}

TEST(Driver, PauseAndResumeAreAPersons) {
  Scene scene(kThree, false, quick_spec(DeployStrategy::rolling));
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  bool asked = false;
  scene.world.before_verb = [&](const std::string& verb) {
    if (!std::exchange(asked, asked || verb == "start single app1") && asked) scene.ask(id, "pause");
  };
  scene.on_line = [&](const std::string& line) {
    if (line.find("paused: a person asked for it") != std::string::npos) scene.ask(id, "resume");
  };
  scene.drive(id);
  EXPECT_THAT(scene.told(), HasSubstr("paused: a person asked for it"));
  EXPECT_EQ(scene.state(id), State::succeeded);
  EXPECT_EQ(scene.broken(id), "");
}

TEST(Driver, ADeadlineRollsBack) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::blue_green);
  spec.health.start_period = milliseconds(300'000);
  spec.timeout.progress = milliseconds(60);
  Scene scene(kThree, true, spec);
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::rolled_back);
  EXPECT_THAT(scene.record(id).reason, HasSubstr("timeout:progress"));
  EXPECT_EQ(scene.broken(id), "");
}

TEST(Driver, WithoutAutomaticRollbackAPersonDecides) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::blue_green);
  spec.rollback.on_health = false;
  Scene scene(kThree, true, spec);
  scene.world.install(kOld);
  scene.world.sick.insert(kNew);
  const auto id = scene.lock_new();
  scene.on_line = [&](const std::string& line) {
    if (line.find("paused:") != std::string::npos) {
      scene.world.sick.clear();
      scene.ask(id, "resume");
    }
  };
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::succeeded) << scene.told();
}

TEST(Driver, ASmokeCheckThatRollsNothingBackIsTriedAgainWhenAPersonSaysSo) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::blue_green);
  spec.rollback.on_smoke = false;
  spec.smoke.after_switch.push_back({"", "http://shop/health", 200, 200});
  Scene scene(kThree, true, spec);
  scene.world.install(kOld);
  scene.prober.failing.insert("http://shop/health");
  const auto id = scene.lock_new();
  scene.on_line = [&](const std::string& line) {
    if (line.find("paused: 'http://shop/health' failed") == std::string::npos) return;
    EXPECT_EQ(scene.record(id).reason, "'http://shop/health' failed: status 500");
    scene.prober.failing.clear();
    scene.ask(id, "resume");
  };
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::succeeded) << scene.told();
  EXPECT_EQ(scene.record(id).reason, "") << "what was said of a pause is of the pause";
  EXPECT_EQ(scene.broken(id), "");
}

TEST(Driver, OldReleasesGoButThoseThatAreNeeded) {
  Scene scene({"app1"}, true, quick_spec(DeployStrategy::blue_green));
  scene.world.install(kOld);
  scene.order.keep_releases = {"cccccccccccc"};
  for (const char* release : {"cccccccccccc", "dddddddddddd", kNew}) {
    const auto id = scene.lock_new(release);
    scene.drive(id);
    ASSERT_EQ(scene.state(id), State::succeeded) << scene.told();
  }
  EXPECT_THAT(scene.world.prepared("app1"), testing::ElementsAre(kNew, "cccccccccccc", "dddddddddddd"));
}

TEST(Migration, RunsOnceBeforeAnyTraffic) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::blue_green);
  spec.migrate.emplace().run = {"./migrate up"};
  Scene scene(kThree, true, spec);
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::succeeded);
  const auto log = scene.world.log();
  EXPECT_EQ(std::count(log.begin(), log.end(), "run migrate app1"), 1);
  EXPECT_LT(std::find(log.begin(), log.end(), "run migrate app1"),
            std::find(log.begin(), log.end(), std::string("start blue app1")));
}

TEST(Migration, ThatFailsIsUndoneWhenTheOldCodeNeedsIt) {
  for (const bool compatible : {true, false}) {
    pipelines::DeploySpec spec = quick_spec(DeployStrategy::recreate);
    spec.migrate.emplace().run = {"./migrate up"};
    spec.migrate->compatible = compatible;
    spec.migrate->down = {"./migrate down"};
    Scene scene({"app1"}, false, spec);
    scene.world.install(kOld);
    scene.world.commands["migrate"] = {CommandEnd::exited, 3, false};
    const auto id = scene.lock_new();
    scene.drive(id);
    EXPECT_EQ(scene.state(id), State::rolled_back);
    EXPECT_THAT(scene.record(id).reason, HasSubstr("'migrate' ended with exit code 3"));
    const auto log = scene.world.log();
    EXPECT_EQ(std::count(log.begin(), log.end(), "run down app1"), compatible ? 0 : 1);
  }
}

TEST(Migration, ThatCannotBeUndoneIsAPersons) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::recreate);
  spec.migrate.emplace().run = {"./migrate up"};
  spec.migrate->compatible = false;
  spec.migrate->down = {"./migrate down"};
  Scene scene({"app1"}, false, spec);
  scene.world.install(kOld);
  scene.world.sick.insert(kNew);
  scene.world.commands["down"] = {CommandEnd::exited, 1, false};
  const auto id = scene.lock_new();
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::rollback_failed);
  EXPECT_THAT(scene.record(id).reason, HasSubstr("'down' ended with exit code 1"));
  EXPECT_EQ(scene.broken(id).find("held"), std::string::npos);
}

}  // namespace
}  // namespace runner::deployments::test
