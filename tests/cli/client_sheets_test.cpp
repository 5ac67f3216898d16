// `runner deploy plan`, `runner deploy diff` and `runner env diff`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string plan_of(const std::string& rest) {
  return R"({"id":12,"project":"shop","environment":"production","number":5,"kind":"deploy",)"
         R"("state":"waiting_approval","state_since":"2026-01-31T03:00:00.000Z","pipeline":41,"job":"ship",)"
         R"("ref":"main","sha":"3333333344444444","triggered_by":"dora","release":"","reason":"","forced":"",)"
         R"("created_at":"2026-01-31T03:00:00.000Z","finished_at":null,"fingerprint":"f1",)" +
         rest + "}";
}

constexpr const char* kDeploys =
    R"("carried_out_by":"deploy","why":"","script":[],"before":{"known_by":"deployment","deployment":7},)"
    R"("approvals":{"changed_since":true,"of_something_else":["dan"],"void":["dan: of an earlier version"]},)"
    R"("outline":{"target":"ssh","strategy":"canary","balancer":"haproxy","units":["app1","app2"],"slots":true,)"
    R"("first_release":false,"release":{"image":"","artifact":"shop.tar","config":["prod.env"]},)"
    R"("steps":[{"part":"prepare","n":0,"action":"prepare","places":[],"text":"bring the release to app1"},)"
    R"({"part":"migrate","n":1,"action":"migrate","places":[],"text":"migrate on app1","commands":["./up $TOKEN"]}],)"
    R"("rollback":{"when":["health","abort"],"steps":[{"part":"rollback","n":0,"action":"halt","places":[],)"
    R"-("text":"end what runs on app1 (blue)"}],"cannot_undo":["the migration: it stays"]},)-"
    R"("migration":{"compatible":true,"idempotent":false,"list":["./pending"],"run":["./up $TOKEN"],"down":[]}})";
constexpr const char* kScript =
    R"("carried_out_by":"script","why":"","script":["./ship \u001b[2Jnow"],)"
    R"("before":{"known_by":"nothing","deployment":null},)"
    R"("approvals":{"changed_since":false,"of_something_else":[],"void":[]},"outline":null)";
constexpr const char* kGone =
    R"("carried_out_by":"unknown","why":"the plan of its pipeline is not there any more","script":[],)"
    R"("before":{"known_by":"nothing","deployment":null},)"
    R"("approvals":{"changed_since":false,"of_something_else":[],"void":[]},"outline":null)";

constexpr const char* kBase =
    R"({"id":7,"number":4,"environment":"production","state":"succeeded","ref":"main",)"
    R"("sha":"1111111122222222","release":"r1","triggered_by":"kim","created_at":"2026-01-31T02:00:00.000Z",)"
    R"("finished_at":"2026-01-31T02:10:00.000Z"})";
constexpr const char* kCandidate =
    R"({"id":12,"number":5,"environment":"production","state":"waiting_approval","ref":"main",)"
    R"("sha":"3333333344444444","release":"","triggered_by":"","created_at":"2026-01-31T03:00:00.000Z",)"
    R"("finished_at":null})";
constexpr const char* kCommits =
    R"({"known":true,"why":"","new":[{"sha":"33333333aa","author":"Ann","subject":"mend the till",)"
    R"("at":"2026-01-31T03:00:00.000Z"}],"new_total":4,"gone":[{"sha":"99999999bb","author":"Ben",)"
    R"("subject":"a hot fix","at":"2026-01-31T02:00:00.000Z"}],"gone_total":1,"files_changed":2})";

std::string deployment_diff() {
  return std::string(R"({"project":"shop","environment":"production","base":)") + kBase + R"(,"candidate":)" +
         kCandidate + R"(,"commits":)" + kCommits +
         R"(,"block":[{"key":"strategy:max_parallel","change":"changed","before":"1","after":"2"}],)"
         R"("inputs":[{"what":"build: archive","change":"added","before":null,"after":"sha256:bb"}],)"
         R"("variables":[{"key":"TOKEN","environment_scope":"*","version":3,"change":"changed"}]})";
}

struct SheetCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};
};

