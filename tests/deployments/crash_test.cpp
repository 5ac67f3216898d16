// The process dies at every boundary between the journal and an effect, and another one goes on.
#include <gmock/gmock.h>

#include <random>
#include <thread>

#include "runner/base/failpoint.h"
#include "tests/deployments/world.h"

namespace runner::deployments::test {
namespace {

using pipelines::DeployStrategy;
using std::chrono::milliseconds;
using testing::HasSubstr;

/// What a process that is killed throws in place of dying. No std::exception, so that nobody takes it for an
/// error of a verb.
struct Killed {};

/// Dies at the n-th boundary from here on; the name of it, or "" when there were fewer.
class KillAt {
 public:
  explicit KillAt(int n) : left_(n) {
    set_failpoint_handler([this](std::string_view name) {
      if (!name.starts_with("deploy.")) return;
      if (left_.fetch_sub(1) != 1) return;
      at_ = name;
      throw Killed();
    });
  }
  ~KillAt() { set_failpoint_handler({}); }
  KillAt(const KillAt&) = delete;
  KillAt& operator=(const KillAt&) = delete;
  const std::string& at() const noexcept { return at_; }

 private:
  std::atomic<int> left_;
  std::string at_;
};

struct Case {
  const char* name;
  DeployStrategy strategy;
  bool slots;
  bool sick, smoke_fails, migrates;
  State end;
  bool fewer = false;  // units than before
};
constexpr Case kCases[] = {
    {"rolling", DeployStrategy::rolling, false, false, false, false, State::succeeded},
    {"rolling_sick", DeployStrategy::rolling, false, true, false, false, State::rolled_back},
    {"rolling_fewer", DeployStrategy::rolling, false, false, false, false, State::succeeded, true},
    {"rolling_fewer_sick", DeployStrategy::rolling, false, true, false, false, State::rolled_back, true},
    {"rolling_migrates", DeployStrategy::rolling, false, false, false, true, State::succeeded},
    {"rolling_start_first_smoke_fails", DeployStrategy::rolling, true, false, true, false,
     State::rolled_back},
    {"blue_green", DeployStrategy::blue_green, true, false, false, false, State::succeeded},
    {"blue_green_sick", DeployStrategy::blue_green, true, true, false, false, State::rolled_back},
    {"blue_green_smoke_fails", DeployStrategy::blue_green, true, false, true, false, State::rolled_back},
    {"canary", DeployStrategy::canary, true, false, false, false, State::succeeded},
    {"canary_smoke_fails", DeployStrategy::canary, true, false, true, true, State::rolled_back}};

class EachBoundary : public testing::TestWithParam<Case> {
 protected:
  static std::unique_ptr<Scene> make_scene() {
    const Case& one = GetParam();
    pipelines::DeploySpec spec = quick_spec(one.strategy);
    if (one.smoke_fails) spec.smoke.after_switch.push_back({"", "http://shop/health", 200, 200});
    if (one.migrates) spec.migrate.emplace().run = {"./migrate up"};
    auto scene = std::make_unique<Scene>(std::vector<std::string>{"app1", "app2", "app3"}, one.slots, spec);
    scene->world.install(kOld);
    if (one.fewer) scene->world.leave_over("app4", kOld, true);
    if (one.sick) scene->world.sick.insert(kNew);
    if (one.smoke_fails) scene->prober.failing.insert("http://shop/health");
    return scene;
  }

