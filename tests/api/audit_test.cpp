// What is written down of what people do, and of what they were not let do.
#include <nlohmann/json.hpp>

#include "runner/storage/audit_table.h"
#include "runner/storage/event_table.h"
#include "runner/storage/tables.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class AuditApi : public ApiTest {
 protected:
  /// "ACTION OBJECT by ACTOR: RESULT", oldest first.
  std::vector<std::string> records(const std::string& query = "") {
    std::vector<std::string> all;
    for (const json& one : items(query)) {
      all.push_back(one.at("action").get<std::string>() + " " + one.value("object", "-") + " by " +
                    one.value("actor", "-") + ": " + one.at("result").get<std::string>());
    }
    return all;
  }
  json items(const std::string& query = "") {
    const Asked asked = ask("GET", "/api/v1/audit?sort=asc&limit=100" + query, "", "anna");
    EXPECT_EQ(asked.status, 200) << asked.body;
    return asked.json().at("items");
  }
};

TEST_F(AuditApi, EachChangeIsARecordOfWhoMadeIt) {
  const auto good = [&](const char* method, const std::string& path, const std::string& body,
                        const std::string& who = "anna") {
    const Asked asked = ask(method, path, body, who);
    EXPECT_LT(asked.status, 300) << path << ": " << asked.body;
    return asked;
  };
  const std::string variables = "/api/v1/projects/shop/variables";
  good("POST", variables, R"({"key":"KEY","value":"s3cret-value","environment_scope":"production"})");
  good("PUT", variables + "/KEY?environment_scope=production", R"({"value":"other-s3cret"})");
  good("DELETE", variables + "/KEY?environment_scope=production", "");
  good("PUT", "/api/v1/projects/shop/environments/production", R"({"protection":{"refs":["main"]}})");
  good("POST", "/api/v1/users", R"({"name":"eve","role":"viewer"})");
  good("PATCH", "/api/v1/users/eve", R"({"role":"admin"})");
  good("PATCH", "/api/v1/users/eve", R"({"disabled":true})");
  const auto token = good("POST", "/api/v1/users/dora/tokens", R"({"name":"laptop"})", "dora").json();
  good("DELETE", "/api/v1/tokens/" + std::to_string(token.at("id").get<int>()), "", "dora");
  good("PUT", "/api/v1/projects/shop/resource_groups/prod", R"({"process_mode":"oldest_first"})");
  good("POST", "/api/v1/projects/shop/pipelines", R"({"ref":"main"})", "dora");
  good("PATCH", "/api/v1/projects/shop", R"({"paused":true})");
  const std::string id = std::to_string(token.at("id").get<int>());
  EXPECT_THAT(
      records(),
      ElementsAre(
          "variable.created variable KEY by anna: allow", "variable.changed variable KEY by anna: allow",
          "variable.removed variable KEY by anna: allow",
          "environment.changed environment production by anna: allow", "user.created user eve by anna: allow",
          "user.changed user eve by anna: allow", "user.changed user eve by anna: allow",
          "token.created token " + id + " of dora by dora: allow",
          "token.revoked token " + id + " of dora by dora: allow",
          "resource_group.changed resource group prod by anna: allow", "pipeline.started main by dora: allow",
          "project.changed project shop by anna: allow"));
  const json all = items();
  EXPECT_THAT(all.dump(), Not(AnyOf(HasSubstr("s3cret"), HasSubstr(token.at("token").get<std::string>()))));
  EXPECT_EQ(all[0].at("environment"), "production");
  EXPECT_EQ(all[0].at("project"), "shop");
  EXPECT_EQ(all[0].at("method"), "token");
  EXPECT_NE(all[0].at("request_id"), all[1].at("request_id"));
  EXPECT_EQ(all[0].at("source"), "127.0.0.1");
  EXPECT_EQ(all[0].at("role"), "admin");
  EXPECT_GT(all[0].at("token"), 0);
  EXPECT_EQ(all[3].at("before"), "none");
  EXPECT_THAT(all[3].at("after").get<std::string>(), HasSubstr("sha256:"));
  EXPECT_EQ(all[5].at("before").get<std::string>() + " > " + all[5].at("after").get<std::string>(),
            "viewer > admin");
  EXPECT_EQ(all[6].at("after"), "admin, disabled");
  EXPECT_THAT(records("&actor=dora&action=token."), ::testing::SizeIs(2));
  EXPECT_THAT(records("&environment=production&action=variable.created"), ::testing::SizeIs(1));
}

