#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSite =
    R"({"name":"site","url":"https://git.example.com/site.git","branches":["main","release/*"],"tags":["v*"],)"
    R"("pipeline_file":".gitlab-ci.yml","poll_interval_seconds":30,"paused":false,)"
    R"("merge_requests":true,"priority":-7,"statuses":{"forge":"gitea","api":"u","repository":"me/site","waiting":2,)"
    R"("delivered_at":null,"failed_at":"2026-01-31T16:47:55.123Z","failure":"HTTP 401"},)"
    R"("created_at":"2026-01-31T16:47:55.123Z","credentials":[{"kind":"token","username":"ci","created_at":null}]})";

std::string list_of(const std::string& items, const std::string& next = "null") {
  return R"({"items":[)" + items + R"(],"next":)" + next + "}";
}

struct ProjectCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};
};

TEST_F(ProjectCommands, ListIsATable) {
  server.on("GET /projects", 200,
            list_of(std::string(kSite) + R"(,{"name":"docs","url":"u","poll_interval_seconds":0},)"
                                         R"({"name":"old","url":"u","paused":true})"));
  const Ended ended = box.run({"project", "list"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out,
            "NAME  URL                               BRANCHES        TAGS  LOOKED AT\n"
            "site  https://git.example.com/site.git  main release/*  v*    every 30.0 s\n"
            "docs  u                                                       by webhooks only\n"
            "old   u                                                       paused\n");
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(box.run({"project", "list", "-q"}).out, "site\ndocs\nold\n");
}

TEST_F(ProjectCommands, ListTakesAllPages) {
  server.on("GET /projects", [](const http::Request& request) {
    const bool first = request.query_value("cursor") == nullptr;
    return http::text_response(
        200, first ? list_of(R"({"name":"a"})", R"("x&y")") : list_of(R"({"name":"b"})"), "application/json");
  });
  EXPECT_EQ(box.run({"project", "list", "-q"}).out, "a\nb\n");
  EXPECT_THAT(server.asked_what(),
              ElementsAre("GET /projects?limit=100", "GET /projects?cursor=x&y&limit=100"));
  EXPECT_EQ(box.run({"project", "list", "--json"}).out, "[{\"name\":\"a\"},{\"name\":\"b\"}]\n");
}

TEST_F(ProjectCommands, AListThatIsEmptySaysWhatToDo) {
  server.on("GET /projects", 200, list_of(""));
  const Ended ended = box.run({"project", "list"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err, "runner: there are no projects; 'runner project add' makes one\n");
}

TEST_F(ProjectCommands, ShowTellsAll) {
  server.on("GET /projects/my%20site", 200, kSite);
  const Ended ended = box.run({"project", "show", "my site"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("branches:         main\n                  release/*\n"));
  EXPECT_THAT(ended.out, HasSubstr("credentials:      token of ci\n"));
  EXPECT_THAT(ended.out, HasSubstr("(2026-01-31T16:47:55Z)\n"));
  EXPECT_THAT(ended.out, HasSubstr("priority:         -7\n"));
  EXPECT_THAT(ended.out, HasSubstr("merge requests:   watched\n"));
  EXPECT_THAT(ended.out, HasSubstr("commit statuses:  gitea, me/site; 2 wait\n"));
  EXPECT_THAT(ended.out, HasSubstr("(2026-01-31T16:47:55Z): HTTP 401\n"));
  const std::string json = box.run({"project", "show", "my site", "--json"}).out;
  EXPECT_THAT(json, HasSubstr(R"("pipeline_file":".gitlab-ci.yml")"));
  EXPECT_THAT(json, HasSubstr(R"("priority":-7)"));
}

TEST_F(ProjectCommands, ShowTellsHowTheLastLookWent) {
  const struct {
    const char* look;
    const char* text;
  } cases[] = {
      {"null", "last look:        not yet since the server was started\n"},
      {R"({"ok":true,"at":"2026-01-31T16:47:55.123Z","ok_at":"2026-01-31T16:47:55.123Z","why":""})",
       "last look:        went well, "},
      {R"({"ok":false,"at":"2026-01-31T16:47:55.123Z","ok_at":null,"why":"401;\u001b[2J check the token"})",
       "(2026-01-31T16:47:55Z): 401;"},
  };
  for (const auto& c : cases) {
    server.on("GET /projects/site", 200,
              std::string(kSite).substr(0, std::string(kSite).size() - 1) + ",\"last_look\":" + c.look + "}");
    const Ended ended = box.run({"project", "show", "site"});
    EXPECT_THAT(ended.out, HasSubstr(c.text)) << c.look;
    EXPECT_THAT(ended.out, Not(HasSubstr("\x1b[2J"))) << c.look;
  }
}

TEST_F(ProjectCommands, AddSendsWhatWasSaid) {
  server.on("POST /projects", 201, kSite);
  box.write("token", "glpat-1\n");
  box.write("hook", "s3cret\r\n");
  const Ended ended = box.run({"project",
                               "add",
                               "site",
                               "https://git.example.com/site.git",
                               "--branch",
                               "main",
                               "--branch",
                               "release/*",
                               "--tag",
                               "v*",
                               "--file",
                               "ci.yml",
                               "--poll",
                               "5m",
                               "--username",
                               "ci",
                               "--token-file",
                               "token",
                               "--webhook-secret-file",
                               "hook"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "added project 'site'\n");
  EXPECT_EQ(server.last_body(),
            R"({"name":"site","url":"https://git.example.com/site.git","branches":["main","release/*"],)"
            R"("tags":["v*"],"pipeline_file":"ci.yml","poll_interval_seconds":300,"username":"ci",)"
            R"("token":"glpat-1","webhook_secret":"s3cret"})");
}

TEST_F(ProjectCommands, SecretsComeFromStandardInputToo) {
  server.on("POST /projects", 201, kSite);
  const Ended ended =
      box.run_bash("printf 'glpat-2\\n' | runner project add site u --token-file - --poll never");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(server.last_body(), R"({"name":"site","url":"u","poll_interval_seconds":0,"token":"glpat-2"})");
}

TEST_F(ProjectCommands, AKeyKeepsItsLines) {
  server.on("PATCH /projects/site", 200, kSite);
  box.write("key", "-----BEGIN-----\nabc\n-----END-----\n\n");
  const Ended ended = box.run({"project", "set", "site", "--ssh-key-file", "key", "--pause"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(server.last_body(), R"({"paused":true,"ssh_key":"-----BEGIN-----\nabc\n-----END-----\n"})");
  EXPECT_EQ(ended.out, "changed project 'site'\n");
}

TEST_F(ProjectCommands, SetSaysWhichForgeIsTold) {
  server.on("PATCH /projects/site", 200, kSite);
  box.write("token", "f0rge\n");
  EXPECT_EQ(
      box.run({"project", "set", "site", "--forge", "gitlab", "--forge-api", "https://h/api/v4",
               "--forge-repository", "me/site", "--forge-token-file", "token", "--merge-requests", "on"})
          .code,
      0);
  EXPECT_EQ(server.last_body(),
            R"({"forge":"gitlab","forge_api":"https://h/api/v4","forge_repository":"me/site",)"
            R"("merge_requests":true,"forge_token":"f0rge"})");
  EXPECT_EQ(
      box.run({"project", "set", "site", "--forge", "auto", "--no-forge-token", "--merge-requests", "off"})
          .code,
      0);
  EXPECT_EQ(server.last_body(), R"({"forge":null,"merge_requests":false,"forge_token":null})");
  EXPECT_EQ(box.run({"project", "set", "site", "--forge", "bitbucket"}).code, 2);
  EXPECT_EQ(box.run({"project", "set", "site", "--merge-requests", "yes"}).code, 2);
  EXPECT_EQ(box.run({"project", "set", "site", "--no-forge-token", "--forge-token-file", "token"}).code, 2);
}

TEST_F(ProjectCommands, APriorityMayBeBelowZero) {
  server.on("PATCH /projects/site", 200, kSite);
  server.on("POST /projects", 201, kSite);
  EXPECT_EQ(box.run({"project", "set", "site", "--priority", "-100"}).code, 0);
  EXPECT_EQ(server.last_body(), R"({"priority":-100})");
  EXPECT_EQ(box.run({"project", "add", "site", "u", "--priority=0"}).code, 0);
  EXPECT_EQ(server.last_body(), R"({"name":"site","url":"u","priority":0})");
}

TEST_F(ProjectCommands, TestSaysThatStatusesAreNotTaken) {
  server.on("POST /projects/site/test", 200,
            R"({"ok":true,"branches":1,"tags":0,"milliseconds":3,"statuses":{"forge":"github",)"
            R"("failure":"HTTP 401: the token is not taken"}})");
  const Ended ended = box.run({"project", "test", "site"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "runner: commit statuses are not taken: HTTP 401: the token is not taken\n");
}

TEST_F(ProjectCommands, SetRemovesCredentials) {
  server.on("PATCH /projects/site", 200, kSite);
  EXPECT_EQ(box.run({"project", "set", "site", "--no-credential", "--no-webhook-secret", "--resume"}).code,
            0);
  EXPECT_EQ(server.last_body(), R"({"paused":false,"token":null,"ssh_key":null,"webhook_secret":null})");
}

TEST_F(ProjectCommands, FilesThatHoldNoSecretAreRefused) {
  box.write("empty", " \n");
  box.write("long", std::string(70'000, 'x'));
  box.write("two", "a\nb\n");
  const std::vector<std::pair<std::string, std::string>> cases{
      {"nowhere", "there is no file 'nowhere'"},
      {"empty", "'empty' holds no secret: it is empty"},
      {"long", "'long'"},
      {"two", "'two' holds more than a line; a token or a secret is one"}};
  for (const auto& [file, says] : cases) {
    const Ended ended = box.run({"project", "add", "site", "u", "--token-file", file});
    EXPECT_EQ(ended.code, 2) << file;
    EXPECT_THAT(ended.err, HasSubstr(says));
  }
  EXPECT_TRUE(server.asked().empty());
}

TEST_F(ProjectCommands, RemoveTells) {
  server.on("DELETE /projects/site", 204, "");
  EXPECT_EQ(box.run({"project", "remove", "site"}).out, "removed project 'site'\n");
  EXPECT_EQ(box.run({"project", "remove", "site", "--json"}).out, "{\"removed\":\"site\"}\n");
  server.on("DELETE /projects/site", 409,
            R"({"title":"Conflict","detail":"pipeline 7 of 'site' is not finished"})");
  const Ended ended = box.run({"project", "remove", "site"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "runner: error: pipeline 7 of 'site' is not finished\n");
}

TEST_F(ProjectCommands, TestSaysWhyARepositoryCannotBeReached) {
  server.on("POST /projects/site/test", 200,
            R"({"ok":true,"why":"","branches":1,"tags":12,"milliseconds":85})");
  Ended ended = box.run({"project", "test", "site"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "reached in 85 ms: 1 branch, 12 tags\n");
  server.on("POST /projects/site/test", 200, R"({"ok":false,"why":"401 of git.example.com\u001b[2J"})");
  ended = box.run({"project", "test", "site"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("cannot reach the repository of 'site': 401 of git.example.com?[2J\n"));
  EXPECT_EQ(box.run({"project", "test", "site", "--json"}).code, 1);
}

struct Refusal {
  int status;
  std::string body;
  int code;
  std::string says;
};

TEST_F(ProjectCommands, ProblemsBecomeErrorsAndExitCodes) {
  const std::vector<Refusal> cases{
      {400, R"({"detail":"no"})", 2, "runner: error: no\n"},
      {401, R"({"title":"Unauthorized"})", 3, "runner: error: Unauthorized\n  help: ask as root"},
      {403, R"({"detail":"not yours"})", 3,
       "runner: error: not yours\n  help: this takes a right that you do not have"},
      {404, R"({"detail":"there is no project 'site'"})", 1, "runner: error: there is no project 'site'\n"},
      {422,
       R"({"detail":"2 fields are wrong","errors":[{"field":"name","message":"has a blank"},{"field":"url","message":"is none"}]})",
       2, "runner: error: 2 fields are wrong: 'name' has a blank, 'url' is none\n"},
      {429, R"({"detail":"too many requests"})", 3,
       "runner: error: too many requests\n  help: try again later\n"},
      {503, R"({"detail":"the server stops"})", 3,
       "runner: error: the server stops\n  help: try again in a moment\n"},
      {500, "<html>\x1b[31mboom", 3, "answered with status 500\n"},
      {404, R"({"detail":"\u001b]0;evil\u0007\n","errors":5})", 1, "runner: error: ?]0;evil??\n"},
      {302, "", 3, "sends us elsewhere"},
  };
  for (const Refusal& one : cases) {
    server.on("GET /projects/site", one.status, one.body);
    const Ended ended = box.run({"project", "show", "site"});
    EXPECT_EQ(ended.code, one.code) << one.status;
    EXPECT_THAT(ended.err, HasSubstr(one.says)) << one.status;
    EXPECT_EQ(ended.out, "") << one.status;
    EXPECT_EQ(ended.err.find('\x1b'), std::string::npos);
  }
}

TEST_F(ProjectCommands, TokensGoToServersNamedByUrlOnly) {
  server.on("GET /projects", 200, list_of(""));
  box.environment = {"RUNNER_TOKEN=rnr_abc"};
  EXPECT_EQ(box.run({"project", "list"}).code, 0);
  EXPECT_EQ(server.asked().back().token, "");
  EXPECT_EQ(box.run({"project", "list", "--server", server.url() + "/"}).code, 0);
  EXPECT_EQ(server.asked().back().token, "Bearer rnr_abc");
  box.environment.push_back("RUNNER_URL=" + server.url());
  EXPECT_EQ(box.run({"project", "list"}).code, 0);
  EXPECT_EQ(server.asked().back().token, "Bearer rnr_abc");
  EXPECT_EQ(box.run({"project", "list", "--data", box.data()}).code, 0);
  EXPECT_EQ(server.asked().back().token, "");
}

TEST_F(ProjectCommands, RedirectsAreNotFollowed) {
  Sandboxed other("", false);
  FakeServer elsewhere(other.data());
  // Asked for here: `elsewhere` ends before `server` does, and its threads with it.
  const std::string location = elsewhere.url() + "/api/v1/projects";
  server.on("GET /projects", [location](const http::Request&) {
    http::Response response = http::text_response(302, "");
    response.headers.set("Location", location);
    return response;
  });
  box.environment = {"RUNNER_TOKEN=rnr_abc", "RUNNER_URL=" + server.url()};
  const Ended ended = box.run({"project", "list"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr(elsewhere.url()));
  EXPECT_TRUE(elsewhere.asked().empty());
}

TEST_F(ProjectCommands, WordsThatNameNoServerAreRefused) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"ci.example.com", "'ci.example.com' is no URL of a server"},
      {"ftp://ci.example.com", "is no URL of a server"},
      {"http://", "is no URL of a server"},
      {"http://a b", "is no URL of a server"},
      {"http://x/?token=1", "is no URL of a server"},
      {"http://me:secret@ci.example.com", "put a token into RUNNER_TOKEN instead"}};
  for (const auto& [url, says] : cases) {
    const Ended ended = box.run({"project", "list", "--server", url});
    EXPECT_EQ(ended.code, 2) << url;
    EXPECT_THAT(ended.err, HasSubstr(says));
    EXPECT_THAT(ended.err, Not(HasSubstr("secret")));
  }
  box.environment = {"RUNNER_TOKEN=a\nX-Evil: 1"};
  EXPECT_EQ(box.run({"project", "list", "--server", server.url()}).code, 2);
  EXPECT_TRUE(server.asked().empty());
}

TEST(ProjectCommandsAlone, SayThatThereIsNoServer) {
  Sandboxed box("", false);
  Ended ended = box.run({"project", "list"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.err, "runner: error: no server answers at '" + (box.data() / "runner.sock").string() +
                           "': start it with `runner serve`, or name one with --server\n");
  ended = box.run({"project", "list", "--data", std::string(120, 'x')});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("is too long for a socket"));
}

}  // namespace
}  // namespace runner::cli