  static void expect_right_end(const Scene& scene, std::int64_t id, const std::string& where) {
    EXPECT_EQ(scene.state(id), GetParam().end) << where << "\n" << scene.told();
    EXPECT_EQ(scene.broken(id), "") << where;
    EXPECT_THAT(scene.world.serving(), testing::ElementsAre(GetParam().end == State::succeeded ? kNew : kOld))
        << where;
  }
};
INSTANTIATE_TEST_SUITE_P(Crash, EachBoundary, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(EachBoundary, IsOutlived) {
  int boundary = 1;
  for (;; ++boundary) {
    const auto scene = make_scene();
    const auto id = scene->lock_new();
    std::string at;
    {
      const KillAt kill(boundary);
      try {
        scene->drive(id);
      } catch (const Killed&) {
      }
      at = kill.at();
    }
    if (at.empty()) break;
    const std::string where = "killed at boundary " + std::to_string(boundary) + ", " + at;
    if (!is_end(scene->state(id))) {
      scene->take_again(id);
      EXPECT_EQ(scene->drive(id), DriveEnd::ended) << where;
    }
    expect_right_end(*scene, id, where);
    if (HasFailure()) break;
  }
  EXPECT_GT(boundary, 20) << "there are hardly any boundaries";
  std::printf("%s: killed at each of %d boundaries, nobody noticed\n", GetParam().name, boundary - 1);
}

TEST_P(EachBoundary, IsOutlivedAlsoWhenWhoGoesOnDiesToo) {
  std::mt19937 random(20261127);
  int kills = 0;
  for (int run = 0; run < 25; ++run) {
    const auto scene = make_scene();
    const auto id = scene->lock_new();
    std::string where = "killed at";
    for (int life = 0; life < 40 && !is_end(scene->state(id)); ++life) {
      if (life > 0) scene->take_again(id);
      const KillAt kill(static_cast<int>(random() % 12) + 1);
      try {
        scene->drive(id);
      } catch (const Killed&) {
        ++kills;
        where += " " + kill.at();
      }
    }
    expect_right_end(*scene, id, where);
    if (HasFailure()) break;
  }
  std::printf("%s: %d kills in 25 deployments, nobody noticed\n", GetParam().name, kills);
}

TEST(Crash, AMigrationOfUnknownOutcomeIsAPersons) {
  for (const bool idempotent : {false, true}) {
    pipelines::DeploySpec spec = quick_spec(DeployStrategy::blue_green);
    spec.migrate.emplace().run = {"./migrate up"};
    spec.migrate->idempotent = idempotent;
    Scene scene({"app1"}, true, spec);
    scene.world.install(kOld);
    const auto id = scene.lock_new();
    scene.world.before_verb = [](const std::string& verb) {
      if (verb.starts_with("run migrate")) throw Killed();
    };
    EXPECT_THROW(scene.drive(id), Killed);
    scene.world.before_verb = {};
    scene.world.commands["migrate"] = {CommandEnd::unknown, 0, false};
    scene.take_again(id);
    bool asked = false;
    scene.on_line = [&](const std::string& line) {
      if (line.find("paused: whether 'migrate' was done is unknown") == std::string::npos) return;
      asked = true;
      scene.ask(id, "resume");
    };
    scene.drive(id);
    EXPECT_EQ(scene.state(id), State::succeeded) << scene.told();
    EXPECT_EQ(asked, !idempotent);
    const auto log = scene.world.log();
    const auto runs = std::count_if(log.begin(), log.end(),
                                    [](const auto& line) { return line.starts_with("run migrate-again"); });
    EXPECT_EQ(runs, idempotent ? 1 : 0);
  }
}

TEST(Crash, WhatWasWishedForARestartIsDone) {
  for (const auto& [wish, end] : std::vector<std::pair<pipelines::AfterRestart, State>>{
           {pipelines::AfterRestart::resume, State::succeeded},
           {pipelines::AfterRestart::rollback, State::rolled_back},
           {pipelines::AfterRestart::hold, State::succeeded}}) {
    pipelines::DeploySpec spec = quick_spec(DeployStrategy::rolling);
    spec.rollback.on_restart = wish;
    Scene scene({"app1", "app2"}, false, spec);
    scene.world.install(kOld);
    const auto id = scene.lock_new();
    scene.world.before_verb = [](const std::string& verb) {
      if (verb == "place bbbbbbbbbbbb app2") throw Killed();
    };
    EXPECT_THROW(scene.drive(id), Killed);
    scene.world.before_verb = {};
    scene.take_again(id);
    bool held = false;
    scene.on_line = [&](const std::string& line) {
      if (line.find("paused:") == std::string::npos) return;
      held = true;
      scene.ask(id, "resume");
    };
    scene.drive(id);
    EXPECT_EQ(scene.state(id), end) << scene.told();
    EXPECT_EQ(held, wish == pipelines::AfterRestart::hold);
    EXPECT_EQ(scene.broken(id), "");
  }
}

TEST(Crash, APauseLeadsBackToWhereItCameFrom) {
  pipelines::DeploySpec spec = quick_spec(DeployStrategy::blue_green);
  spec.migrate.emplace().run = {"./migrate up"};
  spec.rollback.on_restart = pipelines::AfterRestart::hold;
  Scene scene({"app1", "app2"}, true, spec);
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  {
    // Before the migration was begun; and once more while it is paused because of that.
    scene.world.before_verb = [](const std::string& verb) {
      if (verb.starts_with("run migrate")) throw Killed();
    };
    EXPECT_THROW(scene.drive(id), Killed);
    scene.world.before_verb = {};
    scene.take_again(id);
    scene.on_line = [](const std::string& line) {
      if (line.find("paused:") != std::string::npos) throw Killed();
    };
    EXPECT_THROW(scene.drive(id), Killed);
  }
  ASSERT_EQ(scene.state(id), State::paused);
  scene.take_again(id);
  scene.on_line = [&](const std::string& line) {
    if (line.find("paused:") != std::string::npos) scene.ask(id, "resume");
  };
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::succeeded) << scene.told();
  const auto log = scene.world.log();
  EXPECT_EQ(std::count(log.begin(), log.end(), "run migrate app1"), 1) << "it was not left out";
}

TEST(Crash, WhatSomebodyElseChangedMeanwhileIsNotBuiltUpon) {
  Scene scene({"app1", "app2"}, false, quick_spec(DeployStrategy::rolling));
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  scene.world.before_verb = [](const std::string& verb) {
    if (verb == "place bbbbbbbbbbbb app2") throw Killed();
  };
  EXPECT_THROW(scene.drive(id), Killed);
  scene.world.before_verb = {};
  // By hand, past all tokens.
  scene.take_again(id);
  const Fence fence{"shop/production", static_cast<std::uint64_t>(scene.record(id).fence),
                    std::to_string(id)};
  Release other;
  other.id = "eeeeeeeeeeee";
  scene.world.claim("app1", fence, milliseconds(0), {});
  scene.world.prepare("app1", other, {});
  scene.world.place("app1", Slot::single, other.id, {});
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::rolled_back) << scene.told();
  EXPECT_THAT(scene.record(id).reason, HasSubstr("holds release 'eeeeeeeeeeee'"));
  EXPECT_THAT(scene.world.serving(), testing::ElementsAre(kOld));
}

TEST(Crash, AStoreThatFailsIsNoReasonToRollBack) {
  Scene scene({"app1", "app2"}, false, quick_spec(DeployStrategy::rolling));
  scene.world.install(kOld);
  const auto id = scene.lock_new();
  std::atomic<bool> broken{false};
  scene.world.before_verb = [&](const std::string& verb) {
    // The row is gone from under it: every write fails.
    if (verb == "place bbbbbbbbbbbb app1") {
      scene.store->write(
          [](storage::Tx& tx) { tx.sql().exec("ALTER TABLE deployment_steps RENAME TO hidden", {}); });
      broken = true;
    }
  };
  EXPECT_THROW(scene.drive(id), JournalFailed);
  ASSERT_TRUE(broken);
  scene.store->write(
      [](storage::Tx& tx) { tx.sql().exec("ALTER TABLE hidden RENAME TO deployment_steps", {}); });
  scene.world.before_verb = {};
  EXPECT_EQ(scene.state(id), State::progressing);
  scene.take_again(id);
  scene.drive(id);
  EXPECT_EQ(scene.state(id), State::succeeded) << scene.told();
  EXPECT_EQ(scene.broken(id), "");
}

}  // namespace
}  // namespace runner::deployments::test
