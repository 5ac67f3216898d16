// Pipelines and jobs: shown, started, canceled, run again.
#include <nlohmann/json.hpp>

#include "runner/engine/outcome_text.h"
#include "runner/storage/job_archive_table.h"
#include "runner/storage/result_table.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;
using pipelines::JobStatus;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string of(const char* what, std::int64_t id, const std::string& rest = {}) {
  return std::string("/api/v1/") + what + "/" + std::to_string(id) + rest;
}

TEST_F(ApiTest, PipelineIsStartedForWhoAsks) {
  const Asked asked = ask("POST", "/api/v1/projects/shop/pipelines",
                          R"({"ref":"topic","variables":{"LEVEL":"3","_x":"a b"}})", "dora");
  EXPECT_EQ(asked.status, 201);
  const std::int64_t id = asked.json().at("id");
  EXPECT_EQ(asked.headers.at("location"), of("pipelines", id));
  EXPECT_EQ(asked.json(),
            json::parse(R"({"id":)" + std::to_string(id) +
                        R"(,"iid":1,"project":"shop","name":"Build","source":"api","ref":"topic","sha":")" +
                        std::string(40, 'a') +
                        R"(","before_sha":"","status":"created","started_by":"","priority":0,)"
                        R"("created_at":"2026-02-23T11:00:00.123Z","started_at":null,"finished_at":null})"));
  EXPECT_THAT(actions_.take(), ElementsAre("start shop 'topic' by dora from api LEVEL=3 _x=a b"));
}

TEST_F(ApiTest, WhoMayStartPutsNoneAboveThePriorityOfTheProject) {
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/shop", R"({"priority":10})").json().at("priority"), 10);
  actions_.take();
  const struct {
    const char* who;
    int priority;
    int status;
  } cases[] = {{"dora", 10, 201}, {"dora", -100, 201}, {"dora", 11, 403},  {"dora", 100, 403},
               {"anna", 11, 201}, {"anna", 100, 201},  {"anna", 101, 422}, {"dora", -101, 422}};
  for (const auto& each : cases) {
    const std::string text = std::to_string(each.priority);
    SCOPED_TRACE(each.who + text);
    const Asked asked =
        ask("POST", "/api/v1/projects/shop/pipelines", R"({"priority":)" + text + "}", each.who);
    EXPECT_EQ(asked.status, each.status);
    if (asked.status == 201) {
      EXPECT_THAT(actions_.take(),
                  ElementsAre(HasSubstr(std::string(each.who) + " from api priority " + text)));
      continue;
    }
    EXPECT_THAT(actions_.take(), IsEmpty());
    if (asked.status == 422) {
      EXPECT_THAT(asked.fields(), ElementsAre("priority"));
    } else {
      EXPECT_EQ(asked.json().at("detail"),
                "priority " + text +
                    " is above that of project 'shop', which is 10; that needs the permission 'manage_roles' "
                    "for project 'shop', and 'dora' does not have it with this token");
    }
  }
}

TEST_F(ApiTest, StartsThatFailSayWhy) {
  struct Case {
    Error error;
    int status;
    std::string text;
    std::vector<std::string> fields;
  };
  const Case cases[] = {
      {Error(ErrorCode::not_found, "there is no branch 'x'"), 422, "there is no branch 'x'", {"ref"}},
      {Error(ErrorCode::invalid_input, ".gitlab-ci.yml:3: no"), 422, ".gitlab-ci.yml:3: no", {""}},
      {Error(ErrorCode::unavailable, "no such host"), 503, "no such host", {}},
      {Error(std::error_code(EACCES, std::generic_category()), "cannot write /var/x"), 500, "", {}},
  };
  for (const Case& each : cases) {
    actions_.start = [&](const auto&, const auto&) -> std::int64_t { throw each.error; };
    const Asked asked = ask("POST", "/api/v1/projects/shop/pipelines");
    EXPECT_EQ(asked.status, each.status) << each.text;
    EXPECT_THAT(asked.body, HasSubstr(each.text));
    EXPECT_EQ(asked.body.find("/var/x"), std::string::npos);
    EXPECT_EQ(asked.fields(), each.fields);
    EXPECT_EQ(asked.headers.contains("retry-after"), each.status == 503);
  }
}

