// Environments: their protection, what was deployed there, and what people may say about a deployment that
// waits.
#include <nlohmann/json.hpp>

#include "runner/storage/event_table.h"
#include "tests/api/environment_fixture.h"

namespace runner::api {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kPeers =
    R"({"approvals":{"rules":[{"name":"peers","count":1,"who":["role:developer"]}]}})";

TEST_F(ApiEnvironmentTest, ASetProtectionIsShownAsItWasWritten) {
  const Asked put = ask("PUT", kProduction, std::string(R"({"protection":)") + kPeers + "}");
  EXPECT_EQ(put.status, 200) << put.body;
  EXPECT_EQ(put.json(),
            json::parse(std::string(R"({"project":"shop","name":"production","version":1,)") +
                        R"("current":null,"holder":null,"waiting":0,)" +
                        R"("created_at":"2026-02-23T11:00:00.123Z","protection":)" + kPeers + "}"));
  EXPECT_THAT(actions_.take(), ElementsAre("environments changed"));
  EXPECT_EQ(ask("GET", kProduction, "", "vera").json(), put.json());
  EXPECT_EQ(ask("GET", kEnvironments, "", "vera").json().at("items"), json::array({put.json()}));
  store_->read([&](storage::Tx& tx) {
    const auto events = storage::EventLog(tx).after(0, 10);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, "environment.changed");
    EXPECT_EQ(json::parse(events[0].payload),
              json::parse(R"({"environment":"production","version":1,"by":"anna"})"));
  });
  EXPECT_EQ(protect("{}").at("protection"), json::object()) << "nothing protects it any more";
}

// As in docs/deployments.md.
TEST_F(ApiEnvironmentTest, EveryKeyIsTaken) {
  const std::string all = R"({
    "refs": ["main", "release/*"],
    "deployers": ["role:developer"],
    "approvals": {
      "rules": [
        {"name": "peers", "count": 1, "who": ["role:developer"]},
        {"name": "lead", "count": 1, "who": ["user:ada", "user:ben"]}
      ],
      "self_approval": false,
      "exclude_commit_authors": false,
      "expires_after": "24h",
      "reapprove_after": "72h",
      "start": "auto",
      "break_glass": {"who": ["role:admin"], "reason": "required"}
    },
    "rollback": {"who": ["role:admin"], "approvals": 0},
    "queue": "fifo",
    "refuse_older": true,
    "freeze": [{"from": "Fri 16:00", "to": "Mon 07:00", "tz": "Europe/Berlin"}],
    "wait": "10 minutes",
    "secrets": "production"
  })";
  EXPECT_EQ(protect(all).at("protection"), json::parse(all));
}

TEST_F(ApiEnvironmentTest, NamesWithSlashesArePartsOfAPath) {
  const std::string review = std::string(kEnvironments) + "/review%2Ffix%20login";
  EXPECT_EQ(protect(kPeers, review).at("name"), "review/fix login");
  EXPECT_EQ(ask("GET", review, "", "vera").json().at("version"), 1);
  add("review/fix login");
  EXPECT_EQ(ask("GET", review + "/deployments", "", "vera").json().at("items").size(), 1U);
  EXPECT_EQ(ask("GET", std::string(kEnvironments) + "/review/fix", "", "vera").status, 404);
  EXPECT_EQ(ask("GET", std::string(kEnvironments) + "/review%2Fother", "", "vera").status, 404);
}

TEST_F(ApiEnvironmentTest, AnOldVersionIsAConflict) {
  EXPECT_EQ(ask("PUT", kProduction, R"({"protection":{},"version":3})").status, 409)
      << "there is none of it yet";
  EXPECT_EQ(ask("GET", kProduction).status, 404) << "and it was not made";
  EXPECT_EQ(ask("PUT", kProduction, R"({"protection":{"wait":"5m"},"version":0})").status, 200);
  const Asked late = ask("PUT", kProduction, R"({"protection":{"wait":"9m"},"version":0})");
  EXPECT_EQ(late.status, 409);
  EXPECT_THAT(late.body, HasSubstr("its version is 1"));
  EXPECT_EQ(ask("GET", kProduction).json().at("protection"), json::parse(R"({"wait":"5m"})"));
}