TEST_F(AuditApi, EveryRefusalOfSomebodyIsARecord) {
  ask("POST", "/api/v1/users", R"({"name":"eve","role":"admin"})", "vera");
  ask("PUT", "/api/v1/projects/shop/environments/production", R"({"protection":{}})", "dora");
  ask("GET", "/api/v1/audit", "", "dora");
  ask("GET", "/api/v1/projects", "", "rnr_of_nobody");
  ask("GET", "/api/v1/projects", "", "");           // shows nothing: no attempt
  ask("GET", "/api/v1/projects/gone", "", "vera");  // may, and it is not there
  EXPECT_THAT(records(),
              ElementsAre("access.denied POST /api/v1/users by vera: deny",
                          "access.denied PUT /api/v1/projects/shop/environments/production by dora: deny",
                          "access.denied GET /api/v1/audit by dora: deny",
                          "login.failed GET /api/v1/projects by -: deny"));
  const json denied = items("&result=deny&environment=production");
  ASSERT_EQ(denied.size(), 1U);
  EXPECT_EQ(denied[0].at("project"), "shop");
  EXPECT_THAT(denied[0].at("reason").get<std::string>(), HasSubstr("needs the permission 'manage"));
}

TEST_F(AuditApi, ManyRefusalsAreCountedAndNotAllWritten) {
  for (int n = 0; n < 80; ++n) ask("GET", "/api/v1/users", "", "vera");
  EXPECT_EQ(records().size(), 60U);
  clock_.pass(std::chrono::seconds(5));
  for (int n = 0; n < 8; ++n) ask("GET", "/api/v1/users", "", "vera");
  EXPECT_EQ(records("&actor=vera").size(), 65U);
}

/// What is not written down does not happen.
TEST_F(AuditApi, WithoutALogNothingIsDone) {
  store_->write([](storage::Tx& tx) { tx.sql().exec("DROP TABLE audit_log", {}); });
  const auto pipeline = add_pipeline(pipelines::JobStatus::running, "main", "push");
  EXPECT_EQ(ask("POST", "/api/v1/users", R"({"name":"eve","role":"viewer"})", "anna").status, 500);
  EXPECT_EQ(ask("POST", "/api/v1/projects/shop/variables", R"({"key":"KEY","value":"s3cret-value"})", "anna")
                .status,
            500);
  EXPECT_EQ(ask("POST", "/api/v1/pipelines/" + std::to_string(pipeline) + "/cancel", "", "dora").status, 500);
  EXPECT_EQ(ask("GET", "/api/v1/users", "", "vera").status, 403);
  EXPECT_THAT(actions_.take(), IsEmpty());
  store_->read([](storage::Tx& tx) {
    EXPECT_FALSE(storage::Users(tx).find("eve"));
    EXPECT_EQ(storage::EventLog(tx).last(), 0);
  });
}

TEST_F(AuditApi, PagesAreAChainUpToTheCheckpoint) {
  for (int n = 0; n < 7; ++n)
    EXPECT_EQ(
        ask("POST", "/api/v1/users", R"({"name":"u)" + std::to_string(n) + R"(","role":"viewer"})", "anna")
            .status,
        201);
  storage::AuditChain chain;
  std::string next = "/api/v1/audit?sort=asc&limit=3";
  int pages = 0;
  while (!next.empty()) {
    const json page = ask("GET", next, "", "anna").json();
    for (const json& item : page.at("items")) EXPECT_EQ(chain.add(item.dump()), std::nullopt);
    next = page.at("next").is_null()
               ? ""
               : "/api/v1/audit?sort=asc&limit=3&cursor=" + page.at("next").get<std::string>();
    ++pages;
  }
  EXPECT_EQ(pages, 3);
  const auto checkpoint = storage::read_checkpoint(ask("GET", "/api/v1/audit/checkpoint", "", "anna").body);
  EXPECT_EQ(checkpoint.head, chain.head());
  EXPECT_EQ(checkpoint.head.seq, 7);
  EXPECT_EQ(checkpoint.key, audit_key_.public_key());
  const json newest = ask("GET", "/api/v1/audit?limit=2", "", "anna").json().at("items");
  EXPECT_EQ(newest[0].at("seq"), 7);
  EXPECT_EQ(newest[1].at("seq"), 6);
}

TEST_F(AuditApi, WrongQuestionsAreNamed) {
  for (const char* query : {"sort=up", "result=no", "limit=0", "cursor=zz", "who=me"})
    EXPECT_EQ(ask("GET", std::string("/api/v1/audit?") + query, "", "anna").status, 422) << query;
}

}  // namespace
}  // namespace runner::api
