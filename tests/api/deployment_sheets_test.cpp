// What a deployment does, what it brings, and what one environment has that another has not.
#include "tests/api/environment_fixture.h"

#include "runner/storage/tables.h"
#include "runner/storage/variable_table.h"

namespace runner::api {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kOutline =
    R"({"target":"ssh","strategy":"rolling","balancer":"haproxy","units":["app1"],"slots":false,)"
    R"("first_release":false,"release":{"image":"","artifact":"app.tar","config":[]},)"
    R"("steps":[{"part":"prepare","n":0,"action":"prepare","places":[{"unit":"app1","slot":"single"}],)"
    R"("text":"bring it"}],"rollback":{"when":["abort"],"steps":[],"cannot_undo":["time"]},"migration":null})";

class DeploymentSheets : public ApiEnvironmentTest {
 protected:
  DeploymentSheets() { protect("{}"); }

  /// Changes the row, as whoever carries it out does.
  void change(std::int64_t id, const std::function<void(storage::DeploymentRecord&)>& body) {
    store_->write([&](storage::Tx& tx) {
      auto record = storage::Deployments(tx).find(id).value();
      body(record);
      ASSERT_TRUE(storage::Deployments(tx).replace(record));
    });
  }
  /// One of this commit, of what the jobs before left.
  std::int64_t made(const std::string& environment, const std::string& sha, const std::string& inputs) {
    deployments::NewDeployment wanted;
    wanted.project = "shop";
    wanted.environment = environment;
    wanted.kind = "job";
    wanted.pipeline = ++pipeline_;
    wanted.job = "deploy";
    wanted.ref = "main";
    wanted.sha = sha;
    wanted.triggered_by = "dora";
    wanted.release = "r" + std::to_string(pipeline_);
    wanted.plan = R"({"inputs":)" + inputs + "}";
    const auto added = gate().add(wanted);
    gate().advance(added.environment);
    return added.id;
  }
  /// One that runs there since it ended.
  std::int64_t deployed(const std::string& environment, const std::string& sha, const std::string& inputs) {
    const std::int64_t id = made(environment, sha, inputs);
    gate().finish(id, true, "");
    return id;
  }
  json get(const std::string& at, const std::string& who = "vera") {
    const Asked asked = ask("GET", at, "", who);
    EXPECT_EQ(asked.status, 200) << asked.body;
    return asked.json();
  }
  void add_variable(const std::string& key, const std::string& scope) {
    storage::VariableRecord record;
    record.project = shop_;
    record.key = key;
    record.scope = scope;
    record.masked = true;
    record.created_at = record.updated_at = clock_.now();
    store_->write([&](storage::Tx& tx) { storage::Variables(tx, sealer_).insert(record, "hunter22!"); });
  }
  void set_variable(const std::string& key, const std::string& scope) {
    store_->write([&](storage::Tx& tx) {
      storage::Variables variables(tx, sealer_);
      auto record = variables.find(shop_, key, scope).value();
      record.updated_at = clock_.now();
      ASSERT_TRUE(variables.replace(record, "hunter33!"));
    });
  }
  static git::CommitRange range() {
    git::CommitRange found;
    found.known = true;
    found.commits = {{std::string(40, 'b'), "Ann \xff", "mend it", TimePoint(std::chrono::seconds(1))}};
    found.commits_total = 1;
    found.files = 3;
    return found;
  }
};

const std::string kOne(40, '1'), kTwo(40, '2');

TEST_F(DeploymentSheets, ThePlanIsTheOneOfItsJob) {
  const std::int64_t id = add();
  (*actions_.works.lock())[id] = {{}, kOutline, "{}", ""};
  const json plan = get(path(id, "plan"));
  EXPECT_EQ(plan.at("carried_out_by"), "deploy");
  EXPECT_EQ(plan.at("outline"), json::parse(kOutline));
  EXPECT_EQ(plan.at("before").at("known_by"), "nothing");
  EXPECT_EQ(plan.at("approvals").at("changed_since"), false);
}

TEST_F(DeploymentSheets, OfAScriptTheLinesAreShownAndOfWhatIsGoneNothing) {
  const std::int64_t id = add();
  (*actions_.works.lock())[id] = {{"./ship --now"}, "", "", ""};
  EXPECT_EQ(get(path(id, "plan")).at("carried_out_by"), "script");
  EXPECT_EQ(get(path(id, "plan")).at("script"), json{"./ship --now"});
  actions_.works.lock()->clear();
  const json gone = get(path(id, "plan"));
  EXPECT_EQ(gone.at("carried_out_by"), "unknown");
  EXPECT_THAT(gone.at("why").get<std::string>(), HasSubstr("is not there any more"));
}

TEST_F(DeploymentSheets, WhatRunsThereIsWhatWasSeenOrWhatTheOneBeforeLeft) {
  const std::int64_t first = deployed("production", kOne, "[]");
  const std::int64_t second = add();
  EXPECT_EQ(get(path(second, "plan")).at("before"), (json{{"known_by", "unknown"}, {"deployment", first}}));
  store_->write([&](storage::Tx& tx) {
    storage::StepRecord step;
    step.deployment = first;
    step.part = "forward";
    step.n = 1;
    step.unit = "app1";
    step.slot = "blue";
    step.action = "place";
    step.begun_at = clock_.now();
    storage::DeploymentSteps(tx).begin(step);
  });
  EXPECT_EQ(get(path(second, "plan")).at("before").at("known_by"), "deployment");
  EXPECT_TRUE(actions_.befores.lock()->back().units.at("app1").at(deployments::Slot::blue).running);
  change(second, [](auto& record) {
    record.snapshot = R"({"units":{"app2":{"green":{"release":"r","running":true}}},"servers":[]})";
  });
  EXPECT_EQ(get(path(second, "plan")).at("before").at("known_by"), "seen");
  EXPECT_EQ(actions_.befores.lock()->back().units.count("app2"), 1U);
}

TEST_F(DeploymentSheets, WhoeverAgreedToSomethingElseIsNamed) {
  protect(R"({"approvals":{"rules":[{"name":"peers","count":2,"who":["role:developer"]}]}})");
  const std::int64_t id = add();
  EXPECT_EQ(ask("POST", path(id, "approve"), "{}", "dan").status, 200);
  EXPECT_EQ(get(path(id, "plan")).at("approvals").at("changed_since"), false);
  gate().revise(id, "{}", {"another archive"});
  const json approvals = get(path(id, "plan")).at("approvals");
  EXPECT_EQ(approvals.at("changed_since"), true);
  EXPECT_EQ(approvals.at("of_something_else"), json{"dan"});
  EXPECT_EQ(approvals.at("void").size(), 1U);
}

TEST_F(DeploymentSheets, TheDiffHasCommitsInputsAndKeys) {
  const std::int64_t first = deployed(
      "production", kOne, R"([{"job":"build","archive":"sha256:aa","images":["r/shop@sha256:01"]}])");
  const std::int64_t second =
      made("production", kTwo,
           R"([{"job":"build","archive":"sha256:bb","images":["r/shop@sha256:01","r/db@sha256:02"]}])");
  (*actions_.works.lock())[first] = {
      {},
      kOutline,
      R"({"target":"ssh","strategy":{"type":"rolling","max_parallel":1},"drain":{"timeout":"5s"}})",
      ""};
  (*actions_.works.lock())[second] = {
      {},
      kOutline,
      R"({"target":"ssh","strategy":{"type":"rolling","max_parallel":2},"health":{"tcp":1}})",
      ""};
  (*actions_.ranges.lock())[{kOne, kTwo}] = range();
  const json diff = get(path(second, "diff"));
  EXPECT_EQ(diff.at("base").at("id"), first);
  EXPECT_EQ(diff.at("candidate").at("id"), second);
  EXPECT_EQ(diff.at("commits").at("new").at(0).at("subject"), "mend it");
  EXPECT_EQ(diff.at("commits").at("files_changed"), 3);
  EXPECT_EQ(
      diff.at("inputs"),
      json::parse(R"([{"what":"build: archive","change":"changed","before":"sha256:aa","after":"sha256:bb"},
              {"what":"build: image r/db","change":"added","before":null,"after":"sha256:02"}])"));
  EXPECT_EQ(diff.at("block"),
            json::parse(R"([{"key":"drain:timeout","change":"removed","before":"5s","after":null},
              {"key":"strategy:max_parallel","change":"changed","before":"1","after":"2"},
              {"key":"health:tcp","change":"added","before":null,"after":"1"}])"));
}

TEST_F(DeploymentSheets, WhatIsNotKnownIsSaid) {
  const std::int64_t alone = add();
  const json diff = get(path(alone, "diff"));
  EXPECT_TRUE(diff.at("base").is_null());
  EXPECT_TRUE(diff.at("block").is_null());
  EXPECT_TRUE(diff.at("variables").is_null());
  EXPECT_EQ(diff.at("commits").at("why"), "there is nothing before it");
  gate().finish(alone, true, "");
  const json next = get(path(add(), "diff"));
  EXPECT_TRUE(next.at("inputs").is_null());
  EXPECT_THAT(next.at("commits").at("why").get<std::string>(), HasSubstr("does not have both commits"));
}

TEST_F(DeploymentSheets, VariablesAreNamedAndNeverShown) {
  add_variable("OLD", "*");
  add_variable("SET", "production");
  add_variable("ELSEWHERE", "staging");
  add_variable("LATER", "prod*");
  deployed("production", kOne, "[]");
  clock_.pass(std::chrono::seconds(10));
  set_variable("SET", "production");
  add_variable("NEW", "production");
  const Asked asked = ask("GET", path(add(), "diff"), "", "vera");
  EXPECT_EQ(asked.json().at("variables"),
            json::parse(R"([{"key":"LATER","environment_scope":"prod*","version":0,"change":"unchanged"},
              {"key":"NEW","environment_scope":"production","version":0,"change":"added"},
              {"key":"OLD","environment_scope":"*","version":0,"change":"unchanged"},
              {"key":"SET","environment_scope":"production","version":1,"change":"changed"}])"));
  EXPECT_THAT(asked.body, testing::Not(HasSubstr("hunter")));
}

TEST_F(DeploymentSheets, AnEnvironmentHasWhatAnotherOrItsOwnPastHasNot) {
  const std::string staging = std::string(kEnvironments) + "/staging";
  const std::int64_t old = deployed("staging", kOne, "[]");
  const std::int64_t now = deployed("staging", kTwo, "[]");
  deployed("production", kOne, "[]");
  (*actions_.ranges.lock())[{kOne, kTwo}] = range();
  const json other = get(staging + "/diff?other=production");
  EXPECT_EQ(other.at("has").at("id"), now);
  EXPECT_EQ(other.at("has_not").at("environment"), "production");
  EXPECT_EQ(other.at("commits").at("new_total"), 1);
  EXPECT_EQ(other.at("other"), "production");
  const json past = get(staging + "/diff");
  EXPECT_EQ(past.at("has_not").at("id"), old);
  EXPECT_TRUE(past.at("other").is_null());
  EXPECT_EQ(past.at("inputs"), json::array());
}

TEST_F(DeploymentSheets, WhereNothingRunsThereIsNothingToTell) {
  const json nothing = get(std::string(kProduction) + "/diff");
  EXPECT_TRUE(nothing.at("has").is_null());
  EXPECT_TRUE(nothing.at("commits").is_null());
  deployed("production", kOne, "[]");
  EXPECT_EQ(get(std::string(kProduction) + "/diff").at("commits").at("why"), "there is nothing before it");
}

TEST_F(DeploymentSheets, WhoAsksForWhatIsNotThereIsToldAsOfItsSiblings) {
  const std::int64_t id = add();
  struct Case {
    std::string at, who;
    int status;
    const char* says;
  };
  const Case cases[] = {
      {path(99, "plan"), "vera", 404, "there is no deployment 99"},
      {path(99, "diff"), "vera", 404, "there is no deployment 99"},
      {"/api/v1/deployments/x/plan", "vera", 404, "there is no deployment"},
      {std::string(kEnvironments) + "/none/diff", "vera", 404, "environment 'none' of project 'shop'"},
      {std::string(kProduction) + "/diff?other=none", "vera", 404, "environment 'none' of project 'shop'"},
      {"/api/v1/projects/none/environments/production/diff", "vera", 404, "project 'none'"},
      {std::string(kProduction) + "/diff?others=x", "vera", 422, "others"},
      {path(id, "plan"), "", 401, ""},
      {path(id, "diff"), "", 401, ""},
      {std::string(kProduction) + "/diff", "", 401, ""},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.at);
    const Asked asked = ask("GET", one.at, "", one.who);
    EXPECT_EQ(asked.status, one.status) << asked.body;
    EXPECT_THAT(asked.body, HasSubstr(one.says));
  }
}

}  // namespace
}  // namespace runner::api
