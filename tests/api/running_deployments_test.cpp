// What people say about deployments that are carried out, and about what runs in an environment.
#include "deployments/journal.h"
#include "runner/storage/pipeline_table.h"
#include "runner/storage/tables.h"
#include "tests/api/environment_fixture.h"

namespace runner::api {
namespace {

using deployments::State;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// One that is carried out, with a journal.
class ApiRunningDeployment : public ApiEnvironmentTest {
 protected:
  std::int64_t running(std::initializer_list<deployments::State> states = {},
                       const std::string& release = "r") {
    protect(R"({"deployers":["user:dan","user:anna"],"rollback":{"who":["user:eli","user:anna"]}})");
    storage::JobRecord job;
    store_->write([&](storage::Tx& tx) {
      storage::PipelineRecord pipeline;
      pipeline.project = "shop";
      pipeline.created_at = clock_.now();
      job = {};
      job.pipeline = storage::Pipelines(tx).insert(pipeline);
      job.id = tx.take_ids("jobs", 1);
      job.name = "ship";
      job.status = pipelines::JobStatus::success;
      storage::Jobs(tx).insert(job);
    });
    deployments::NewDeployment wanted;
    wanted.project = "shop";
    wanted.environment = "production";
    wanted.pipeline = job.pipeline;
    wanted.job = "ship";
    wanted.sha = std::string(40, 'c');
    wanted.triggered_by = "dan";
    wanted.release = release;
    wanted.plan = R"({"journal":true})";
    const auto added = gate().add(wanted);
    environment_ = added.environment;
    EXPECT_TRUE(gate().advance(environment_));
    deployments::Journal journal(*store_, clock_, added.id, {});
    for (const auto state : states) journal.go(state);
    actions_.take();
    return added.id;
  }
  static constexpr auto kHalf = {State::preparing, State::snapshotted, State::progressing};
  static constexpr auto kDone = {State::preparing, State::snapshotted, State::progressing, State::switched,
                                 State::verifying, State::finalizing,  State::succeeded};
  std::string request(std::int64_t id) {
    std::string text;
    store_->read([&](storage::Tx& tx) { text = storage::Deployments(tx).find(id)->request; });
    return text;
  }
};

TEST_F(ApiRunningDeployment, ObeysWhoeverMayDeployThere) {
  const std::int64_t id = running(kHalf);
  struct Case {
    const char *who, *verb;
    int status;
    const char *says, *asked;
  };
  const Case cases[] = {
      {"vera", "pause", 403, "'deploy'", ""},
      {"eli", "pause", 403, "eli may not deploy", ""},
      {"dan", "resume", 409, "is progressing: it is not paused", ""},
      {"dan", "promote", 409, "is progressing: it is not paused", ""},
      {"dan", "resolve", 422, "this field is needed", ""},
      {"dan", "pause", 200, "\"progressing\"", "pause"},
      {"eli", "abort", 200, "\"progressing\"", "abort"},  // who may roll back may end it, too
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(std::string(each.verb) + " by " + each.who);
    const Asked asked = ask("POST", path(id, each.verb), "", each.who);
    EXPECT_EQ(asked.status, each.status) << asked.body;
    EXPECT_THAT(asked.body, HasSubstr(each.says));
    EXPECT_EQ(request(id), each.asked);
  }
  EXPECT_THAT(actions_.take(), ElementsAre("environments changed", "environments changed"));
}

TEST_F(ApiRunningDeployment, IsAskedOnlyForWhatCanBe) {
  const std::int64_t late = running({State::preparing, State::snapshotted, State::progressing,
                                     State::switched, State::verifying, State::finalizing});
  EXPECT_THAT(ask("POST", path(late, "abort"), "", "dan").body,
              HasSubstr("no way back any more: roll it back"));
  EXPECT_THAT(ask("POST", path(late, "pause"), "", "dan").body, HasSubstr("until all traffic is switched"));
  deployments::Journal(*store_, clock_, late, {}).go(State::succeeded);
  EXPECT_THAT(ask("POST", path(late, "pause"), "", "dan").body, HasSubstr("is succeeded"));
  // By the commands of its own job.
  protect("{}");
  const std::int64_t plain = add();
  EXPECT_THAT(ask("POST", path(plain, "abort"), "", "dan").body,
              HasSubstr("by the script of its job: cancel that"));
}

TEST_F(ApiRunningDeployment, AFailedRollbackWaitsForAPerson) {
  const std::int64_t id =
      running({State::preparing, State::snapshotted, State::rolling_back, State::rollback_failed});
  EXPECT_EQ(ask("GET", kProduction).json().at("holder"), id);
  const std::string comment = R"({"comment":"host 2 was replaced"})";
  EXPECT_EQ(ask("POST", path(id, "resolve"), comment, "dan").status, 403);
  const Asked done = ask("POST", path(id, "resolve"), comment, "eli");
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(done.json().at("state"), "resolved");
  EXPECT_EQ(done.json().at("reason"), "resolved by eli: host 2 was replaced");
  EXPECT_EQ(ask("GET", kProduction).json().at("holder"), nullptr);
  EXPECT_EQ(ask("POST", path(id, "resolve"), comment, "eli").status, 409);
}

TEST_F(ApiRunningDeployment, AnEnvironmentIsTakenAwayByANewerFence) {
  const std::string unlock = std::string(kProduction) + "/unlock",
                    reason = R"({"reason":"the machine burned"})";
  running(kDone);
  EXPECT_THAT(ask("POST", unlock, reason).body, HasSubstr("nobody has the environment 'production'"));
  const std::int64_t id = running(kHalf);
  EXPECT_EQ(ask("POST", unlock, reason, "eli").status, 403) << "the permission rollback is needed";
  EXPECT_EQ(ask("POST", unlock, "").status, 422);
  deployments::Journal alive(*store_, clock_, id, {});
  const Asked done = ask("POST", unlock, reason);
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(done.json().at("state"), "resolved");
  EXPECT_THAT(done.json().at("reason").get<std::string>(), HasSubstr("unlocked by anna: the machine burned"));
  EXPECT_THROW(alive.go(State::switched), deployments::LostFence);
  EXPECT_EQ(ask("GET", kProduction).json().at("holder"), nullptr);
}

TEST_F(ApiRunningDeployment, ARollbackGoesBeforeAllThatWaits) {
  const std::string back = std::string(kProduction) + "/rollback";
  protect("{}");
  EXPECT_EQ(ask("POST", back, "", "eli").status, 409) << "nothing was deployed";
  const std::int64_t first = running(kDone, "one");
  EXPECT_THAT(ask("POST", back, "", "eli").body, HasSubstr("no other release was there before"));
  running(kDone, "two");
  EXPECT_EQ(ask("POST", back, "", "dan").status, 403);
  EXPECT_EQ(ask("POST", back, R"({"to":0})", "eli").status, 422);
  EXPECT_THAT(ask("POST", back, R"({"to":9})", "eli").body, HasSubstr("number 9 did not succeed there"));
  const Asked made = ask("POST", back, "", "eli");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.json().at("kind"), "rollback");
  EXPECT_EQ(made.json().at("release"), "one");
  EXPECT_EQ(made.json().at("triggered_by"), "eli");
  EXPECT_EQ(made.json().at("plan").at("rollback_to"), ask("GET", path(first)).json().at("number"));
  EXPECT_THAT(actions_.take(), ElementsAre("environments changed"));
}

TEST_F(ApiRunningDeployment, TellsItsStepsAndWhereElseTheCommitRuns) {
  const std::int64_t id = running(kHalf);
  deployments::Journal journal(*store_, clock_, id, {});
  journal.begin(deployments::Part::forward, 0, "place", {{"app1", deployments::Slot::blue}});
  journal.complete(deployments::Part::forward, 0, {{"app1", deployments::Slot::blue}}, false, "no space");
  protect("{}", std::string(kEnvironments) + "/staging");
  const std::int64_t elsewhere = add("staging");
  const json told = ask("GET", path(id)).json();
  ASSERT_EQ(told.at("steps").size(), 1U);
  EXPECT_EQ(told.at("steps").at(0).at("unit"), "app1");
  EXPECT_EQ(told.at("steps").at(0).at("slot"), "blue");
  EXPECT_EQ(told.at("steps").at(0).at("result"), "failed");
  EXPECT_EQ(told.at("steps").at(0).at("message"), "no space");
  ASSERT_EQ(told.at("elsewhere").size(), 1U);
  EXPECT_EQ(told.at("elsewhere").at(0).at("id"), elsewhere);
  EXPECT_EQ(told.at("elsewhere").at(0).at("environment"), "staging");
  EXPECT_EQ(told.at("elsewhere").at(0).at("current"), false);
  EXPECT_TRUE(told.at("elsewhere").at(0).at("same_inputs").is_null());
  EXPECT_TRUE(told.at("inputs").is_null());
}

TEST_F(ApiRunningDeployment, TellsWhetherTheSameWasDeployedElsewhere) {
  const std::int64_t here = running(kHalf);
  protect("{}", std::string(kEnvironments) + "/staging");
  const std::int64_t there = add("staging");
  const auto give = [&](std::int64_t id, const std::string& archive) {
    store_->write([&](storage::Tx& tx) {
      auto deployment = storage::Deployments(tx).find(id).value();
      deployment.plan = R"({"attempt":1,"inputs":[{"job":"package","archive":"sha256:)" + archive + "\"}]}";
      ASSERT_TRUE(storage::Deployments(tx).replace(deployment));
    });
  };
  give(here, "aa");
  for (const bool same : {true, false}) {
    give(there, same ? "aa" : "bb");
    const json told = ask("GET", path(here)).json();
    EXPECT_EQ(told.at("elsewhere").at(0).at("same_inputs"), same);
    EXPECT_EQ(told.at("inputs").at(0).at("archive"), "sha256:aa");
    EXPECT_FALSE(told.at("plan").contains("inputs"));
  }
}

}  // namespace
}  // namespace runner::api
