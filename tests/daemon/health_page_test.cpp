// What /livez, /readyz and /healthz say of what a server knows.
#include "runner/daemon/health_page.h"

#include <gmock/gmock.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace runner::daemon {
namespace {

using api::HealthQuestion;
using About = api::HealthQuestion::About;
using nlohmann::json;
using testing::HasSubstr;

HealthFacts well() {
  HealthFacts facts;
  facts.version = "1.2.3";
  facts.started = TimePoint(std::chrono::seconds(1'764'000'000));
  facts.uptime = std::chrono::milliseconds(1500);
  facts.serving = true;
  facts.event_loop_age = std::chrono::milliseconds(20);
  facts.state.free_bytes = 1000;
  facts.state.min_bytes = 10;
  facts.state.database_seconds = 0.25;
  facts.state.schema = 7;
  facts.state.checked_at = TimePoint(std::chrono::seconds(1'764'000'001));
  facts.key_id = "abcd";
  return facts;
}

HealthQuestion everything(std::vector<std::string> exclude = {}) {
  return {About::all, true, true, std::move(exclude)};
}

/// The status of /healthz, and its code.
std::string word(const HealthFacts& facts, const HealthQuestion& question = everything()) {
  const auto answer = health_answer(facts, question);
  return json::parse(answer.body).at("status").get<std::string>() + (answer.good ? " 200" : " 503");
}

TEST(HealthPage, TellsEachCheckAndWhatItIsRequiredFor) {
  const json page = json::parse(health_answer(well(), everything()).body);
  const json wanted = json::parse(R"({
    "status": "ok", "live": true, "ready": true, "draining": false, "version": "1.2.3",
    "started_at": "2025-11-24T16:00:00Z", "uptime_seconds": 1.5, "checked_at": "2025-11-24T16:00:01Z",
    "checks": {
      "event_loop": {"status": "pass", "required_for": "live", "age_seconds": 0.02},
      "scheduler": {"status": "pass", "required_for": "live", "age_seconds": 0.0},
      "database": {"status": "pass", "required_for": "ready", "kind": "write", "latency_seconds": 0.25},
      "migrations": {"status": "pass", "required_for": "ready", "schema": 7},
      "disk": {"status": "pass", "required_for": "ready", "free_bytes": 1000, "min_bytes": 10},
      "key": {"status": "pass", "required_for": "none", "key_id": "abcd"},
      "repositories": {"status": "pass", "required_for": "none", "unreachable": 0}}})");
  EXPECT_EQ(page, wanted) << json::diff(page, wanted).dump(2);
}

struct Case {
  const char* name;
  std::function<void(HealthFacts&)> make;
  std::vector<std::string> exclude;
  const char* word;
  bool live, ready;
};

class HealthWords : public testing::TestWithParam<Case> {};

const auto kDisk = [](HealthFacts& facts) { facts.state.disk = "the disk is full"; };
const auto kDatabase = [](HealthFacts& facts) { facts.state.database = "the database is held"; };
const auto kStuck = [](HealthFacts& facts) { facts.scheduler_age = kLongestStep + std::chrono::seconds(1); };
const auto kUnreachable = [](HealthFacts& facts) { facts.unreachable = 2; };
const auto kNoKey = [](HealthFacts& facts) { facts.state.key = "the key is gone"; };

INSTANTIATE_TEST_SUITE_P(
    Cases, HealthWords,
    testing::Values(
        Case{"Well", [](HealthFacts&) {}, {}, "ok 200", true, true},
        Case{"ARepositoryIsOnlyDegraded", kUnreachable, {}, "degraded 200", true, true},
        Case{"WithoutItAllIsWell", kUnreachable, {"repositories"}, "ok 200", true, true},
        Case{"AMissingKeyIsOnlyDegraded", kNoKey, {}, "degraded 200", true, true},
        Case{"AFullDisk", kDisk, {}, "unavailable 503", true, false},
        Case{"AFullDiskLeftOut", kDisk, {"disk"}, "ok 200", true, true},
        Case{"AnotherCheckLeftOut", kDisk, {"database", "key"}, "unavailable 503", true, false},
        Case{"AHeldDatabase", kDatabase, {}, "unavailable 503", true, false},
        Case{"WhatTheEngineCannotStore",
             [](HealthFacts& facts) { facts.state.engine = "no room"; },
             {},
             "unavailable 503",
             true,
             false},
        Case{"AnotherSchema",
             [](HealthFacts& facts) { facts.state.migrations = "newer"; },
             {},
             "unavailable 503",
             true,
             false},
        Case{"TwoOfThemAndOneLeftOut",
             [](HealthFacts& facts) {
               kDisk(facts);
               kDatabase(facts);
             },
             {"disk"},
             "unavailable 503",
             true,
             false},
        Case{"BothLeftOut",
             [](HealthFacts& facts) {
               kDisk(facts);
               kUnreachable(facts);
             },
             {"disk"},
             "degraded 200",
             true,
             true},
        Case{"AStuckEngine", kStuck, {}, "unavailable 503", false, false},
        Case{"AStuckEngineLeftOut", kStuck, {"scheduler"}, "ok 200", true, true},
        Case{"ALongStep",
             [](HealthFacts& facts) { facts.scheduler_age = kLongestStep; },
             {},
             "ok 200",
             true,
             true},
        Case{"Draining",
             [](HealthFacts& facts) { facts.draining = true; },
             {},
             "unavailable 503",
             true,
             false},
        Case{
            "NotYet", [](HealthFacts& facts) { facts.serving = false; }, {}, "unavailable 503", true, false}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(HealthWords, FollowFromTheChecksThatCount) {
  const Case& tested = GetParam();
  HealthFacts facts = well();
  tested.make(facts);
  EXPECT_EQ(word(facts, everything(tested.exclude)), tested.word);
  EXPECT_EQ(word(facts, {About::all, false, false, tested.exclude}), tested.word) << "for everybody the same";
  const json page = json::parse(health_answer(facts, everything(tested.exclude)).body);
  EXPECT_EQ(page.at("live"), tested.live);
  EXPECT_EQ(page.at("ready"), tested.ready);
  EXPECT_EQ(page.at("draining"), facts.draining);
  for (const std::string& name : tested.exclude) EXPECT_FALSE(page.at("checks").contains(name));
  EXPECT_EQ(health_answer(facts, {About::live, true, false, tested.exclude}).good, tested.live);
  EXPECT_EQ(health_answer(facts, {About::ready, true, false, tested.exclude}).good, tested.ready);
}

TEST(HealthPage, EverybodyLearnsTheStatusOnly) {
  HealthFacts facts = well();
  kDisk(facts);
  EXPECT_EQ(json::parse(health_answer(facts, {About::all, false, true, {}}).body),
            json({{"status", "unavailable"}}));
  EXPECT_EQ(health_answer(facts, {About::ready, false, false, {}}).body, "unavailable\n");
  EXPECT_EQ(health_answer(facts, {About::live, false, false, {}}).body, "ok\n");
  EXPECT_EQ(health_answer(facts, {About::ready, true, false, {}}).body, "the disk is full\n");
}

TEST(HealthPage, WithoutVerboseOnlyWhatDoesNotPassIsTold) {
  HealthFacts facts = well();
  kDatabase(facts);
  kUnreachable(facts);
  const json page = json::parse(health_answer(facts, {About::all, true, false, {}}).body);
  ASSERT_EQ(page.at("checks").size(), 2U) << page.dump(2);
  EXPECT_EQ(page.at("checks").at("database").at("status"), "fail");
  EXPECT_EQ(page.at("checks").at("database").at("output"), "the database is held");
  EXPECT_EQ(page.at("checks").at("repositories").at("status"), "warn");
  EXPECT_EQ(page.at("checks").at("repositories").at("unreachable"), 2);
}

TEST(HealthPage, LivenessTellsTheAgeAndLooksAtNothingElse) {
  HealthFacts facts = well();
  kDisk(facts);
  kDatabase(facts);
  facts.draining = true;
  const HealthQuestion live{About::live, true, false, {}};
  EXPECT_EQ(health_answer(facts, live).body, "ok: the engine has nothing to do\n");
  facts.scheduler_age = std::chrono::milliseconds(2'340);
  EXPECT_EQ(health_answer(facts, live).body, "ok: the engine made a step 2.3 s ago\n");
  kStuck(facts);
  EXPECT_FALSE(health_answer(facts, live).good);
  EXPECT_THAT(health_answer(facts, live).body, HasSubstr("made no step for 301.0 s"));
  EXPECT_EQ(health_answer(facts, {About::ready, true, false, {}}).body, "the server is about to end\n");
}

TEST(HealthPage, AnUnknownCheckCannotBeLeftOut) {
  const auto answer = health_answer(well(), everything({"disk", "disc"}));
  EXPECT_THAT(answer.wrong, HasSubstr("there is no check 'disc'"));
  EXPECT_THAT(answer.wrong, HasSubstr("disk, key"));
  EXPECT_EQ(health_answer(well(), everything({"disk"})).wrong, "");
}

TEST(HealthPage, IsJsonWhateverTheTroubleSays) {
  HealthFacts facts = well();
  facts.state.disk = "cannot write '\xff\"\n'";
  EXPECT_TRUE(json::accept(health_answer(facts, everything()).body));
}

}  // namespace
}  // namespace runner::daemon
