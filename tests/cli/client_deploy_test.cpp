// `runner env`, `runner deploy`, `runner approve` and `runner reject`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kProduction =
    R"({"project":"shop","name":"production","protection":{"queue":"fifo",)"
    R"("freeze":[{"from":"Fri 16:00","to":"Mon 07:00"}]},"version":3,)"
    R"("current":{"id":7,"number":4,"ref":"main","sha":"1111111122222222","release":"r1",)"
    R"("triggered_by":"kim","since":"2026-01-31T02:00:00.250Z"},"holder":null,"waiting":1,)"
    R"("created_at":"2026-01-01T00:00:00.000Z"})";
constexpr const char* kReview =
    R"({"project":"shop","name":"review/x","protection":{},"version":0,"current":null,"holder":9,"waiting":0,)"
    R"("created_at":"2026-01-01T00:00:00.000Z"})";
constexpr const char* kWaiting =
    R"({"id":12,"project":"shop","environment":"production","number":5,"kind":"job",)"
    R"("state":"waiting_approval","state_since":"2026-01-31T03:00:00.000Z","pipeline":41,"job":"ship",)"
    R"("ref":"main","sha":"3333333344444444","triggered_by":"dora","release":"r2",)"
    R"-("reason":"waits for 1 approval of 'ops' (user:eli)","forced":"",)-"
    R"("created_at":"2026-01-31T03:00:00.000Z","finished_at":null,"expires_at":"2026-02-01T03:00:00.000Z",)"
    R"("opens_at":null,"frozen_until":"2026-02-02T07:00:00.000Z","base":7,"fingerprint":"f1",)"
    R"("current":{"id":7,"number":4,"ref":"main","sha":"1111111122222222","release":"r1",)"
    R"("triggered_by":"kim","since":"2026-01-31T02:00:00.250Z"},"approvals":{"rules":[)"
    R"({"name":"peers","wanted":1,"approved_by":["dan"],"who":["role:developer"],"met":true},)"
    R"({"name":"ops","wanted":2,"approved_by":[],"who":["user:eli","role:admin"],"met":false}],)"
    R"("void":["kim: too long ago"],"decisions":[{"person":"dan","decision":"approve","comment":"fine",)"
    R"("at":"2026-01-31T03:05:00.000Z","method":"token"}]},"plan":{"hosts":2},)"
    R"("elsewhere":[{"id":11,"environment":"staging","state":"succeeded",)"
    R"("state_since":"2026-01-31T02:00:00.000Z","release":"r2","current":true,"same_inputs":true},)"
    R"({"id":10,"environment":"demo","state":"failed","state_since":"2026-01-31T02:00:00.000Z",)"
    R"("release":"r2","current":false,"same_inputs":false}],"inputs":[{"job":"package",)"
    R"("archive":"sha256:abcd","bytes":2048,"images":["r.example/shop@sha256:ef"]}]})";

std::string list_of(const std::string& items) {
  return R"({"items":[)" + items + R"(],"next":null})";
}

struct DeployCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};
};

