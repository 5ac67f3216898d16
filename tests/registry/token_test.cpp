// Logins by tokens, against a registry whose token server is told what to give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "registry/challenge.h"
#include "runner/base/base64.h"
#include "tests/registry/client_fixture.h"
#include "tests/support/scripted_server.h"

namespace runner::registry {
namespace {

using namespace std::chrono_literals;
using test::scripted_answer;
using test::ScriptedReply;
using test::ScriptedRequest;
using test::ScriptedServer;
using ::testing::AllOf;
using testing::descriptor_of;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using testing::StillClient;

TEST(Challenge, IsReadFromAllFields) {
  const struct {
    std::vector<std::string> fields;
    std::string scheme, realm, service;
  } cases[] = {
      {{R"(Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push")"},
       "bearer",
       "https://auth.example/token",
       "reg"},
      {{R"(bearer   REALM = "r" , Service=plain)"}, "bearer", "r", "plain"},
      {{R"(Basic realm="x", Bearer realm="y",service="s")"}, "bearer", "y", "s"},
      {{R"(Basic realm="x")", R"(Bearer realm="y")"}, "bearer", "y", ""},
      {{R"(Basic realm="a \"quoted\" one")"}, "basic", "a \"quoted\" one", ""},
      {{"Basic"}, "basic", "", ""},
      {{"Bearer, Basic"}, "basic", "", ""},
      {{R"(Negotiate, Basic realm="x)"}, "basic", "", ""},
      {{R"(=x, realm="r", Basic)"}, "", "", ""},
      {{"Negotiate"}, "", "", ""},
      {{""}, "", "", ""},
      {{}, "", "", ""},
  };
  for (const auto& c : cases) {
    const Challenge found = choose_challenge(c.fields).value_or(Challenge{});
    EXPECT_EQ(found.scheme, c.scheme) << (c.fields.empty() ? "" : c.fields[0]);
    EXPECT_EQ(found.parameter("realm"), c.realm);
    EXPECT_EQ(found.parameter("service"), c.service);
  }
}

TEST(Token, IsReadFromWhatServersAnswer) {
  const auto token = [](const std::string& text) { return parse_token(text).value_or(TokenAnswer{}).token; };
  EXPECT_EQ(token(R"({"token":"a"})"), "a");
  EXPECT_EQ(token(R"({"access_token":"b"})"), "b");
  for (const char* text : {"", "[]", "{}", R"({"token":1})", R"({"token":""})", R"({"token":"a b"})",
                           R"({"token":"a\r\nX: y"})"})
    EXPECT_FALSE(parse_token(text)) << text;
  const auto lifetime = [](const std::string& text) {
    return parse_token(text).value_or(TokenAnswer{}).lifetime;
  };
  EXPECT_EQ(lifetime(R"({"token":"a"})"), 60s);
  EXPECT_EQ(lifetime(R"({"token":"a","expires_in":300})"), 300s);
  EXPECT_EQ(lifetime(R"({"token":"a","expires_in":-5})"), 60s);
  EXPECT_EQ(lifetime(R"({"token":"a","expires_in":9000000000000})"), 24h);
}

/// A registry that takes one token at a time, and the server that gives it.
class TokenRegistry {
 public:
  explicit TokenRegistry(std::string says = "") : says_(std::move(says)) {}

  std::string host() const { return server_.host(); }
  Reference app() const { return parse_reference(host() + "/app:1"); }
  /// Targets of requests for tokens, with who asked.
  std::vector<std::string> asked() const {
    std::vector<std::string> all;
    for (const ScriptedRequest& request : server_.requests()) {
      if (request.target.starts_with("/token"))
        all.push_back(request.method + ' ' + request.target + ' ' + request.body +
                      request.field("authorization"));
    }
    return all;
  }
  void forget_token() { ++valid_; }
  std::atomic<bool> gives_good = true;

 private:
  void answer(const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.target == "/v2/") return void(reply.send(scripted_answer(200, "{}")));
    if (request.target.starts_with("/token")) {
      const std::string token = (gives_good ? "good" : "bad") + std::to_string(valid_);
      reply.send(says_.empty() ? scripted_answer(200, R"({"token":")" + token + R"(","expires_in":100})")
                               : says_);
      return;
    }
    if (request.field("authorization") == "Bearer good" + std::to_string(valid_))
      return void(reply.send(scripted_answer(200, "content")));
    reply.send(scripted_answer(401,
                               R"({"errors":[{"code":"UNAUTHORIZED","message":"not with )" +
                                   request.field("authorization") + "\"}]}",
                               {{"WWW-Authenticate", "Bearer realm=\"http://" + request.field("host") +
                                                         "/token\",service=\"the reg\""}}));
  }