TEST_F(ApiEnvironmentTest, WrongProtectionIsNamedWithTheMend) {
  struct Case {
    std::string protection, message;
  };
  const Case cases[] = {
      {R"({"approval":{}})", "did you mean 'approvals'?"},
      {R"({"approvals":{"rules":[{"name":"x"}]}})", "a rule needs `who`"},
      {R"({"approvals":{"rules":[{"who":["ada"]}]}})", "write user:NAME, role:NAME"},
      {R"({"approvals":{"rules":[{"who":["group:ops"]}]}})", "'group:ops' is nobody"},
      {R"({"deployers":["role:boss"]})", "'role:boss' is nobody"},
      {R"({"approvals":{"break_glass":{"who":["permission:x"]}}})", "'permission:x' is nobody"},
      {R"({"approvals":{"exclude_commit_authors":true}})", "knows no mail addresses"},
      {R"({"queue":"newest"})", "expected latest, fifo or manual"},
      {R"({"wait":"soon"})", "is no duration"},
      {R"({"freeze":[{"from":"Fri 16:00","to":"Mon 07:00","tz":"Europe/Berln"}]})", "Europe/Berln"},
      {R"({"freeze":[{"from":"Fri 16:00","to":"2026-12-24 07:00"}]})", "both are dates"},
      {R"({"refs":["a"],"refs":["b"]})", "this field is there twice"},
      {R"({"a":{"b":{"c":{"d":{"e":{"f":1}}}}}})", "nested too deeply"},
      {R"("none")", "must be an object"},
      {"null", "must be an object"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.protection);
    const Asked asked = ask("PUT", kProduction, R"({"protection":)" + each.protection + "}");
    EXPECT_EQ(asked.status, 422);
    EXPECT_THAT(asked.body, HasSubstr(each.message));
  }
  EXPECT_THAT(ask("PUT", kProduction, "{}").fields(), ElementsAre("protection"));
  EXPECT_EQ(ask("PUT", std::string(kEnvironments) + "/%20a", R"({"protection":{}})").status, 422);
  EXPECT_EQ(
      ask("PUT", std::string(kEnvironments) + "/" + std::string(256, 'a'), R"({"protection":{}})").status,
      422);
  EXPECT_EQ(ask("PUT", "/api/v1/projects/none/environments/a", R"({"protection":{}})").status, 404);
  EXPECT_THAT(actions_.take(), IsEmpty());
  EXPECT_EQ(ask("GET", kProduction).status, 404);
}