TEST_F(DeployCommands, ListShowsWhatRunsAndWhatWaits) {
  server.on("GET /projects/shop/environments", 200, list_of(std::string(kProduction) + "," + kReview));
  const Ended ended = box.run({"env", "list", "shop"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("NAME        PROTECTED  RUNS NOW"));
  EXPECT_THAT(ended.out, HasSubstr("production  yes        main 11111111"));
  EXPECT_THAT(ended.out, HasSubstr("review/x    no "));
  EXPECT_EQ(box.run({"env", "list", "shop", "-q"}).out, "production\nreview/x\n");
  EXPECT_THAT(box.run({"env", "list", "shop", "--json"}).out, HasSubstr(R"("waiting":1)"));
  server.on("GET /projects/shop/environments", 200, list_of(""));
  EXPECT_THAT(box.run({"env", "list", "shop"}).err, HasSubstr("'runner env set' makes one"));
}

TEST_F(DeployCommands, ShowTellsTheProtection) {
  server.on("GET /projects/shop/environments/production", 200, kProduction);
  server.on("GET /projects/shop/environments/review%2Fx", 200, kReview);
  const Ended ended = box.run({"env", "show", "shop", "production"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* text : {"'production' of 'shop'\n", "main 11111111, deployment 7, since ", "nothing\n",
                           "\"from\": \"Fri 16:00\"", "\"queue\": \"fifo\""})
    EXPECT_THAT(ended.out, HasSubstr(text));
  const std::string review = box.run({"env", "show", "shop", "review/x"}).out;
  EXPECT_THAT(review, HasSubstr("deployment 9\n"));
  EXPECT_THAT(review, HasSubstr("none\n"));
}

TEST_F(DeployCommands, SetSendsTheFileAsItIs) {
  server.on("PUT /projects/shop/environments/production", 200, kProduction);
  box.write("p.json", "{\"queue\":\n \"fifo\"}");
  const Ended ended =
      box.run({"env", "set", "shop", "production", "--protection", "p.json", "--version", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "set the protection of 'production' of 'shop', version 3\n");
  EXPECT_EQ(server.last_body(), "{\"protection\":{\"queue\":\n \"fifo\"},\"version\":2}");
  EXPECT_EQ(box.run_bash("echo '{}' | runner env set shop production --protection -").code, 0);
  EXPECT_EQ(server.last_body(), "{\"protection\":{}\n}");
}

TEST_F(DeployCommands, WhatIsNoProtectionIsNotSent) {
  const std::pair<const char*, const char*> cases[] = {
      {"{\"a\":", "is no JSON from byte"},
      {"[1]", "is no JSON object"},
      {"", "is no JSON"},
      {"{}, \"version\": {}", "is no JSON"},
  };
  for (const auto& [text, says] : cases) {
    SCOPED_TRACE(text);
    box.write("p.json", text);
    const Ended ended = box.run({"env", "set", "shop", "production", "--protection", "p.json"});
    EXPECT_EQ(ended.code, 2);
    EXPECT_THAT(ended.err, HasSubstr(says));
  }
  EXPECT_THAT(box.run({"env", "set", "shop", "production", "--protection", "none.json"}).err,
              HasSubstr("there is no file 'none.json'"));
  EXPECT_TRUE(server.asked().empty());
}

TEST_F(DeployCommands, AFreezeIsAddedToWhatIsThere) {
  server.on("GET /projects/shop/environments/production", 200, kProduction);
  server.on("PUT /projects/shop/environments/production", 200, kProduction);
  const Ended ended = box.run({"env", "freeze", "shop", "production", "--from", "2026-12-23 18:00", "--to",
                               "2027-01-04 07:00", "--zone", "Europe/Zurich"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out,
            "added a freeze from '2026-12-23 18:00' to '2027-01-04 07:00' (Europe/Zurich) of 'production' of "
            "'shop', version 3\n");
  EXPECT_EQ(server.last_body(),
            R"({"protection":{"freeze":[{"from":"Fri 16:00","to":"Mon 07:00"},)"
            R"({"from":"2026-12-23 18:00","to":"2027-01-04 07:00","tz":"Europe/Zurich"}],"queue":"fifo"},)"
            R"("version":3})");
  EXPECT_EQ(box.run({"env", "freeze", "shop", "production", "--clear"}).code, 0);
  EXPECT_EQ(server.last_body(), R"({"protection":{"queue":"fifo"},"version":3})");
  server.on("PUT /projects/shop/environments/production", 409,
            R"({"title":"Conflict","status":409,"detail":"its version is 4; look at it again"})");
  const Ended late = box.run({"env", "freeze", "shop", "production", "--clear"});
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err, HasSubstr("its version is 4"));
}

TEST_F(DeployCommands, WaitingOnesAndHistoryAreLists) {
  server.on("GET /projects/shop/environments/review%2Fx/deployments", 200, list_of(kWaiting));
  const Ended waiting = box.run({"deploy", "list", "shop", "review/x"});
  EXPECT_EQ(waiting.code, 0) << waiting.err;
  EXPECT_THAT(waiting.out, HasSubstr("12   5  job   waiting_approval  main 33333333  dora"));
  EXPECT_EQ(server.asked_what().back(),
            "GET /projects/shop/environments/review%2Fx/deployments?limit=100&state=waiting");
  EXPECT_EQ(box.run({"env", "history", "shop", "review/x", "-q"}).out, "12\n");
  EXPECT_EQ(server.asked_what().back(), "GET /projects/shop/environments/review%2Fx/deployments?limit=100");
  server.on("GET /projects/shop/environments/review%2Fx/deployments", 200, list_of(""));
  EXPECT_THAT(box.run({"deploy", "list", "shop", "review/x"}).err, HasSubstr("nothing waits there"));
  EXPECT_EQ(box.run({"deploy", "list", "shop", "review/x", "--json"}).out, "[]\n");
}

TEST_F(DeployCommands, StatusTellsWhatAnApproverNeeds) {
  server.on("GET /deployments/12", 200, kWaiting);
  const Ended ended = box.run({"deploy", "status", "12"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* text : {"12, number 5 there\n",
                           "'production' of 'shop'\n",
                           "waiting_approval, since ",
                           "main 11111111, deployment 7, since ",
                           "main 33333333\n",
                           "3333333344444444\n",
                           "dora\n",
                           "41\n",
                           "ship\n",
                           "peers: 1 of 1, by dan\n",
                           "ops: 0 of 2, missing out of user:eli, role:admin\n",
                           "kim: too long ago\n",
                           "staging: succeeded ",
                           ", the same archives and images, and runs there now\n",
                           ", OTHER archives or images of this commit\n",
                           "package: archive sha256:abcd, 2.0 KiB\n",
                           "package: image r.example/shop@sha256:ef\n",
                           "dan approve, ",
                           ", by token: fine\n",
                           "2026-02-02T07:00:00Z\n",
                           "2026-02-01T03:00:00Z\n",
                           "\"hosts\": 2\n",
                           "f1\n"})
    EXPECT_THAT(ended.out, HasSubstr(text));
  EXPECT_THAT(ended.out, Not(HasSubstr("opens")));
  EXPECT_THAT(box.run({"deploy", "status", "12", "--json"}).out, HasSubstr(R"("fingerprint":"f1")"));
}

std::string deployment_in(const std::string& state, const std::string& more = {}) {
  return R"({"id":12,"project":"shop","environment":"production","state":")" + state + "\"" + more + "}";
}

TEST_F(DeployCommands, RollbackAndUnlockAreOfAnEnvironment) {
  server.on("POST /projects/shop/environments/review%2Fx/rollback", 201, deployment_in("planned"));
  const Ended back = box.run({"deploy", "rollback", "shop", "review/x"});
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(back.out, "began a rollback, deployment 12 of 'shop' to 'production'\n");
  EXPECT_EQ(server.last_body(), "{}");
  box.run({"deploy", "rollback", "shop", "review/x", "--to", "4"});
  EXPECT_EQ(server.last_body(), R"({"to":4})");
  server.on("POST /projects/shop/environments/production/unlock", 200, deployment_in("resolved"));
  const Ended unlocked = box.run({"deploy", "unlock", "shop", "production", "--reason", "it burned"});
  EXPECT_EQ(unlocked.out, "took the environment away from deployment 12 of 'shop' to 'production'\n");
  EXPECT_EQ(server.last_body(), R"({"reason":"it burned"})");
}

TEST_F(DeployCommands, WatchEndsWithWhatBecameOfIt) {
  const std::pair<const char*, int> cases[] = {{"succeeded", 0},   {"failed", 1},          {"canceled", 1},
                                               {"rolled_back", 3}, {"rollback_failed", 4}, {"resolved", 4},
                                               {"rejected", 5},    {"expired", 5},         {"superseded", 6},
                                               {"paused", 8},      {"waiting_approval", 8}};
  for (const auto& [state, code] : cases) {
    server.on("GET /deployments/12", 200, deployment_in(state));
    const Ended ended = box.run({"deploy", "watch", "12"});
    EXPECT_EQ(ended.code, code) << state;
    EXPECT_EQ(ended.out, std::string(state) + "\n");
  }
  server.on("GET /deployments/12", 404, R"({"title":"Not Found","status":404,"detail":"no deployment 12"})");
  EXPECT_EQ(box.run({"deploy", "watch", "12"}).code, 2);
  server.on("GET /deployments/12", 403, R"({"title":"Forbidden","status":403,"detail":"no"})");
  EXPECT_EQ(box.run({"deploy", "watch", "12"}).code, 9);
  EXPECT_EQ(box.run({"deploy", "watch", "12", "--server", "http://127.0.0.1:1"}).code, 10);
}

TEST_F(DeployCommands, WatchTellsEachStepOnce) {
  const std::string step =
      R"(,"steps":[{"part":"forward","n":0,"unit":"app1","slot":"blue","action":"place","result":")";
  const std::string hold =
      R"(},{"part":"forward","n":1,"unit":"*","slot":"single","action":"hold","result":""}])";
  server.on_each("GET /deployments/12", {deployment_in("queued"), deployment_in("progressing", step + "\"}]"),
                                         deployment_in("progressing", step + "\"}]"),
                                         deployment_in("progressing", step + "done\"" + hold),
                                         deployment_in("succeeded", step + "done\"" + hold)});
  server.on("POST /deployments/12/start", 200, deployment_in("queued"));
  const Ended ended = box.run({"deploy", "start", "12", "--wait"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out,
            "started deployment 12 of 'shop' to 'production'\n"
            "queued\n"
            "progressing\n"
            "  forward: place app1 (blue) ...\n"
            "  forward: place app1 (blue), done\n"
            "  forward: hold ...\n"
            "succeeded\n");
}

TEST_F(DeployCommands, WhatPeopleSayGoesToTheServer) {
  struct Case {
    std::vector<std::string> words;
    const char *asked, *body, *out;
  };
  const Case cases[] = {
      {{"approve", "12"},
       "approve",
       "{}",
       "approved deployment 12 of 'shop' to 'production', missing: 2 more of 'ops' (user:eli, role:admin)\n"},
      {{"approve", "12", "--comment", "go"},
       "approve",
       R"({"comment":"go"})",
       "approved deployment 12 of 'shop' to 'production', missing: 2 more of 'ops' (user:eli, role:admin)\n"},
      {{"reject", "12", "--comment", "no"},
       "reject",
       R"({"comment":"no"})",
       "rejected deployment 12 of 'shop' to 'production'\n"},
      {{"deploy", "start", "12"}, "start", "", "started deployment 12 of 'shop' to 'production'\n"},
      {{"deploy", "cancel", "12"}, "cancel", "", "canceled deployment 12 of 'shop' to 'production'\n"},
      {{"deploy", "break-glass", "12", "--reason", "down"},
       "break-glass",
       R"({"reason":"down"})",
       "passed over the protection for deployment 12 of 'shop' to 'production'\n"},
      {{"deploy", "pause", "12"},
       "pause",
       "",
       "asked for a pause of deployment 12 of 'shop' to 'production'\n"},
      {{"deploy", "resume", "12"}, "resume", "", "let go on deployment 12 of 'shop' to 'production'\n"},
      {{"deploy", "promote", "12"}, "promote", "", "promoted deployment 12 of 'shop' to 'production'\n"},
      {{"deploy", "abort", "12"},
       "abort",
       "",
       "asked for the end of deployment 12 of 'shop' to 'production'\n"},
      {{"deploy", "resolve", "12", "--comment", "done"},
       "resolve",
       R"({"comment":"done"})",
       "resolved deployment 12 of 'shop' to 'production'\n"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.asked);
    const std::string what = std::string("POST /deployments/12/") + each.asked;
    server.on(what, 200, kWaiting);
    const Ended ended = box.run(each.words);
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ended.out, each.out);
    EXPECT_EQ(server.asked_what().back(), what);
    EXPECT_EQ(server.last_body(), each.body);
  }
}

TEST_F(DeployCommands, RefusalsAreTold) {
  server.on(
      "POST /deployments/12/approve", 403,
      R"({"title":"Forbidden","status":403,"detail":"whoever started a deployment does not approve it"})");
  Ended ended = box.run({"approve", "12"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("whoever started a deployment does not approve it"));
  EXPECT_THAT(ended.err, HasSubstr("'runner deploy status 12' tells who is asked"));
  server.on("POST /deployments/12/approve", 409,
            R"({"title":"Conflict","status":409,"detail":"deployment 12 is rejected"})");
  ended = box.run({"approve", "12"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, HasSubstr("deployment 12 is rejected"));
  EXPECT_EQ(box.run({"deploy", "status", "77"}).code, 1);
}

TEST_F(DeployCommands, AnAnswerDoesNotSpeakToTheTerminal) {
  server.on(
      "GET /deployments/12", 200,
      R"({"id":12,"state":"queued","ref":"a\u001b[2Jb","reason":"x\u009by","plan":{"a\u001b":1},)"
      R"("approvals":{"rules":[{"name":"r\u001b","wanted":1,"who":["user:\u001b"]}],"void":["\u001b"]}})");
  const Ended ended = box.run({"deploy", "status", "12"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(ended.out, Not(HasSubstr("\xc2\x9b")));
  server.on("GET /deployments/12", 200, R"({"id":12,"state":"queued","approvals":[]})");
  EXPECT_EQ(box.run({"deploy", "status", "12"}).code, 3);
}

TEST_F(DeployCommands, WrongLinesAreRefusedBeforeTheServerIsAsked) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"env", "list"}, "no project given"},
      {{"env", "list", "shop", "x"}, "unexpected argument 'x'"},
      {{"env", "show", "shop"}, "no name of an environment given"},
      {{"env", "show", "shop", "a", "b"}, "unexpected argument 'b'"},
      {{"env", "set", "shop", "a"}, "no protection given"},
      {{"env", "set", "shop", "a", "--protection", "-", "--version", "x"}, "'--version x' is no version"},
      {{"env", "freeze", "shop", "a"}, "no '--from' given"},
      {{"env", "freeze", "shop", "a", "--from", "Fri 16:00"}, "no '--to' given"},
      {{"env", "freeze", "shop", "a", "--clear", "--zone", "UTC"}, "exclude each other"},
      {{"env", "lst"}, "did you mean 'list'?"},
      {{"deploy", "list", "shop"}, "no name of an environment given"},
      {{"deploy", "status"}, "no id given"},
      {{"deploy", "status", "production"}, "'production' is no id"},
      {{"deploy", "break-glass", "12"}, "no reason given"},
      {{"deploy", "break-glass", "12", "--reason", " "}, "no reason given"},
      {{"deploy", "resolve", "12"}, "no comment given"},
      {{"deploy", "unlock", "shop", "x"}, "no reason given"},
      {{"deploy", "rollback", "shop"}, "no name of an environment given"},
      {{"deploy", "rollback", "shop", "x", "--to", "y"}, "'--to y' is no number of a deployment"},
      {{"deploy", "watch"}, "no id given"},
      {{"approve"}, "no id given"},
      {{"approve", "1", "2"}, "unexpected argument '2'"},
      {{"reject", "x"}, "'x' is no id"},
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
