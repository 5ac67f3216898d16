// Schedules: their fields, whose they are, and that values of variables never come out.
#include <nlohmann/json.hpp>

#include "runner/storage/event_table.h"
#include "runner/storage/schedule_table.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kList = "/api/v1/projects/shop/schedules";

class ApiScheduleTest : public ApiTest {
 protected:
  std::int64_t add(const std::string& who = "dora", const std::string& body = R"({"cron":"0 3 * * *"})") {
    const Asked added = ask("POST", kList, body, who);
    EXPECT_EQ(added.status, 201) << added.body;
    actions_.take();
    return added.json().at("id");
  }
  static std::string path(std::int64_t id) { return "/api/v1/schedules/" + std::to_string(id); }
  std::string variables(std::int64_t id) {
    std::string text;
    store_->read(
        [&](storage::Tx& tx) { text = storage::Schedules(tx, sealer_).variables(id).value().text(); });
    return text;
  }
};

TEST_F(ApiScheduleTest, AddedScheduleIsShownWithItsNextTime) {
  const Asked added =
      ask("POST", kList,
          R"({"cron":"0 3 * * *","timezone":"Europe/Zurich","ref":"main","description":"nightly",)"
          R"("variables":{"A":"s3cret","B":""}})",
          "dora");
  EXPECT_EQ(added.status, 201) << added.body;
  EXPECT_EQ(added.headers.at("location"), "/api/v1/schedules/1");
  EXPECT_EQ(
      added.json(),
      json::parse(R"({"id":1,"project":"shop","description":"nightly","cron":"0 3 * * *",)"
                  R"("timezone":"Europe/Zurich","ref":"main","active":true,"owner":"dora",)"
                  R"("variables":["A","B"],"next_run_at":"2026-02-24T02:00:00.000Z","last_run_at":null,)"
                  R"("last_pipeline":null,"last_error":"","retry_at":null,"version":0,)"
                  R"("created_at":"2026-02-23T11:00:00.123Z"})"));
  EXPECT_EQ(ask("GET", path(1), "", "vera").json(), added.json());
  EXPECT_EQ(ask("GET", kList, "", "vera").json().at("items"), json::array({added.json()}));
  EXPECT_EQ(variables(1), R"({"A":"s3cret","B":""})");
  EXPECT_THAT(actions_.take(), ElementsAre("schedules changed"));
  store_->read([&](storage::Tx& tx) {
    const auto events = storage::EventLog(tx).after(0, 10);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, "schedule.created");
    EXPECT_EQ(json::parse(events[0].payload),
              json::parse(R"({"schedule":1,"description":"nightly","by":"dora"})"));
  });
}

TEST_F(ApiScheduleTest, WrongFieldsAreNamedWithTheMend) {
  struct Case {
    std::string body, field, message;
  };
  const Case cases[] = {
      {"{}", "cron", "needed"},
      {R"({"cron":"0 3 * *"})", "cron", "write five fields"},
      {R"({"cron":"61 * * * *"})", "cron", "0-59"},
      {R"({"cron":"0 0 31 2 *"})", "cron", "no day is ever like this"},
      {R"({"cron":"* * * * *","timezone":"Europe/Zurch"})", "timezone", "did you mean 'Europe/Zurich'?"},
      {R"({"cron":"* * * * *","timezone":""})", "timezone", "write one such as"},
      {R"({"cron":"* * * * *","time_zone":"UTC"})", "time_zone", "did you mean 'timezone'?"},
      {R"({"cron":"* * * * *","ref":"a b"})", "ref", "blanks"},
      {R"({"cron":"* * * * *","description":"a\nb"})", "description", "line breaks"},
      {R"({"cron":"* * * * *","active":1})", "active", "true or false"},
      {R"({"cron":"* * * * *","variables":["A"]})", "variables", "must be an object"},
      {R"({"cron":"* * * * *","variables":{"1A":"x"}})", "variables.1A", "no variable can be called so"},
      {R"({"cron":"* * * * *","version":0})", "version", "no such field"},
      {R"({"cron":5})", "cron", "must be a text"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.body);
    const Asked asked = ask("POST", kList, each.body);
    EXPECT_EQ(asked.status, 422);
    EXPECT_THAT(asked.fields(), ::testing::Contains(each.field));
    EXPECT_THAT(asked.body, HasSubstr(each.message));
  }
  EXPECT_THAT(actions_.take(), IsEmpty());
  EXPECT_EQ(ask("POST", "/api/v1/projects/nope/schedules", R"({"cron":"* * * * *"})").status, 404);
}

TEST_F(ApiScheduleTest, RolesAndOwnersDecide) {
  const std::int64_t doras = add("dora"), annas = add("anna");
  struct Case {
    const char *method, *who;
    std::string path, body;
    int status;
  };
  const std::string change = R"({"description":"x"})", cron = R"({"cron":"@daily"})";
  const Case cases[] = {
      {"GET", "vera", kList, "", 200},
      {"GET", "vera", path(doras), "", 200},
      {"GET", "", path(doras), "", 401},
      {"POST", "vera", kList, cron, 403},
      {"PATCH", "vera", path(doras), change, 403},
      {"DELETE", "vera", path(doras), "", 403},
      {"POST", "vera", path(doras) + "/play", "", 403},
      {"PATCH", "dora", path(doras), change, 200},
      {"PATCH", "dora", path(annas), change, 403},
      {"PATCH", "dora", path(annas), R"({"cron":"wrong"})", 403},
      {"DELETE", "dora", path(annas), "", 403},
      {"POST", "dora", path(annas) + "/play", "", 201},
      {"PATCH", "anna", path(doras), change, 200},
      {"PATCH", "anna", path(99), change, 404},
      {"DELETE", "anna", path(doras), "", 204},
      {"DELETE", "anna", path(doras), "", 404},
      {"GET", "anna", path(doras), "", 404},
      {"GET", "anna", "/api/v1/schedules/first", "", 404},
      {"DELETE", "anna", path(annas), "", 204},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(std::string(each.method) + " " + each.path + " by " + each.who);
    EXPECT_EQ(ask(each.method, each.path, each.body, each.who).status, each.status);
  }
}

