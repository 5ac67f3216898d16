#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string job(int id, const std::string& name, const std::string& status, const std::string& more = "") {
  return R"({"id":)" + std::to_string(id) + R"(,"pipeline":7,"project":"site","name":")" + name +
         R"(","stage":"test","status":")" + status + "\"" + more + "}";
}

std::string pipeline(int id, const std::string& status, const std::string& jobs = "") {
  return R"({"id":)" + std::to_string(id) + R"(,"iid":3,"project":"site","ref":"main","source":"web",)" +
         R"("sha":"0123456789abcdef0123","status":")" + status +
         R"(","created_at":"2026-01-31T16:47:55.123Z","started_at":"2026-01-31T16:48:00.000Z",)" +
         R"("finished_at":"2026-01-31T16:48:03.200Z","jobs":[)" + jobs + "]}";
}

constexpr const char* kTimes =
    R"(,"started_at":"2026-01-31T16:48:00.000Z","finished_at":"2026-01-31T16:48:02.000Z")";

struct PipelineCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};

  /// On a terminal of its own.
  Ended run_on_terminal(const std::string& command) {
    box.environment.push_back("TERM=xterm");
    return box.start_program({"/usr/bin/script", "-qec", command, "/dev/null"})->wait();
  }
};

TEST_F(PipelineCommands, RunStartsOne) {
  server.on("POST /projects/site/pipelines", 201, pipeline(7, "created"));
  const Ended ended =
      box.run({"pipeline", "run", "site", "--ref", "v1", "--var", "A=1", "--var", "B=x=y", "--var", "A=2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "pipeline 7 of 'site', main\n");
  EXPECT_EQ(server.last_body(), R"({"ref":"v1","variables":{"A":"2","B":"x=y"}})");
  EXPECT_EQ(box.run({"pipeline", "run", "site"}).code, 0);
  EXPECT_EQ(server.last_body(), "{}");
  EXPECT_EQ(box.run({"pipeline", "run", "site", "--priority", "50"}).code, 0);
  EXPECT_EQ(server.last_body(), R"({"priority":50})");
  EXPECT_THAT(box.run({"pipeline", "run", "site", "--json"}).out, HasSubstr(R"("id":7)"));
}

TEST_F(PipelineCommands, WaitExitsAsExecDoes) {
  server.on("POST /projects/site/pipelines", 201, pipeline(7, "created"));
  const std::vector<std::pair<std::string, int>> cases{
      {"success", 0}, {"failed", 1}, {"canceled", 1}, {"skipped", 0}, {"manual", 0}};
  for (const auto& [status, code] : cases) {
    server.on("GET /pipelines/7", 200, pipeline(7, status, job(1, "build", "success")));
    const Ended ended = box.run({"pipeline", "run", "site", "--wait"});
    EXPECT_EQ(ended.code, code) << status;
    EXPECT_THAT(ended.out, HasSubstr("pipeline 7 " + status + " after 3.2 s\n"));
  }
}

TEST_F(PipelineCommands, WatchTellsEachChangeUntilTheEnd) {
  server.on_each(
      "GET /pipelines/7",
      {pipeline(7, "running", job(1, "build", "pending") + "," + job(2, "test", "created")),
       pipeline(7, "running", job(1, "build", "pending") + "," + job(2, "test", "created")),
       pipeline(7, "running", job(1, "build", "success", kTimes) + "," + job(2, "test", "failed")),
       pipeline(7, "failed",
                job(1, "build", "success", kTimes) + "," + job(2, "test", "failed") + "," +
                    job(3, "test", "failed", kTimes + std::string(R"(,"attempt":2,"exit_code":4)")) + "," +
                    job(4, "deploy", "manual"))});
  const Ended ended = box.run({"pipeline", "watch", "7"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_EQ(ended.out,
            "build: pending\n"
            "test: created\n"
            "build: passed in 2.0 s\n"
            "test: failed\n"
            "test: failed after 2.0 s: exit code 4\n"
            "deploy: manual\n"
            "pipeline 7 failed after 3.2 s\n"
            "  'test' failed after 2.0 s: exit code 4; its log: runner job log 3\n"
            "  'deploy' waits for you: runner job play 4\n");
}

TEST_F(PipelineCommands, WatchTellsWhatIsWrongWithThePipelineFile) {
  server.on(
      "GET /pipelines/7", 200,
      R"({"id":7,"project":"shop","status":"failed","message":".gitlab-ci.yml:2:3: no\nsecond","jobs":[]})");
  const Ended ended = box.run({"pipeline", "watch", "7"});
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_EQ(ended.out, "pipeline 7 failed\n.gitlab-ci.yml:2:3: no\nsecond\n");
}

TEST_F(PipelineCommands, WatchRepaintsALineAJobOnATerminal) {
  const std::string evil = R"(e\u001b[2Jvil)";
  server.on_each("GET /pipelines/7",
                 {pipeline(7, "running", job(1, "build", "running") + "," + job(2, evil, "created")),
                  pipeline(7, "success", job(1, "build", "success") + "," + job(2, evil, "success"))});
  const Ended ended = run_on_terminal("runner pipeline watch 7");
  EXPECT_EQ(ended.code, 0) << ended.out;
  EXPECT_THAT(ended.out, HasSubstr("\x1b[2A\r\x1b[J"));
  EXPECT_THAT(ended.out, HasSubstr("build"));
  EXPECT_THAT(ended.out, HasSubstr("e?[2Jvil"));
  EXPECT_THAT(ended.out, Not(HasSubstr("\x1b[2J")));
}

TEST_F(PipelineCommands, WatchWaitsForAServerThatIsRestarted) {
  auto count = std::make_shared<std::atomic<int>>(0);
  server.on("GET /pipelines/7", [count](const http::Request&) {
    switch ((*count)++) {
      case 0:
        return http::text_response(200, pipeline(7, "running", job(1, "build", "running")));
      case 1:
        return http::text_response(503, R"({"detail":"the server stops"})");
      default:
        return http::text_response(200, pipeline(7, "success", job(1, "build", "success")));
    }
  });
  const Ended ended = box.run({"pipeline", "watch", "7"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "runner: the server stops; trying again\n");
  EXPECT_THAT(ended.out, HasSubstr("build: passed\n"));
}

TEST_F(PipelineCommands, WatchDoesNotWaitForWhatWillNotPass) {
  server.on("GET /pipelines/7", 403, R"({"detail":"not yours"})");
  EXPECT_EQ(box.run({"pipeline", "watch", "7"}).code, 3);
  EXPECT_EQ(server.asked().size(), 1U);
  EXPECT_EQ(box.run({"pipeline", "watch", "8"}).code, 1);
}

TEST_F(PipelineCommands, WatchPrintsThePipelineAtItsEndAsJson) {
  server.on_each("GET /pipelines/7", {pipeline(7, "running"), pipeline(7, "failed")});
  const Ended ended = box.run({"pipeline", "watch", "7", "--json"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.out, HasSubstr(R"("status":"failed")"));
  EXPECT_THAT(ended.out, Not(HasSubstr("running")));
}

TEST_F(PipelineCommands, ListShowsTheNewest) {
  server.on("GET /projects/site/pipelines", 200,
            R"({"items":[)" + pipeline(9, "running") + "," + pipeline(7, "failed") + R"(],"next":"more"})");
  Ended ended = box.run({"pipeline", "list", "site", "--ref", "main", "--status", "failed", "--limit", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("ID  PROJECT  STATUS   REF   COMMIT        SOURCE"));
  EXPECT_THAT(ended.out, HasSubstr(" 7  site     failed   main  0123456789ab  web"));
  EXPECT_THAT(server.asked_what(),
              ElementsAre("GET /projects/site/pipelines?limit=100&ref=main&status=failed"));
  EXPECT_EQ(box.run({"pipeline", "list", "site", "-q", "--limit", "1"}).out, "9\n");
  ended = box.run({"pipeline", "list", "site", "--json", "--limit", "1"});
  EXPECT_THAT(ended.out, HasSubstr(R"("id":9)"));
  EXPECT_THAT(ended.out, Not(HasSubstr(R"("id":7)")));
}

TEST_F(PipelineCommands, ListWithoutAProjectIsOfAll) {
  server.on("GET /projects", 200, R"({"items":[{"name":"a"},{"name":"b"}],"next":null})");
  server.on("GET /projects/a/pipelines", 200, R"({"items":[)" + pipeline(4, "success") + R"(],"next":null})");
  server.on("GET /projects/b/pipelines", 200,
            R"({"items":[)" + pipeline(9, "success") + "," + pipeline(3, "success") + R"(],"next":null})");
  EXPECT_EQ(box.run({"pipeline", "list", "-q"}).out, "9\n4\n3\n");
  EXPECT_EQ(box.run({"pipeline", "list", "-q", "--limit", "2"}).out, "9\n4\n");
  EXPECT_THAT(box.run({"pipeline", "list", "--json", "--limit", "1"}).out, HasSubstr(R"("id":9)"));
}

TEST_F(PipelineCommands, ShowHasTheJobs) {
  server.on("GET /pipelines/7", 200,
            pipeline(7, "failed",
                     job(1, "build", "success", kTimes) + "," +
                         job(2, "test", "failed", R"(,"failure":"script_failure","allow_failure":true)")));
  const Ended ended = box.run({"pipeline", "show", "7"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("pipeline:  7, number 3 of site\n"));
  EXPECT_THAT(ended.out, HasSubstr("took:      3.2 s\n"));
  EXPECT_THAT(ended.out, HasSubstr("ID  STAGE  JOB    STATUS    TIME  WHY\n"
                                   " 1  test   build  success  2.0 s\n"
                                   " 2  test   test   warning         script failure\n"));
  EXPECT_THAT(box.run({"pipeline", "show", "7", "--json"}).out, HasSubstr(R"("iid":3)"));
}

TEST_F(PipelineCommands, CancelAndRetryAsk) {
  server.on("POST /pipelines/7/cancel", 202, pipeline(7, "canceling"));
  server.on("POST /pipelines/7/retry", 202, pipeline(7, "pending"));
  EXPECT_EQ(box.run({"pipeline", "cancel", "7"}).out, "canceling pipeline 7\n");
  EXPECT_EQ(box.run({"pipeline", "retry", "7"}).out, "running again the failed jobs of pipeline 7\n");
  EXPECT_THAT(server.asked_what(), ElementsAre("POST /pipelines/7/cancel", "POST /pipelines/7/retry"));
}

TEST_F(PipelineCommands, JobsAreShownAndTold) {
  server.on(
      "GET /jobs/2", 200,
      job(2, "te\\nst", "failed",
          std::string(kTimes) +
              R"(,"attempt":2,"exit_code":1,"tests_total":12,"tests_failed":3,"coverage":81.25,"warnings":["old\u001b[1m"],"artifacts":true)"));
  const Ended ended = box.run({"job", "show", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* line : {"job:        te?st, id 2\n", "status:     failed after 2.0 s: exit code 1\n",
                           "attempt:    2\n", "tests:      12, 3 failed\n", "coverage:   81.2 %\n",
                           "warnings:   old?[1m\n", "artifacts:  runner artifact list --job-id 2\n"}) {
    EXPECT_THAT(ended.out, HasSubstr(line));
  }
  for (const char* verb : {"play", "retry", "cancel"}) {
    server.on(std::string("POST /jobs/2/") + verb, 202, job(5, "test", "pending"));
    const Ended told = box.run({"job", verb, "2"});
    EXPECT_EQ(told.code, 0) << told.err;
    EXPECT_THAT(told.out, HasSubstr("job 5 'test'\n"));
    EXPECT_THAT(server.asked_what(), Contains(std::string("POST /jobs/2/") + verb));
  }
  server.on("POST /jobs/2/play", 409, R"({"detail":"job 2 is not manual"})");
  EXPECT_EQ(box.run({"job", "play", "2"}).code, 1);
}

}  // namespace
}  // namespace runner::cli