  std::string says_;
  std::atomic<int> valid_ = 1;
  ScriptedServer server_{
      [this](const ScriptedRequest& request, ScriptedReply& reply) { answer(request, reply); }};
};

const Descriptor kBlob = descriptor_of("content");
constexpr const char* kPull = "/token?service=the%20reg&scope=repository%3Aapp%3Apull&client_id=runner";

TEST(Token, IsAskedForOnceAndAgainWhenItsTimeIsOver) {
  TokenRegistry registry;
  StillClient client;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client->read_blob(registry.app(), kBlob, 100), "content");
  EXPECT_THAT(registry.asked(), ElementsAre("GET " + std::string(kPull) + " "));
  client.clock.pass(89s);
  EXPECT_EQ(client->read_blob(registry.app(), kBlob, 100), "content");
  EXPECT_THAT(registry.asked(), ::testing::SizeIs(1));
  client.clock.pass(2s);
  EXPECT_EQ(client->read_blob(registry.app(), kBlob, 100), "content");
  EXPECT_THAT(registry.asked(), ::testing::SizeIs(2));
  registry.forget_token();  // before its time
  EXPECT_EQ(client->read_blob(registry.app(), kBlob, 100), "content");
  EXPECT_THAT(registry.asked(), ::testing::SizeIs(3));
}

TEST(Token, IsGivenToALoginByBasicAndToAnIdentityTokenByPost) {
  TokenRegistry registry;
  StillClient ann(single_login(registry.host(), {"ann", "s3cret", ""}, "CI_REGISTRY"));
  EXPECT_EQ(ann->read_blob(registry.app(), kBlob, 100), "content");
  EXPECT_THAT(registry.asked(),
              ElementsAre("GET " + std::string(kPull) + "&account=ann Basic " + to_base64("ann:s3cret")));
  TokenRegistry second;
  StillClient identity(single_login(second.host(), {"", "", "refresh me"}, "CI_REGISTRY"));
  EXPECT_EQ(identity->read_blob(second.app(), kBlob, 100), "content");
  EXPECT_THAT(second.asked(),
              ElementsAre("POST /token grant_type=refresh_token&client_id=runner&service=the%20reg&scope="
                          "repository%3Aapp%3Apull&refresh_token=refresh%20me"));
}

TEST(Token, ThatIsNotTakenIsRenewedOnceAndThenAnError) {
  TokenRegistry registry;
  registry.gives_good = false;
  StillClient ann(single_login(registry.host(), {"ann", "s3cret", ""}, "CI_REGISTRY"));
  EXPECT_THAT(error_of([&] { ann->read_blob(registry.app(), kBlob, 100); }),
              AllOf(StartsWith("invalid_input: cannot read 'sha256:"), HasSubstr("answers 401"),
                    HasSubstr("UNAUTHORIZED: not with Bearer ***"), HasSubstr("refuses the login"),
                    Not(HasSubstr("bad1"))));
  EXPECT_THAT(registry.asked(), ::testing::SizeIs(1));
  EXPECT_THAT(ann.slept, IsEmpty());
}

TEST(Token, WhatItsServerSaysIsPassedOnWithoutSecrets) {
  const struct {
    std::string says;
    const char* code;
    const char* text;
  } cases[] = {
      {scripted_answer(401, R"({"details":"wrong password s3cret, or )" + to_base64("ann:s3cret") + "\"}"),
       "invalid_input: ", "(wrong password ***, or ***): it refuses the login"},
      {scripted_answer(400, R"({"error":"invalid_scope","error_description":"no"})"),
       "invalid_input: ", "answers 400 (no)"},
      {scripted_answer(503), "unavailable: ", "it is ill"},
      {scripted_answer(200, "{}"), "unavailable: ", "what is no token"},
      {scripted_answer(200, R"({"token":"a\r\nb"})"), "unavailable: ", "what is no token"},
      {scripted_answer(200, std::string((1U << 20U) + 1, ' ')), "invalid_input: ", "more than 1.0 MiB"},
  };
  for (const auto& c : cases) {
    TokenRegistry registry(c.says);
    StillClient ann(single_login(registry.host(), {"ann", "s3cret", ""}, "CI_REGISTRY"));
    ann.base.retries.attempts = 2;
    EXPECT_THAT(error_of([&] { ann->read_blob(registry.app(), kBlob, 100); }),
                AllOf(StartsWith(c.code), HasSubstr(c.text), HasSubstr("while asking '127.0.0.1:"),
                      Not(HasSubstr("s3cret")), Not(HasSubstr(to_base64("ann:s3cret")))));
  }
}

TEST(Token, ALoginIsNotSentWhereOthersReadAlong) {
  std::string wants;
  const ScriptedServer server([&](const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.target == "/v2/") return void(reply.send(scripted_answer(200, "{}")));
    reply.send(scripted_answer(401, "", {{"WWW-Authenticate", wants}}));
  });
  const auto error = [&](const std::string& challenge) {
    wants = challenge;
    StillClient ann(single_login(server.host(), {"ann", "s3cret", ""}, "CI_REGISTRY"));
    return error_of([&] { ann->read_blob(parse_reference(server.host() + "/app:1"), kBlob, 100); });
  };
  EXPECT_THAT(error(R"(Bearer realm="http://auth.example/token")"), HasSubstr("without TLS"));
  EXPECT_THAT(error(R"(Bearer realm="ftp://auth.example/token")"), HasSubstr("none of http"));
  EXPECT_THAT(error("Negotiate\x1b[2J"), AllOf(StartsWith("invalid_input: "), HasSubstr("(Negotiate?[2J)")));
  EXPECT_THAT(error("Basic"), AllOf(StartsWith("invalid_input: "), HasSubstr("refuses the login")));
}

}  // namespace
}  // namespace runner::registry