TEST_F(ApiEnvironmentTest, EveryRefusalHasItsReason) {
  protect(R"({"deployers":["user:dora","role:admin"],"approvals":{
    "rules":[{"name":"peers","count":1,"who":["user:dora","user:dan"]}],
    "break_glass":{"who":["role:admin"]}}})");
  const std::int64_t waits = add(), ended = add("staging");
  advance();
  EXPECT_EQ(state(ended), "locked") << "nothing protects it";
  struct Case {
    const char* who;
    std::string method, path, body;
    int status;
    const char* says;
  };
  const std::string none = path(99);
  const std::string reason = R"({"reason":"the shop is down"})";
  const Case cases[] = {
      {"", "GET", path(waits), "", 401, "token"},
      {"", "POST", path(waits, "approve"), "", 401, "token"},
      {"vera", "GET", path(waits), "", 200, "waiting_approval"},
      {"vera", "POST", path(waits, "approve"), "", 403, "'deploy'"},
      {"vera", "POST", path(waits, "reject"), "", 403, "'deploy'"},
      {"vera", "POST", path(waits, "start"), "", 403, "'deploy'"},
      {"vera", "POST", path(waits, "cancel"), "", 403, "'deploy'"},
      {"vera", "POST", path(waits, "break-glass"), reason, 403, "'rollback'"},
      {"dora", "PUT", kProduction, R"({"protection":{}})", 403, "'manage_roles'"},
      {"vera", "GET", none, "", 404, "no deployment 99"},
      {"vera", "GET", "/api/v1/deployments/first", "", 404, "no deployment 'first'"},
      {"anna", "POST", none + "/approve", "", 404, "no deployment 99"},
      {"anna", "POST", none + "/reject", "", 404, "no deployment 99"},
      {"anna", "POST", none + "/start", "", 404, "no deployment 99"},
      {"anna", "POST", none + "/cancel", "", 404, "no deployment 99"},
      {"anna", "POST", none + "/break-glass", reason, 404, "no deployment 99"},
      {"vera", "GET", std::string(kEnvironments) + "/none/deployments", "", 404, "no environment 'none'"},
      {"dora", "POST", path(waits, "approve"), "", 403, "whoever started a deployment does not approve it"},
      {"dora", "POST", path(waits, "reject"), "", 403, "whoever started a deployment"},
      {"eli", "POST", path(waits, "approve"), "", 403, "no approval rule of the environment names eli"},
      {"eli", "POST", path(waits, "start"), "", 403, "eli may not deploy"},
      {"dan", "POST", path(waits, "break-glass"), reason, 403, "'rollback'"},
      {"anna_low", "POST", path(waits, "break-glass"), reason, 403, "'rollback'"},
      {"anna", "POST", path(waits, "break-glass"), "", 422, "this field is needed"},
      {"anna", "POST", path(waits, "break-glass"), R"({"reason":" "})", 422, "say why"},
      {"dan", "POST", path(waits, "approve"), R"({"coment":"x"})", 422, "did you mean 'comment'?"},
      {"dan", "POST", path(waits, "start"), R"({"reason":"x"})", 422, "no such field"},
      {"dan", "POST", path(ended, "approve"), "", 409, "is locked"},
      {"dan", "POST", path(ended, "reject"), "", 409, "is locked"},
      {"dan", "POST", path(ended, "start"), "", 409, "is locked"},
      {"dan", "POST", path(ended, "cancel"), "", 409, "is locked"},
      {"anna", "POST", path(ended, "break-glass"), reason, 409, "is locked"},
      {"vera", "GET", std::string(kProduction) + "/deployments?before=x", "", 422,
       "the number of a deployment"},
      {"vera", "GET", std::string(kProduction) + "/deployments?state=odd", "", 422, "such as 'succeeded'"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.method + " " + each.path + " by " + each.who);
    const Asked asked = ask(each.method, each.path, each.body, each.who);
    EXPECT_EQ(asked.status, each.status);
    EXPECT_THAT(asked.body, HasSubstr(each.says));
  }
  EXPECT_THAT(actions_.take(), IsEmpty());
  EXPECT_EQ(state(waits), "waiting_approval");
}

TEST_F(ApiEnvironmentTest, AnApprovalIsCountedAndShown) {
  protect(R"({"approvals":{"expires_after":"24h","rules":[
    {"name":"peers","count":1,"who":["role:developer"]},{"name":"lead","count":1,"who":["user:anna"]}]}})");
  const std::int64_t id = add();
  const Asked approved = ask("POST", path(id, "approve"), R"({"comment":"looks good"})", "dan");
  EXPECT_EQ(approved.status, 200) << approved.body;
  EXPECT_EQ(approved.json().at("approvals"), json::parse(R"({"rules":[
              {"name":"peers","wanted":1,"approved_by":["dan"],"who":["role:developer"],"met":true},
              {"name":"lead","wanted":1,"approved_by":[],"who":["user:anna"],"met":false}],
              "void":[],"decisions":[{"person":"dan","decision":"approve","comment":"looks good",
              "at":"2026-02-23T11:00:00.123Z","method":"token"}]})"));
  EXPECT_EQ(approved.json().at("expires_at"), "2026-02-24T11:00:00.123Z");
  EXPECT_EQ(approved.json().at("opens_at"), nullptr);
  EXPECT_EQ(approved.json().at("plan").at("hosts"), 2);
  EXPECT_THAT(actions_.take(), ElementsAre("environments changed"));
  EXPECT_EQ(ask("POST", path(id, "approve"), "", "dan").status, 200) << "twice is once";
  EXPECT_EQ(ask("GET", path(id)).json().at("approvals").at("decisions").size(), 1U);
  advance();
  EXPECT_EQ(state(id), "waiting_approval");
  EXPECT_EQ(ask("POST", path(id, "approve"), "", "anna").status, 200);
  advance();
  EXPECT_EQ(state(id), "locked");
  EXPECT_EQ(ask("GET", kProduction).json().at("holder"), id);
  store_->read([&](storage::Tx& tx) {
    const auto events = storage::EventLog(tx).after(0, 10);
    ASSERT_EQ(events.size(), 4U);
    EXPECT_EQ(events[1].kind, "deployment.approved");
    EXPECT_EQ(json::parse(events[1].payload),
              json::parse(R"({"deployment":1,"environment":"production","number":1,"said":"looks good",)"
                          R"("by":"dan"})"));
  });
}

