#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kNightly =
    R"({"id":3,"project":"shop","description":"nightly","cron":"0 3 * * *","timezone":"Europe/Zurich",)"
    R"("ref":"main","active":true,"owner":"kim","variables":["A","B"],)"
    R"("next_run_at":"2026-07-11T01:00:00.000Z","last_run_at":"2026-01-31T02:00:00.250Z","last_pipeline":41,)"
    R"("last_error":"","retry_at":null,"version":2,"created_at":"2026-01-01T00:00:00.000Z"})";
constexpr const char* kFailing =
    R"({"id":4,"project":"shop","description":"","cron":"@weekly","timezone":"UTC","ref":"","active":true,)"
    R"("owner":"kim","variables":[],"next_run_at":"2026-01-31T02:00:00.000Z","last_run_at":null,)"
    R"("last_pipeline":null,"last_error":"no route to host","retry_at":"2026-01-31T02:10:00.000Z","version":0,)"
    R"("created_at":"2026-01-01T00:00:00.000Z"})";

std::string list_of(const std::string& items) {
  return R"({"items":[)" + items + R"(],"next":null})";
}

struct ScheduleCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};
};

TEST_F(ScheduleCommands, ListShowsRunsInLocalTime) {
  server.on("GET /projects", 200, list_of(R"({"name":"docs"},{"name":"shop"})"));
  server.on("GET /projects/docs/schedules", 200, list_of(""));
  server.on("GET /projects/shop/schedules", 200,
            list_of(std::string(kNightly) + "," + kFailing +
                    R"(,{"id":5,"project":"shop","cron":"@daily","timezone":"UTC","active":false})"));
  const Ended ended = box.run_bash("TZ=Europe/Zurich runner schedule list");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out,
            "ID  PROJECT  STATE    TIMES      ZONE           REF        NEXT RUN          LAST RUN          "
            "DESCRIPTION\n"
            " 3  shop     on       0 3 * * *  Europe/Zurich  main       2026-07-11 03:00  2026-01-31 03:00  "
            "nightly\n"
            " 4  shop     failing  @weekly    UTC            (default)  2026-01-31 03:00\n"
            " 5  shop     off      @daily     UTC            (default)\n");
  EXPECT_THAT(box.run_bash("TZ=UTC runner schedule list shop").out,
              HasSubstr("2026-07-11 01:00  2026-01-31 02:00"));
  EXPECT_EQ(box.run({"schedule", "list", "shop", "-q"}).out, "3\n4\n5\n");
  EXPECT_EQ(box.run({"schedule", "list", "shop", "--json"}).out.substr(0, 8), R"([{"activ)");
}

TEST_F(ScheduleCommands, AListThatIsEmptySaysWhatToDo) {
  server.on("GET /projects/shop/schedules", 200, list_of(""));
  const Ended ended = box.run({"schedule", "list", "shop"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "runner: there are no schedules; 'runner schedule add' makes one\n");
  EXPECT_EQ(box.run({"schedule", "list", "shop", "--json"}).out, "[]\n");
}

TEST_F(ScheduleCommands, AddSendsWhatWasSaid) {
  server.on("POST /projects/shop/schedules", 201, kNightly);
  const Ended ended = box.run_bash(
      "TZ=Europe/Zurich runner schedule add shop --cron '0 3 * * *' --timezone Europe/Zurich --ref main "
      "--description nightly --var A=b --var A=c --var E= --disable");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "added schedule 3 of 'shop', next run 2026-07-11 03:00:00 CEST\n");
  EXPECT_EQ(server.last_body(),
            R"({"description":"nightly","cron":"0 3 * * *","timezone":"Europe/Zurich","ref":"main",)"
            R"("active":false,"variables":{"A":"c","E":""}})");
}