TEST_F(SheetCommands, PlanTellsTheStepsInOrderAndTheWayBack) {
  server.on("GET /deployments/12/plan", 200, plan_of(kDeploys));
  const Ended ended = box.run({"deploy", "plan", "12"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* text :
       {"12, number 5 there, waiting_approval\n", "'production' of 'shop'\n", "ssh, canary, behind haproxy\n",
        "app1, app2\n", "artifact shop.tar\n", "config prod.env\n", "deployment 7, as that left it\n",
        "YES: dan agreed to something else\n", "dan: of an earlier version\n", "compatible: the old release",
        "./pending\n", "1. bring the release to app1\n", "2. migrate on app1\n", "     ./up $TOKEN\n",
        "by itself after: health, abort\n", "1. end what runs on app1 (blue)\n", "the migration: it stays\n"})
    EXPECT_THAT(ended.out, HasSubstr(text));
  EXPECT_THAT(box.run({"deploy", "plan", "12", "--json"}).out, HasSubstr(R"("carried_out_by":"deploy")"));
}

TEST_F(SheetCommands, PlanOfAScriptHasItsLinesAndOfWhatIsGoneTheReason) {
  server.on("GET /deployments/12/plan", 200, plan_of(kScript));
  const std::string script = box.run({"deploy", "plan", "12"}).out;
  EXPECT_THAT(script, HasSubstr("its job has a script of its own"));
  EXPECT_THAT(script, HasSubstr("./ship ?[2Jnow\n"));
  server.on("GET /deployments/12/plan", 200, plan_of(kGone));
  EXPECT_THAT(box.run({"deploy", "plan", "12"}).out, HasSubstr("is not there any more\n"));
}

TEST_F(SheetCommands, DiffTellsWhatWouldCome) {
  server.on("GET /deployments/12/diff", 200, deployment_diff());
  const Ended ended = box.run({"deploy", "diff", "12"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* text : {"main 11111111, deployment 7 to 'production', succeeded, ", ", started by kim\n",
                           "main 33333333, deployment 12 to 'production', waiting_approval, ",
                           "4 commits, 2 files changed\n", "33333333 Ann: mend the till\n", "... 3 more\n",
                           "99999999 Ben: a hot fix\n", "strategy:max_parallel changed: 1 -> 2\n",
                           "build: archive added: nothing -> sha256:bb\n", "TOKEN (*), version 3: changed\n"})
    EXPECT_THAT(ended.out, HasSubstr(text));
  EXPECT_EQ(box.run({"deploy", "diff", "12", "-q"}).out, "33333333aa\n");
  EXPECT_THAT(box.run({"deploy", "diff", "12", "--json"}).out, HasSubstr(R"("files_changed":2)"));
}

TEST_F(SheetCommands, EnvDiffNamesTheOtherOrThePast) {
  const auto answer = [](const std::string& other, const std::string& has_not) {
    return R"({"project":"shop","environment":"staging/x","other":)" + other + R"(,"has":)" + kCandidate +
           R"(,"has_not":)" + has_not + R"(,"commits":)" + kCommits + R"(,"inputs":[]})";
  };
  server.on("GET /projects/shop/environments/staging%2Fx/diff", 200, answer("\"production\"", kBase));
  const Ended other = box.run({"env", "diff", "shop", "staging/x", "production"});
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(server.asked_what().back(), "GET /projects/shop/environments/staging%2Fx/diff?other=production");
  EXPECT_THAT(other.out, HasSubstr("in production"));
  EXPECT_THAT(other.out, HasSubstr("archives and images:  unchanged\n"));
  EXPECT_THAT(other.out, Not(HasSubstr("variables")));
  server.on("GET /projects/shop/environments/staging%2Fx/diff", 200, answer("null", "null"));
  const Ended past = box.run({"env", "diff", "shop", "staging/x"});
  EXPECT_EQ(server.asked_what().back(), "GET /projects/shop/environments/staging%2Fx/diff");
  EXPECT_THAT(past.out, HasSubstr("ran before"));
  EXPECT_THAT(past.out, HasSubstr("nothing that was deployed from here\n"));
  EXPECT_EQ(box.run({"env", "diff", "shop", "staging/x", "-q"}).out, "33333333aa\n");
}

TEST_F(SheetCommands, WhatIsNotThereOrNotKnownIsSaid) {
  struct Case {
    std::vector<std::string> words;
    int code;
    const char* says;
  };
  server.on("GET /deployments/99/plan", 404,
            R"({"title":"Not Found","status":404,"detail":"there is no deployment 99"})");
  server.on("GET /deployments/13/plan", 200, R"({"id":13})");
  server.on("GET /deployments/13/diff", 200, R"([])");
  const Case cases[] = {
      {{"deploy", "plan", "99"}, 1, "there is no deployment 99"},
      {{"deploy", "plan", "13"}, 3, "carried_out_by"},
      {{"deploy", "diff", "13"}, 3, "diff"},
      {{"deploy", "plan"}, 2, "no id given"},
      {{"deploy", "diff", "x"}, 2, "'x' is no id"},
      {{"env", "diff", "shop"}, 2, "no name of an environment given"},
      {{"env", "diff", "shop", "a", "b", "c"}, 2, "unexpected argument 'c'"},
      {{"env", "diff", "shop", "a", ""}, 2, "the name of the other environment is empty"},
      {{"env", "show", "shop", "a", "b"}, 2, "unexpected argument 'b'"},
  };
  for (const Case& one : cases) {
    const Ended ended = box.run(one.words);
    EXPECT_EQ(ended.code, one.code) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(one.says));
  }
}

TEST_F(SheetCommands, AreCompletedAndHaveHelp) {
  const std::string script = box.run({"completion", "bash"}).out;
  EXPECT_THAT(script, HasSubstr("plan"));
  for (const auto& words : {std::vector<std::string>{"help", "deploy", "plan"},
                            {"help", "deploy", "diff"},
                            {"help", "env", "diff"}}) {
    const Ended help = box.run(words);
    EXPECT_EQ(help.code, 0) << help.err;
    EXPECT_THAT(help.out, HasSubstr("Exit codes: 0 done, 1 there is no such"));
  }
}

}  // namespace
}  // namespace runner::cli