TEST_F(ApiEnvironmentTest, AnApprovalOfSomethingElseIsVoid) {
  protect(kPeers);
  const std::int64_t id = add();
  EXPECT_EQ(ask("POST", path(id, "approve"), "", "dan").status, 200);
  // What runs there is another one meanwhile.
  store_->write([&](storage::Tx& tx) {
    storage::DeploymentRecord other;
    other.environment = environment_;
    other.kind = "job";
    other.state = "planned";
    storage::Environments(tx).set_current(environment_, storage::Deployments(tx).insert(other).id);
  });
  advance();
  const json now = ask("GET", path(id)).json();
  EXPECT_EQ(now.at("state"), "waiting_approval");
  EXPECT_THAT(now.at("approvals").at("void").at(0), HasSubstr("dan: of something else"));
  EXPECT_EQ(now.at("approvals").at("rules").at(0).at("met"), false);
  EXPECT_EQ(now.at("current").at("number"), 2);
}

TEST_F(ApiEnvironmentTest, ARejectionIsFinal) {
  protect(kPeers);
  const std::int64_t id = add();
  const Asked rejected = ask("POST", path(id, "reject"), R"({"comment":"not on a Friday"})", "dan");
  EXPECT_EQ(rejected.status, 200) << rejected.body;
  EXPECT_EQ(rejected.json().at("state"), "rejected");
  EXPECT_EQ(rejected.json().at("reason"), "rejected by dan: not on a Friday");
  const Asked late = ask("POST", path(id, "approve"), "", "eli");
  EXPECT_EQ(late.status, 409);
  EXPECT_THAT(late.body, HasSubstr("is rejected (rejected by dan"));
}

TEST_F(ApiEnvironmentTest, BreakGlassStaysWithTheDeployment) {
  protect(R"({"approvals":{"rules":[{"who":["user:dan"]}],"break_glass":{"who":["role:admin"]}},
    "freeze":[{"from":"Mon 00:00","to":"Tue 00:00"}]})");
  const std::int64_t id = add();
  EXPECT_EQ(ask("GET", path(id)).json().at("frozen_until"), "2026-02-24T00:00:00.000Z");
  const Asked forced = ask("POST", path(id, "break-glass"), R"({"reason":"the shop is down"})");
  EXPECT_EQ(forced.status, 200) << forced.body;
  EXPECT_EQ(forced.json().at("forced"), "anna: the shop is down");
  EXPECT_THAT(actions_.take(), ElementsAre("environments changed"));
  advance();
  EXPECT_EQ(state(id), "locked");
  EXPECT_EQ(ask("GET", std::string(kProduction) + "/deployments").json().at("items").at(0).at("forced"),
            "anna: the shop is down");
}

TEST_F(ApiEnvironmentTest, WhatIsFrozenTellsWhenItOpens) {
  protect(R"({"approvals":{"expires_after":"2h"},"freeze":[{"from":"Mon 00:00","to":"Tue 00:00"}]})");
  const json frozen = ask("GET", path(add())).json();
  EXPECT_EQ(frozen.at("state"), "waiting_window");
  EXPECT_EQ(frozen.at("opens_at"), "2026-02-24T00:00:00.000Z") << "not when it expires";
  EXPECT_EQ(frozen.at("expires_at"), "2026-02-23T13:00:00.123Z");
}

TEST_F(ApiEnvironmentTest, WhatWaitsForAPersonIsStartedOrCanceled) {
  protect(R"({"queue":"manual"})");
  const std::int64_t first = add(), second = add();
  EXPECT_EQ(state(first), "queued");
  EXPECT_EQ(ask("POST", path(second, "cancel"), "", "dan").json().at("state"), "canceled");
  EXPECT_EQ(ask("POST", path(first, "start"), "", "dan").status, 200);
  EXPECT_THAT(actions_.take(), ElementsAre("environments changed", "environments changed"));
  advance();
  EXPECT_EQ(state(first), "locked");
  EXPECT_EQ(ask("POST", path(second, "start"), "", "dan").status, 409);
}

