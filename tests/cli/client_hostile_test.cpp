// Servers that are broken, or mean it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/error.h"
#include "runner/cli/api_client.h"
#include "runner/cli/client_answers.h"
#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::HasSubstr;

std::string http_answer(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string reason_for(const std::string& json) {
  try {
    read_pipeline(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    return error.what();
  }
  return "";
}

TEST(ClientAnswers, TypesAreChecked) {
  const std::string begin = R"({"id":1,"status":"running",)";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "it is empty"},
      {"<html>", "it is no JSON"},
      {R"({"id":1)", "it is no JSON"},
      {"[]", "it is no pipeline"},
      {"5", "it is no pipeline"},
      {R"({"status":"running"})", "the pipeline has no 'id'"},
      {R"({"id":null,"status":"running"})", "the pipeline has no 'id'"},
      {R"({"id":"1","status":"running"})", "'id' of the pipeline is no whole number"},
      {R"({"id":1.5,"status":"running"})", "'id' of the pipeline is no whole number"},
      {R"({"id":18446744073709551615,"status":"x"})", "'id' of the pipeline is no whole number"},
      {R"({"id":1e400,"status":"x"})", "it is no JSON"},
      {R"({"id":1,"status":["running"]})", "'status' of the pipeline is no text"},
      {begin + R"("jobs":{}})", "'jobs' of the pipeline is no list"},
      {begin + R"("jobs":[7]})", "it is no job"},
      {begin + R"("jobs":[{"id":1}]})", "the job has no 'name'"},
      {begin + R"("created_at":"yesterday"})", "'created_at' of the pipeline is no moment"},
      {begin + R"("jobs":[{"id":1,"name":"a","status":"b","warnings":[1]}]})",
       "'warnings' of the job is no list of texts"},
      {begin + R"("jobs":[{"id":1,"name":"a","status":"b","allow_failure":"no"}]})",
       "'allow_failure' of the job is no truth"},
      {std::string(100'000, '[') + std::string(100'000, ']'), "it is nested too deeply"},
  };
  for (const auto& [json, says] : cases) {
    EXPECT_THAT(reason_for(json), HasSubstr("cannot read the server's answer: " + says))
        << json.substr(0, 80);
  }
}

TEST(ClientAnswers, MembersThatAreMissingOrNullOrNewAreFine) {
  const PipelineAnswer answer =
      read_pipeline(R"({"id":1,"status":"running","ref":null,"later":{"a":[1]},"jobs":null})");
  EXPECT_EQ(answer.ref, "");
  EXPECT_TRUE(answer.jobs.empty());
}

TEST(ClientAnswers, MomentsAreReadAsTheApiWritesThem) {
  EXPECT_EQ(parse_moment("1970-01-01T00:00:01.500Z")->time_since_epoch().count(), 1500);
  EXPECT_EQ(parse_moment("2026-01-31T16:47:55Z")->time_since_epoch().count(), 1769878075000);
  EXPECT_EQ(parse_moment("2026-01-31T16:47:55.1Z")->time_since_epoch().count(), 1769878075100);
  EXPECT_EQ(parse_moment("2026-01-31T16:47:55.123456Z")->time_since_epoch().count(), 1769878075123);
  for (const char* text : {"", "Z", "2026-01-31T16:47:55", "2026-02-30T16:47:55Z", "2026-01-31T24:00:00Z",
                           "2026-01-31T16:47:55.Z", "2026-01-31T16:47:55.12x4Z", "2026-01-31 16:47:55Z",
                           "2026-1-31T16:47:55.000Z", "-026-01-31T16:47:55Z", "2026-01-31T16:47:55+01:00Z"}) {
    EXPECT_FALSE(parse_moment(text)) << text;
  }
}

TEST(ClientAnswers, JsonIsHarmlessToATerminal) {
  EXPECT_EQ(clean_json("{\"a\" : \"\\u001b[2J\\u009b\\u007f\\u00e9\"}\n"),
            "{\"a\":\"\\u001b[2J\\u009b\\u007f\xc3\xa9\"}");
}

TEST(ClientAnswers, ProblemsMayBeAnything) {
  for (const char* text : {"", "[]", "5", "null", R"({"detail":5,"errors":{}})", R"({"errors":7})"}) {
    EXPECT_EQ(read_problem(text).detail, "") << text;
  }
  EXPECT_EQ(read_problem(R"({"errors":[1,{"field":"a","message":"b"}]})").errors.back().second, "b");
}

TEST(HostileServer, EachAnswerIsAnErrorOfOneLine) {
  Sandboxed box("", false);
  const std::vector<std::pair<std::string, std::string>> cases{
      {"SSH-2.0-OpenSSH_9.2\r\n", "speaks no HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "cannot talk to the server"},
      {http_answer("<html>"), "it is no JSON"},
      {http_answer(R"({"items":7})"), "'items' of the list is no list"},
      {http_answer(R"({"items":[],"next":7})"), "'next' of the list is no text"},
      {"HTTP/1.1 200 OK\r\n\r\n" + std::string((33U << 20U), ' '), "is longer than 32.0 MiB"},
      {"HTTP/1.1 500 \x1b[2J\r\nContent-Length: 6\r\n\r\n\x1b[31mx", "answered with status 500"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(2U << 20U, 'a') + "\r\n\r\n", "cannot talk to the server"},
  };
  for (const auto& [reply, says] : cases) {
    RawServer server({reply});
    const Ended ended = box.run({"project", "list", "--server", server.url()});
    EXPECT_EQ(ended.code, 3) << says;
    EXPECT_THAT(ended.err, HasSubstr(says));
    EXPECT_EQ(ended.err.find('\x1b'), std::string::npos);
    EXPECT_EQ(ended.out, "");
  }
}

TEST(HostileServer, AListWithoutAnEndIsGivenUp) {
  Sandboxed box("", false);
  FakeServer server(box.data());
  server.on("GET /projects", 200, R"({"items":[{"name":"a"}],"next":"again"})");
  const Ended ended = box.run({"project", "list"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("does not end"));
}

ApiEndpoint endpoint_of(const std::string& url) {
  ApiEndpoint endpoint;
  endpoint.url = endpoint.shown = url;
  return endpoint;
}

TEST(ApiClientTest, AGetIsTriedOnceMoreWhenTheConnectionIsReset) {
  RawServer server({"", http_answer("{}")});
  ApiClient client(endpoint_of(server.url()));
  EXPECT_EQ(client.call("GET", "/x").body, "{}");
  EXPECT_EQ(server.connections(), 2);
}

TEST(ApiClientTest, OnlyOnce) {
  RawServer server({""});
  ApiClient client(endpoint_of(server.url()));
  EXPECT_THROW(client.call("GET", "/x"), Error);
  EXPECT_EQ(server.connections(), 2);
}

TEST(ApiClientTest, WhatChangesSomethingIsNotSentTwice) {
  for (const char* method : {"POST", "PATCH", "DELETE"}) {
    RawServer server({"", http_answer("{}")});
    ApiClient client(endpoint_of(server.url()));
    EXPECT_THROW(client.call(method, "/x", "{}"), Error) << method;
    EXPECT_EQ(server.connections(), 1) << method;
  }
}

TEST(ApiClientTest, AServerThatSaysNothingIsNotWaitedForForEver) {
  Sandboxed box("", false);
  FakeServer server(box.data());
  http::StreamHandle kept = http::make_stream().first;
  server.on("GET /x", [&](const http::Request&) {
    auto [handle, body] = http::make_stream({.events = true, .heartbeat = std::chrono::milliseconds(0)});
    handle.write("data: 1\n\n");
    kept = handle;
    return http::stream_response(std::move(body));
  });
  ApiTimeouts timeouts;
  timeouts.call = std::chrono::milliseconds(300);
  timeouts.silence = std::chrono::milliseconds(1000);
  ApiClient client(endpoint_of(server.url()), timeouts);
  try {
    client.call("GET", "/x");
    ADD_FAILURE() << "it did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::timeout);
  }
  std::string got;
  ApiResponse answer;
  const auto sink = [&](std::string_view bytes) {
    got += bytes;
    return true;
  };
  EXPECT_EQ(client.stream("/x", {}, sink, answer), StreamEnd::broken);
  EXPECT_EQ(got, "data: 1\n\n");
}

TEST(ApiClientTest, WhatTheSinkThrowsPassesThrough) {
  RawServer server({http_answer("abc")});
  ApiClient client(endpoint_of(server.url()));
  ApiResponse answer;
  const auto sink = [](std::string_view) -> bool { throw Error(ErrorCode::conflict, "enough"); };
  EXPECT_THROW(client.stream("/x", {}, sink, answer), Error);
  EXPECT_EQ(client.stream(
                "/x", {}, [](std::string_view) { return false; }, answer),
            StreamEnd::stopped);
}

TEST(ApiClientTest, SegmentsAreEncoded) {
  EXPECT_EQ(url_encode("a/b c%?#&=+~._-\xc3\xa9"), "a%2Fb%20c%25%3F%23%26%3D%2B~._-%C3%A9");
}

TEST(ApiClientTest, CertificatesAreVerified) {
  Sandboxed box("", false);
  box.shell(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
      "-addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null");
  FakeServer server(box.data(), http::TlsFiles{box.project() / "cert.pem", box.project() / "key.pem"});
  server.on("GET /projects", 200, R"({"items":[{"name":"a"}],"next":null})");
  box.environment = {"RUNNER_TOKEN=rnr_abc", "RUNNER_URL=" + server.url()};
  Ended ended = box.run({"project", "list", "-q"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("is not trusted"));
  EXPECT_THAT(ended.err, HasSubstr("RUNNER_CA_FILE"));
  EXPECT_TRUE(server.asked().empty());
  box.environment.push_back("RUNNER_CA_FILE=" + (box.project() / "cert.pem").string());
  ended = box.run({"project", "list", "-q"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "a\n");
}

}  // namespace
}  // namespace runner::cli