TEST_F(ScheduleCommands, EditSendsOnlyWhatChanges) {
  server.on("PATCH /schedules/3", 200,
            R"({"id":3,"project":"shop","cron":"0 3 * * *","active":false,"next_run_at":null})");
  EXPECT_EQ(box.run({"schedule", "edit", "3", "--disable"}).out,
            "changed schedule 3 of 'shop', which is off\n");
  EXPECT_EQ(server.last_body(), R"({"active":false})");
  EXPECT_EQ(box.run({"schedule", "edit", "3", "--no-vars", "--enable"}).code, 0);
  EXPECT_EQ(server.last_body(), R"({"active":true,"variables":{}})");
}

TEST_F(ScheduleCommands, ShowTellsAll) {
  server.on("GET /schedules/3", 200, kNightly);
  server.on("GET /schedules/4", 200, kFailing);
  const Ended ended = box.run_bash("TZ=Europe/Zurich runner schedule show 3");
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* line : {"0 3 * * * in Europe/Zurich\n", "A, B\n", "kim\n", "2026-07-11 03:00:00 CEST\n",
                           "2026-01-31 03:00:00 CET\n", "41\n"})
    EXPECT_THAT(ended.out, HasSubstr(line));
  const std::string failing = box.run_bash("TZ=UTC runner schedule show 4").out;
  EXPECT_THAT(failing, HasSubstr("no route to host\n"));
  EXPECT_THAT(failing, HasSubstr("2026-01-31 02:10:00 UTC\n"));
  EXPECT_THAT(box.run({"schedule", "show", "3", "--json"}).out, HasSubstr(R"("last_pipeline":41)"));
}

TEST_F(ScheduleCommands, RunAndRemoveGoToTheServer) {
  server.on("POST /schedules/3/play", 201, R"({"id":9,"project":"shop","ref":"main","status":"created"})");
  server.on("DELETE /schedules/3", [](const http::Request&) {
    http::Response response;
    response.status = 204;
    return response;
  });
  EXPECT_EQ(box.run({"schedule", "run", "3"}).out, "pipeline 9 of 'shop', main\n");
  EXPECT_EQ(box.run({"schedule", "remove", "3"}).out, "removed schedule 3\n");
  EXPECT_EQ(box.run({"schedule", "remove", "3", "--json"}).out, "{\"removed\":3}\n");
  EXPECT_THAT(server.asked_what(),
              ElementsAre("POST /schedules/3/play", "DELETE /schedules/3", "DELETE /schedules/3"));
}

TEST_F(ScheduleCommands, RefusalsAreTold) {
  server.on("POST /projects/shop/schedules", [](const http::Request&) {
    return http::text_response(
        422,
        R"({"title":"Unprocessable","status":422,"detail":"a field is wrong","errors":[{"field":"timezone",)"
        R"("message":"there is no time zone 'Mars'"}]})",
        "application/problem+json");
  });
  const Ended ended = box.run({"schedule", "add", "shop", "--cron", "@daily", "--timezone", "Mars"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("'timezone' there is no time zone 'Mars'"));
  EXPECT_EQ(box.run({"schedule", "show", "77"}).code, 1);
}

TEST_F(ScheduleCommands, WrongLinesAreRefusedBeforeTheServerIsAsked) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"schedule", "add"}, "no project given"},
      {{"schedule", "add", "shop"}, "no times given"},
      {{"schedule", "add", "shop", "--cron", ""}, "'--cron' got an empty value"},
      {{"schedule", "add", "shop", "--cron", "@daily", "--var", "x"}, "is no assignment"},
      {{"schedule", "add", "shop", "--cron", "@daily", "--enable", "--disable"}, "exclude each other"},
      {{"schedule", "edit", "3"}, "no change given"},
      {{"schedule", "edit", "3", "--var", "A=b", "--no-vars"}, "exclude each other"},
      {{"schedule", "show"}, "no id given"},
      {{"schedule", "show", "nightly"}, "'nightly' is no id"},
      {{"schedule", "lst"}, "did you mean 'list'?"},
  };
  for (const auto& [words, says] : cases) {
    SCOPED_TRACE(says);
    const Ended ended = box.run(words);
    EXPECT_EQ(ended.code, 2);
    EXPECT_THAT(ended.err, HasSubstr(says));
  }
  EXPECT_TRUE(server.asked().empty());
}

}  // namespace
}  // namespace runner::cli