TEST_F(ApiEnvironmentTest, ListsAreNewestFirstAndGoOn) {
  protect(R"({"queue":"manual"})");
  for (int i = 0; i < 3; ++i) add();
  ask("POST", path(2, "cancel"), "", "dan");
  const auto numbers = [&](const std::string& query) {
    std::vector<int> found;
    const json list = ask("GET", std::string(kProduction) + "/deployments" + query, "", "vera").json();
    for (const json& one : list.at("items")) found.push_back(one.at("number"));
    return found;
  };
  EXPECT_THAT(numbers(""), ElementsAre(3, 2, 1));
  EXPECT_THAT(numbers("?before=3"), ElementsAre(2, 1));
  EXPECT_THAT(numbers("?before=1"), IsEmpty());
  EXPECT_THAT(numbers("?state=waiting"), ElementsAre(3, 1));
  EXPECT_THAT(numbers("?state=waiting&before=3"), ElementsAre(1));
  EXPECT_THAT(numbers("?state=canceled"), ElementsAre(2));
  const std::string next =
      ask("GET", std::string(kProduction) + "/deployments?limit=2", "", "vera").json().at("next");
  EXPECT_THAT(numbers("?limit=2&cursor=" + next), ElementsAre(1));
  EXPECT_EQ(ask("GET", kProduction).json().at("waiting"), 2);
  for (const char* name : {"b", "a"}) protect("{}", std::string(kEnvironments) + "/" + name);
  const json page = ask("GET", std::string(kEnvironments) + "?limit=1").json();
  EXPECT_EQ(page.at("items").at(0).at("name"), "a");
  const json rest =
      ask("GET", std::string(kEnvironments) + "?cursor=" + page.at("next").get<std::string>()).json();
  EXPECT_EQ(rest.at("items").size(), 2U);
}

TEST_F(ApiEnvironmentTest, WhatRunsIsTold) {
  protect(R"({"wait":"5m"})");
  const std::int64_t id = add();
  EXPECT_EQ(state(id), "locked");
  clock_.pass(std::chrono::minutes(1));
  gate().finish(id, true, "");
  const json current = ask("GET", kProduction, "", "vera").json().at("current");
  EXPECT_EQ(current,
            json::parse(R"({"id":1,"number":1,"ref":"main","sha":")" + std::string(40, 'c') +
                        R"(","release":"r1","triggered_by":"dora","since":"2026-02-23T11:01:00.123Z"})"));
}

TEST_F(ApiEnvironmentTest, AGroupApprovesByItsMembersOfTheMoment) {
  const auto put_in = [&](const std::string& user, const std::string& groups) {
    EXPECT_EQ(ask("PATCH", "/api/v1/users/" + user, R"({"groups":)" + groups + "}").status, 200);
  };
  put_in("dan", R"(["ops"])");
  protect(R"({"approvals":{"rules":[{"name":"ops","count":1,"who":["group:ops"]}]}})");
  const std::int64_t id = add();
  EXPECT_EQ(ask("POST", path(id, "approve"), "{}", "eli").status, 403);
  EXPECT_EQ(ask("POST", path(id, "approve"), "{}", "dan").status, 200);
  // It counts what he is when it is looked at.
  put_in("dan", "[]");
  put_in("eli", R"(["ops"])");
  advance();
  EXPECT_EQ(state(id), "waiting_approval");
  EXPECT_EQ(ask("POST", path(id, "approve"), "{}", "eli").status, 200);
  advance();
  EXPECT_EQ(state(id), "locked");
}

TEST_F(ApiEnvironmentTest, AtTheSocketAnAdminRejectsButApprovesWithATokenOnly) {
  protect(R"({"approvals":{"rules":[{"who":["role:admin"]}]}})");
  const std::int64_t id = add();
  const Asked approved = at_socket("POST", path(id, "approve"));
  EXPECT_EQ(approved.status, 403) << "nobody could count it later";
  EXPECT_THAT(approved.body, HasSubstr("show the token of a user"));
  const Asked rejected = at_socket("POST", path(id, "reject"));
  EXPECT_EQ(rejected.status, 200) << rejected.body;
  EXPECT_EQ(rejected.json().at("approvals").at("decisions").at(0).at("method"), "socket");
}

}  // namespace
}  // namespace runner::api
