// How forges are asked, and what their answers mean.
#include "runner/forge/forge_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runner::forge {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using Kind = Verdict::Kind;

const std::string kSha(40, 'c');

ForgePlace place(ForgeKind kind) {
  ForgePlace made;
  made.kind = kind;
  made.api = "https://git.example.com/api";
  made.repository = "team/sh op";
  return made;
}

CommitStatus status() {
  CommitStatus made;
  made.project = 1;
  made.pipeline = 5;
  made.job = 6;
  made.sha = kSha;
  made.ref = "main";
  made.name = "runner / build";
  made.status = pipelines::JobStatus::running;
  made.description = "runs";
  return made;
}

TEST(ForgeApi, AsksGithub) {
  const ForgeRequest request = status_request(place(ForgeKind::github), status(), "T", "https://ci.example/");
  EXPECT_TRUE(request.post);
  EXPECT_EQ(request.url, "https://git.example.com/api/repos/team/sh%20op/statuses/" + kSha);
  EXPECT_THAT(request.fields, Contains("Authorization: Bearer T"));
  EXPECT_EQ(request.body, R"({"context":"runner / build","description":"runs","state":"pending",)"
                          R"("target_url":"https://ci.example/api/v1/jobs/6/log"})");
}

TEST(ForgeApi, AsksGitlab) {
  CommitStatus one = status();
  ForgeRequest request = status_request(place(ForgeKind::gitlab), one, "T", "");
  EXPECT_EQ(request.url, "https://git.example.com/api/projects/team%2Fsh%20op/statuses/" + kSha);
  EXPECT_THAT(request.fields, Contains("Authorization: Bearer T"));
  EXPECT_EQ(request.body, R"({"description":"runs","name":"runner / build","ref":"main","state":"running"})");
  one.ref.clear();
  one.job.reset();
  request = status_request(place(ForgeKind::gitlab), one, "T", "https://ci.example");
  EXPECT_THAT(request.body, Not(HasSubstr("\"ref\"")));
  EXPECT_THAT(request.body, HasSubstr("https://ci.example/api/v1/pipelines/5\""));
}

TEST(ForgeApi, AsksGitea) {
  const ForgeRequest request = status_request(place(ForgeKind::gitea), status(), "T", "");
  EXPECT_EQ(request.url, "https://git.example.com/api/repos/team/sh%20op/statuses/" + kSha);
  EXPECT_THAT(request.fields, Contains("Authorization: token T"));
  EXPECT_EQ(request.body, R"({"context":"runner / build","description":"runs","state":"pending"})");
}

ForgeAnswer answer(long code, std::map<std::string, std::string> fields = {}, std::string body = {}) {
  ForgeAnswer made;
  made.status = code;
  made.fields = std::move(fields);
  made.body = std::move(body);
  return made;
}

TEST(ForgeApi, KnowsWhatMayBeTriedAgain) {
  const TimePoint now(std::chrono::seconds(1'000));
  struct Case {
    ForgeAnswer answer;
    Kind kind;
    bool whole_project;
    int wait;
  };
  ForgeAnswer limited = answer(429);
  limited.retry_after = std::chrono::seconds(30);
  ForgeAnswer secondary = answer(403);
  secondary.retry_after = std::chrono::seconds(60);
  const Case cases[] = {
      {answer(200), Kind::taken, false, 0},
      {answer(201), Kind::taken, false, 0},
      {answer(204), Kind::taken, false, 0},
      {limited, Kind::later, true, 30},
      {secondary, Kind::later, true, 60},
      {answer(429), Kind::later, true, 0},
      {answer(403, {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1090"}}), Kind::later, true, 91},
      {answer(429, {{"ratelimit-reset", "1010"}}), Kind::later, true, 11},
      {answer(429, {{"x-ratelimit-reset", "900"}}), Kind::later, true, 1},
      {answer(429, {{"x-ratelimit-reset", "soon"}}), Kind::later, true, 0},
      {answer(403, {{"x-ratelimit-remaining", "10"}, {"x-ratelimit-reset", "1090"}}), Kind::refused, true, 0},
      {answer(401), Kind::refused, true, 0},
      {answer(404), Kind::refused, false, 0},
      {answer(422), Kind::refused, false, 0},
      {answer(400, {}, "Cannot transition status via :run"), Kind::refused, false, 0},
      {answer(301), Kind::refused, false, 0},
      {answer(408), Kind::later, true, 0},
      {answer(500), Kind::later, true, 0},
      {answer(503), Kind::later, true, 0},
      {answer(0), Kind::later, true, 0},
  };
  for (const Case& one : cases) {
    const Verdict verdict = judge(place(ForgeKind::github), one.answer, "secret", now);
    EXPECT_EQ(static_cast<int>(verdict.kind), static_cast<int>(one.kind)) << one.answer.status << verdict.why;
    EXPECT_EQ(verdict.whole_project, one.whole_project) << one.answer.status;
    EXPECT_EQ(verdict.wait.count(), one.wait) << one.answer.status;
    EXPECT_EQ(verdict.why.empty(), one.kind == Kind::taken) << one.answer.status;
  }
}

TEST(ForgeApi, GitlabHasAStateAlreadyThatItCannotTakeAgain) {
  const auto body = R"({"message":"Cannot transition status via :run from :running"})";
  EXPECT_EQ(judge(place(ForgeKind::gitlab), answer(400, {}, body), "", {}).kind, Kind::taken);
  EXPECT_EQ(judge(place(ForgeKind::gitlab), answer(400, {}, "{}"), "", {}).kind, Kind::refused);
}

TEST(ForgeApi, SaysWhatTheForgeSaidWithoutTheSecret) {
  const auto why = [](long code, const char* body) {
    return judge(place(ForgeKind::github), answer(code, {}, body), "s3cret", {}).why;
  };
  EXPECT_EQ(why(401, R"({"message":"Bad credentials: Bearer s3cret"})"),
            "HTTP 401 (Bad credentials: Bearer ***): the token is not taken; give a new one with "
            "'--forge-token-file'");
  EXPECT_THAT(why(403, "{}"), HasSubstr("repo:status"));
  EXPECT_THAT(why(404, "<html>"), HasSubstr("'team/sh op'"));
  EXPECT_THAT(why(422, R"({"message":{"sha":["is\u001b[2J bad"]}})"), Not(HasSubstr("\x1b")));
  EXPECT_LT(why(500, ("{\"message\":\"" + std::string(9000, 'x') + "\"}").c_str()).size(), 400U);
}

}  // namespace
}  // namespace runner::forge