TEST_F(ApiTest, WrongVariablesAreNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"variables":{"1A":"x"}})", "variables.1A"},
      {R"({"variables":{"A":1}})", "variables.A"},
      {R"({"variables":{"":"x"}})", "variables."},
      {R"({"variables":[]})", "variables"},
      {R"({"variables":{"A":"1","A":"2"}})", "A"},
      {R"({"ref":7})", "ref"},
      {R"({"source":"push"})", "source"},
  };
  for (const auto& [body, field] : cases) {
    const Asked asked = ask("POST", "/api/v1/projects/shop/pipelines", body);
    EXPECT_EQ(asked.status, 422) << body;
    EXPECT_THAT(asked.fields(), ElementsAre(field));
  }
  EXPECT_THAT(actions_.take(), IsEmpty());
}

TEST_F(ApiTest, PipelinesAreListedNewestFirstAndFiltered) {
  const auto a = add_pipeline(JobStatus::success, "main", "push");
  const auto b = add_pipeline(JobStatus::failed, "main", "schedule");
  const auto c = add_pipeline(JobStatus::success, "topic", "push");
  const std::pair<std::string, std::vector<std::int64_t>> cases[] = {
      {"", {c, b, a}},
      {"?ref=main", {b, a}},
      {"?status=success", {c, a}},
      {"?source=schedule", {b}},
      {"?ref=main&status=success&source=push", {a}},
      {"?ref=none", {}},
      {"?limit=1&ref=main", {b}},
  };
  for (const auto& [query, ids] : cases) {
    std::vector<std::int64_t> found;
    const json page = ask("GET", "/api/v1/projects/shop/pipelines" + query, "", "vera").json();
    for (const auto& each : page.at("items")) {
      found.push_back(each.at("id"));
      EXPECT_FALSE(each.contains("jobs"));
    }
    EXPECT_EQ(found, ids) << query;
  }
  const std::string next = ask("GET", "/api/v1/projects/shop/pipelines?limit=1&ref=main").json().at("next");
  const json rest = ask("GET", "/api/v1/projects/shop/pipelines?limit=1&ref=main&cursor=" + next).json();
  EXPECT_EQ(rest.at("items").at(0).at("id"), a);
  EXPECT_TRUE(rest.at("next").is_null());
  EXPECT_THAT(ask("GET", "/api/v1/projects/shop/pipelines?status=odd").fields(), ElementsAre("status"));
  EXPECT_THAT(ask("GET", "/api/v1/projects/shop/pipelines?ref=%ff").fields(), ElementsAre("ref"));
  EXPECT_EQ(ask("GET", "/api/v1/projects/none/pipelines").status, 404);
}

TEST_F(ApiTest, PipelineShowsEveryAttemptWithWhatIsKnownOfIt) {
  const auto pipeline = add_pipeline();
  const auto first = add_job(pipeline, 0, JobStatus::failed);
  add_job(pipeline, 0, JobStatus::running, 2);
  add_job(pipeline, 1, JobStatus::manual);
  engine::JobResult result;
  result.coverage = 87.5;
  result.collected.tests_total = 10;
  result.collected.tests_failed = 2;
  result.warnings = {"one", "b\x80"};
  result.environment_url = "https://shop.example";
  result.reports = engine::ArchiveView{"out", "/none.zip", "abc", 5, 6};
  store_->write([&](storage::Tx& tx) {
    storage::JobResults(tx).put(first.id, freeze(result));
    storage::JobArchives(tx).put({first.id, storage::ArtifactKind::reports, shop_, pipeline, "main", "job0",
                                  false, "none.zip", clock_.now(), std::nullopt});
  });
  const json jobs = ask("GET", of("pipelines", pipeline), "", "vera").json().at("jobs");
  ASSERT_EQ(jobs.size(), 3U);
  EXPECT_EQ(jobs[0], json::parse(R"({"id":)" + std::to_string(first.id) + R"(,"pipeline":)" +
                                 std::to_string(pipeline) +
                                 R"(,"project":"shop","name":"job0","stage":"test","status":"failed",)"
                                 R"("allow_failure":false,"attempt":1,"failure":"script_failure",)"
                                 R"("exit_code":null,"reason":"","created_at":"2026-02-23T11:00:00.123Z",)"
                                 R"("queued_at":null,"started_at":null,"finished_at":null,)"
                                 R"("scheduled_at":null,"coverage":87.5,"tests_total":10,"tests_failed":2,)"
                                 R"("warnings":["one","b\ufffd"],"environment_url":"https://shop.example",)"
                                 R"("artifacts":true})"));
  EXPECT_EQ(jobs[1].at("attempt"), 2);
  EXPECT_EQ(jobs[1].at("artifacts"), false);
  EXPECT_EQ(ask("GET", of("jobs", first.id), "", "vera").json(), jobs[0]);
}