TEST_F(ApiScheduleTest, ChangesKeepWhatIsNotGiven) {
  const std::int64_t id = add("dora", R"({"cron":"0 3 * * *","ref":"main","variables":{"A":"1"}})");
  Asked changed = ask("PATCH", path(id), R"({"description":"new"})", "anna");
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.json().at("description"), "new");
  EXPECT_EQ(changed.json().at("owner"), "dora") << "it stays the same person's";
  EXPECT_EQ(changed.json().at("version"), 1);
  EXPECT_EQ(changed.json().at("next_run_at"), "2026-02-24T03:00:00.000Z");
  EXPECT_EQ(variables(id), R"({"A":"1"})");
  changed = ask("PATCH", path(id), R"({"cron":"30 12 * * *","variables":{"B":"2"}})");
  EXPECT_EQ(changed.json().at("next_run_at"), "2026-02-23T12:30:00.000Z");
  EXPECT_EQ(variables(id), R"({"B":"2"})");
  EXPECT_THAT(actions_.take(), ElementsAre("schedules changed", "schedules changed"));
}

TEST_F(ApiScheduleTest, AnOldVersionIsAConflict) {
  const std::int64_t id = add();
  EXPECT_EQ(ask("PATCH", path(id), R"({"version":0,"description":"one"})").status, 200);
  const Asked late = ask("PATCH", path(id), R"({"version":0,"description":"two"})");
  EXPECT_EQ(late.status, 409);
  EXPECT_THAT(late.body, HasSubstr("its version is 1"));
  EXPECT_EQ(ask("GET", path(id)).json().at("description"), "one");
}

TEST_F(ApiScheduleTest, ADueRunSurvivesAMendedNameButNotANewTime) {
  const std::int64_t id = add();
  clock_.pass(std::chrono::hours(24));
  EXPECT_EQ(ask("PATCH", path(id), R"({"description":"x"})").json().at("next_run_at"),
            "2026-02-24T03:00:00.000Z");
  EXPECT_EQ(ask("PATCH", path(id), R"({"active":false})").json().at("next_run_at"), nullptr);
  EXPECT_EQ(ask("PATCH", path(id), R"({"active":true})").json().at("next_run_at"), "2026-02-25T03:00:00.000Z")
      << "what came while it was switched off is not made up for";
}

TEST_F(ApiScheduleTest, PlayStartsItsPipelineNow) {
  const std::int64_t id =
      add("anna", R"({"cron":"0 3 * * *","ref":"topic","description":"d","variables":{"A":"1"}})");
  const Asked played = ask("POST", path(id) + "/play", "", "dora");
  EXPECT_EQ(played.status, 201) << played.body;
  EXPECT_EQ(played.headers.at("location"), "/api/v1/pipelines/1");
  EXPECT_EQ(played.json().at("source"), "schedule");
  EXPECT_THAT(actions_.take(), ElementsAre("start shop 'topic' by dora from schedule A=1"));
  const json after = ask("GET", path(id)).json();
  EXPECT_EQ(after.at("last_pipeline"), 1);
  EXPECT_EQ(after.at("last_run_at"), "2026-02-23T11:00:00.123Z");
  EXPECT_EQ(after.at("next_run_at"), "2026-02-24T03:00:00.000Z");
  actions_.start = [](const storage::ProjectRecord&, const StartRequest&) -> std::int64_t {
    throw Error(ErrorCode::invalid_input, ".gitlab-ci.yml:2:3: error: no");
  };
  EXPECT_EQ(ask("POST", path(id) + "/play").status, 422);
}

TEST_F(ApiScheduleTest, ListsGoOnPageByPage) {
  for (int i = 0; i < 3; ++i) add();
  const json first = ask("GET", std::string(kList) + "?limit=2").json();
  ASSERT_EQ(first.at("items").size(), 2U);
  const std::string cursor = first.at("next");
  const json second = ask("GET", std::string(kList) + "?limit=2&cursor=" + cursor).json();
  ASSERT_EQ(second.at("items").size(), 1U);
  EXPECT_EQ(second.at("items")[0].at("id"), 3);
  EXPECT_EQ(second.at("next"), nullptr);
}

TEST_F(ApiScheduleTest, NoAnswerHasTheValueOfAVariable) {
  const std::int64_t id = add("dora", R"({"cron":"@daily","variables":{"A":"s3cret"}})");
  for (const char* who : {"vera", "dora", "anna"}) {
    EXPECT_THAT(ask("GET", path(id), "", who).body, Not(HasSubstr("s3cret")));
    EXPECT_THAT(ask("GET", kList, "", who).body, Not(HasSubstr("s3cret")));
  }
  EXPECT_THAT(ask("PATCH", path(id), R"({"variables":{"A":"s3cret2"}})").body, Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace runner::api
