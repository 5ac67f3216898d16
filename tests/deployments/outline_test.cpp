// What people are told that a deployment does, against what the driver's journal says that it did.
#include "deployments/outline.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <tuple>

#include "tests/deployments/world.h"

namespace runner::deployments::test {
namespace {

using pipelines::DeployStrategy;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::vector<std::string> kThree = {"app1", "app2", "app3"};

/// Part, number, action, unit, slot.
using Row = std::tuple<std::string, std::size_t, std::string, std::string, std::string>;

std::vector<Row> rows_of(const std::vector<OutlineStep>& steps) {
  std::vector<Row> rows;
  for (const OutlineStep& step : steps) {
    if (step.part == Part::verify) continue;  // no effect, so it is not in the journal
    std::vector<Place> places = step.places;
    if (places.empty()) places = {{"*", Slot::single}};
    for (const Place& place : places)
      rows.emplace_back(to_string(step.part), step.n, step.action, place.unit, to_string(place.slot));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// Of a rollback the driver's numbers begin with a hundred for each unit.
std::vector<Row> journal_of(const Scene& scene, std::int64_t id, bool back) {
  std::vector<Row> rows;
  for (const storage::StepRecord& step : scene.steps(id)) {
    const bool of_rollback = step.part == "rollback" || step.action == "down";
    if (of_rollback != back) continue;
    const auto n = static_cast<std::size_t>(step.n);
    rows.emplace_back(step.part, step.part == "rollback" ? n % 100 : n, step.action, step.unit, step.slot);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

struct Way {
  const char* name;
  DeployStrategy strategy;
  bool slots, balanced, first;
};
constexpr Way kWays[] = {
    {"recreate", DeployStrategy::recreate, false, false, false},
    {"recreate_balanced", DeployStrategy::recreate, false, true, false},
    {"recreate_first", DeployStrategy::recreate, false, false, true},
    {"rolling", DeployStrategy::rolling, false, true, false},
    {"rolling_start_first", DeployStrategy::rolling, true, true, false},
    {"rolling_first", DeployStrategy::rolling, false, true, true},
    {"blue_green", DeployStrategy::blue_green, true, true, false},
    {"blue_green_first", DeployStrategy::blue_green, true, true, true},
    {"canary", DeployStrategy::canary, true, true, false},
    {"canary_first", DeployStrategy::canary, true, true, true},
};

class EachOutline : public testing::TestWithParam<Way> {
 protected:
  EachOutline() : scene_(kThree, GetParam().slots, quick_spec(GetParam().strategy), GetParam().balanced) {
    pipelines::DeploySpec& spec = scene_.order.spec;
    spec.smoke.before_switch.push_back({"./before", "", 200, 200});
    spec.smoke.after_switch.push_back({"", "http://shop/health", 200, 200});
    spec.migrate.emplace();
    spec.migrate->run = {"./migrate up"};
    spec.migrate->backup = {"./dump"};
    spec.migrate->backup_before = true;
    if (GetParam().strategy == DeployStrategy::recreate) {
      spec.migrate->compatible = false;
      spec.migrate->down = {"./migrate down"};
    }
    if (!GetParam().first) scene_.world.install(kOld);
  }
  CourseShape shape() const { return {kThree, GetParam().slots, GetParam().balanced}; }
  /// Of what the deployment found when it began.
  Outline outline_of(std::int64_t id) const {
    return make_outline(scene_.order.spec, shape(), parse_snapshot(scene_.record(id).snapshot),
                        scene_.order.release.id);
  }
  Scene scene_;
};
INSTANTIATE_TEST_SUITE_P(Outline, EachOutline, testing::ValuesIn(kWays),
                         [](const auto& way) { return way.param.name; });

TEST_P(EachOutline, HasTheStepsThatTheDriverTakes) {
  for (const auto keep_old : {std::chrono::milliseconds(0), std::chrono::milliseconds(60'000)}) {
    scene_.order.spec.rollback.keep_old = keep_old;
    const auto id = scene_.lock_new(keep_old.count() == 0 ? kNew : "cccccccccccc");
    scene_.drive(id);
    ASSERT_EQ(scene_.state(id), State::succeeded) << scene_.told();
    EXPECT_EQ(rows_of(outline_of(id).steps), journal_of(scene_, id, false));
  }
}

TEST_P(EachOutline, HasTheWayBackThatTheDriverTakes) {
  scene_.prober.failing.insert("http://shop/health");
  const auto id = scene_.lock_new();
  scene_.drive(id);
  ASSERT_EQ(scene_.state(id), State::rolled_back) << scene_.told();
  EXPECT_EQ(rows_of(outline_of(id).back), journal_of(scene_, id, true));
}

TEST_P(EachOutline, IsTheSameBeforeItBeginsAndOnceItHasLooked) {
  const auto first = scene_.lock_new();
  scene_.drive(first);
  ASSERT_EQ(scene_.state(first), State::succeeded) << scene_.told();
  const Snapshot left = left_by(scene_.record(first), scene_.steps(first));
  const auto second = scene_.lock_new("cccccccccccc");
  const Outline before = make_outline(scene_.order.spec, shape(), left, "cccccccccccc");
  scene_.drive(second);
  EXPECT_EQ(outline_json(scene_.order.spec, before), outline_json(scene_.order.spec, outline_of(second)));
  EXPECT_FALSE(before.first_release);
}

TEST_P(EachOutline, EachStepHasWordsAndTheJsonNamesThemAll) {
  Snapshot before;
  const Outline outline = make_outline(scene_.order.spec, shape(), before, kNew);
  EXPECT_TRUE(outline.first_release);
  const auto json = nlohmann::json::parse(outline_json(scene_.order.spec, outline));
  EXPECT_EQ(json.at("steps").size(), outline.steps.size());
  EXPECT_EQ(json.at("rollback").at("steps").size(), outline.back.size());
  for (const auto* steps : {&outline.steps, &outline.back})
    for (const OutlineStep& step : *steps) EXPECT_NE(step.text, "") << step.action;
}

Snapshot all_on(Slot slot) {
  Snapshot before;
  for (const std::string& unit : kThree) {
    before.units[unit][slot] = {kOld, true};
    before.servers[{unit, slot}] = {Admission::ready, 100};
  }
  return before;
}

std::vector<std::string> texts_of(const std::vector<OutlineStep>& steps) {
  std::vector<std::string> texts;
  for (const OutlineStep& step : steps) texts.push_back(step.text);
  return texts;
}

TEST(OutlineWords, TellBatchesWeightsHoldsAndTimeouts) {
  struct Case {
    const char* name;
    DeployStrategy type;
    bool slots;
    const char* text;
  };
  const Case cases[] = {
      {"batches", DeployStrategy::rolling, false, "batch 2 of 2: end what runs on app3, killed after 10.0 s"},
      {"drain", DeployStrategy::rolling, false, "is served by app3; what is open after 30.0 s is cut"},
      {"pause", DeployStrategy::rolling, false, "wait 5.0 s"},
      {"weights", DeployStrategy::canary, true, "traffic: app1 (blue) 10 %, app1 (green) 90 %, "},
      {"hold", DeployStrategy::canary, true, "wait 3 m 00 s and look at the checks (errors) every 20.0 s"},
      {"promote", DeployStrategy::canary, true, "wait for a person: 'runner deploy promote'"},
      {"health", DeployStrategy::blue_green, true,
       "is healthy: http /ready passes 3 times in a row, within 2 m"},
      {"new", DeployStrategy::blue_green, true,
       "the new release goes on app1 (blue), app2 (blue), app3 (blue)"},
      {"retire", DeployStrategy::blue_green, true,
       "end what runs on app1 (green), app2 (green), app3 (green)"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    pipelines::DeploySpec spec;
    spec.target = pipelines::DeployTarget::ssh;
    spec.strategy.type = one.type;
    spec.strategy.max_parallel = {2, false};
    spec.strategy.pause_between = std::chrono::seconds(5);
    spec.strategy.steps = {{10, std::chrono::minutes(3), true}, {100, std::chrono::milliseconds(0), false}};
    pipelines::CanaryCheck check;
    check.name = "errors";
    spec.strategy.checks = {check};
    spec.health.kind = pipelines::ProbeKind::http;
    spec.health.path = "/ready";
    const Outline outline =
        make_outline(spec, {kThree, one.slots, true}, all_on(one.slots ? Slot::green : Slot::single), kNew);
    EXPECT_THAT(texts_of(outline.steps), Contains(HasSubstr(one.text)));
  }
}

TEST(OutlineWords, SayWhatARollbackCannotUndo) {
  struct Case {
    const char* name;
    bool balanced;
    std::optional<pipelines::MigrationSpec> migrate;
    const char *says, *says_not;
  };
  pipelines::MigrationSpec compatible, bad, undone;
  bad.compatible = undone.compatible = false;
  undone.down = {"./down"};
  const Case cases[] = {
      {"gap", false, {}, "the gap", "the migration"},
      {"compatible", false, compatible, "it stays, as the old release works", "migrate:down"},
      {"incompatible", false, bad, "there is no migrate:down, so a rollback after it fails", "it stays"},
      {"with a way back", false, undone, "migrate:down is run", "it stays"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    pipelines::DeploySpec spec;
    spec.migrate = one.migrate;
    const Outline outline = make_outline(spec, {{"app1"}, false, one.balanced}, all_on(Slot::single), kNew);
    EXPECT_THAT(outline.cannot_undo, Contains(HasSubstr(one.says)));
    EXPECT_THAT(outline.cannot_undo, Not(Contains(HasSubstr(one.says_not))));
  }
  pipelines::DeploySpec blue_green;
  blue_green.strategy.type = DeployStrategy::blue_green;
  EXPECT_THAT(make_outline(blue_green, {kThree, true, true}, all_on(Slot::green), kNew).cannot_undo,
              Not(Contains(HasSubstr("the gap"))));
}

TEST(OutlineWords, SayWhenARollbackComesByItself) {
  pipelines::DeploySpec spec;
  const auto when = [&] { return make_outline(spec, {{"app1"}, false, false}, {}, kNew).back_when; };
  EXPECT_THAT(when(), ElementsAre("health", "smoke", "checks", "timeout", "failure", "abort"));
  spec.rollback.on_smoke = false;
  EXPECT_THAT(when(), ElementsAre("health", "checks", "timeout", "failure", "abort"));
  spec.rollback.automatic = false;
  EXPECT_THAT(when(), ElementsAre("abort"));
}

TEST(OutlineWords, OfATargetWithoutUnitsNothingIsSaid) {
  const Outline outline = make_outline({}, {}, {}, kNew);
  EXPECT_THAT(outline.steps, IsEmpty());
}

}  // namespace
}  // namespace runner::deployments::test