TEST_F(ApiTest, APipelineOfAWrongFileSaysWhatIsWrong) {
  const std::int64_t id = add_pipeline(JobStatus::failed);
  append_event("pipeline.invalid", R"({"message":".gitlab-ci.yml:2:10: error: no such stage"})", {}, id);
  EXPECT_EQ(ask("GET", of("pipelines", id)).json().at("message"),
            ".gitlab-ci.yml:2:10: error: no such stage");
  EXPECT_EQ(ask("GET", of("pipelines", add_pipeline(JobStatus::failed))).json().at("message"), "");
}

TEST_F(ApiTest, IdsThatAreNoneAreNotFound) {
  for (const char* id : {"0", "-1", "x", "99999999999999999999", "1.5", "999999"}) {
    EXPECT_EQ(ask("GET", std::string("/api/v1/pipelines/") + id).status, 404) << id;
    EXPECT_EQ(ask("GET", std::string("/api/v1/jobs/") + id).status, 404) << id;
    EXPECT_EQ(ask("DELETE", std::string("/api/v1/tokens/") + id).status, 404) << id;
  }
}

TEST_F(ApiTest, PipelineIsCanceledAndRetriedWhenThatFits) {
  const auto running = add_pipeline(JobStatus::running);
  const auto ended = add_pipeline(JobStatus::failed);
  add_job(ended, 0, JobStatus::failed);
  add_job(ended, 0, JobStatus::success, 2);
  EXPECT_EQ(ask("POST", of("pipelines", running, "/cancel"), "", "dora").status, 202);
  EXPECT_EQ(ask("POST", of("pipelines", ended, "/cancel")).status, 409);
  // The newest attempt went well.
  EXPECT_EQ(ask("POST", of("pipelines", ended, "/retry")).status, 409);
  add_job(ended, 1, JobStatus::canceled);
  const Asked retried = ask("POST", of("pipelines", ended, "/retry"), "{}", "dora");
  EXPECT_EQ(retried.status, 202);
  EXPECT_EQ(retried.json().at("id"), ended);
  EXPECT_EQ(ask("POST", of("pipelines", 9999, "/retry")).status, 404);
  EXPECT_EQ(ask("POST", of("pipelines", running, "/cancel"), R"({"x":1})").status, 422);
  EXPECT_THAT(actions_.take(), ElementsAre("cancel pipeline " + std::to_string(running),
                                           "retry pipeline " + std::to_string(ended)));
}

TEST_F(ApiTest, JobsTakeOnlyWhatFitsTheirStatus) {
  const auto pipeline = add_pipeline();
  struct Case {
    JobStatus status;
    int play, retry, cancel;
  };
  const Case cases[] = {
      {JobStatus::created, 409, 409, 202},   {JobStatus::pending, 409, 409, 202},
      {JobStatus::running, 409, 409, 202},   {JobStatus::manual, 202, 409, 202},
      {JobStatus::scheduled, 202, 409, 202}, {JobStatus::success, 202, 202, 409},
      {JobStatus::failed, 202, 202, 409},    {JobStatus::canceled, 202, 202, 409},
      {JobStatus::skipped, 202, 202, 409},
  };
  std::size_t index = 0;
  for (const Case& each : cases) {
    const auto job = add_job(pipeline, index, each.status);
    const std::string place = std::to_string(pipeline) + "/" + std::to_string(index++);
    SCOPED_TRACE(std::string(to_string(each.status)));
    std::vector<std::string> calls;
    for (const auto& [act, status, call] :
         {std::tuple("play", each.play, "play "), std::tuple("retry", each.retry, "play "),
          std::tuple("cancel", each.cancel, "cancel ")}) {
      EXPECT_EQ(ask("POST", of("jobs", job.id, "/") + act, "", "dora").status, status) << act;
      if (status == 202) calls.push_back(call + place);
    }
    EXPECT_EQ(actions_.take(), calls);
  }
}

TEST_F(ApiTest, OlderAttemptsAreLeftAlone) {
  const auto pipeline = add_pipeline();
  const auto first = add_job(pipeline, 4, JobStatus::failed);
  const auto second = add_job(pipeline, 4, JobStatus::failed, 2);
  const Asked refused = ask("POST", of("jobs", first.id, "/retry"));
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.body, HasSubstr("newest attempt is job " + std::to_string(second.id)));
  EXPECT_EQ(ask("POST", of("jobs", second.id, "/retry")).status, 202);
}

}  // namespace
}  // namespace runner::api
