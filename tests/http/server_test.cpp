#include "runner/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/http/harness.h"

namespace runner::http {
namespace {

using ::testing::AllOf;
using testing::Answer;
using testing::Client;
using ::testing::ElementsAre;
using testing::get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::post;
using ServerTest = testing::ServerTest;

TEST_F(ServerTest, AnswersOneRequestAfterAnotherOnAConnection) {
  start();
  Client client = connect();
  for (int i = 0; i < 3; ++i) {
    client.send(get("/hello"));
    const Answer answer = client.read_answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello\n");
    EXPECT_EQ(answer.header("connection"), "");
    EXPECT_THAT(answer.header("date"), HasSubstr(" GMT"));
  }
  client.send(get("/hello", "Connection: close\r\n"));
  EXPECT_EQ(client.read_answer().header("connection"), "close");
  EXPECT_TRUE(client.ends());
}

TEST_F(ServerTest, AnswersPipelinedRequestsInTheirOrder) {
  start();
  Client client = connect();
  std::string all;
  for (int i = 0; i < 100; ++i) all += i % 3 == 0 ? get("/fast") : post("/echo", std::to_string(i));
  client.send(all);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.read_answer().body, i % 3 == 0 ? "fast" : std::to_string(i));
}

TEST_F(ServerTest, TakesARequestThatComesByteByByte) {
  start();
  Client client = connect();
  for (const char c : post("/echo", "body")) client.send(std::string(1, c));
  EXPECT_EQ(client.read_answer().body, "body");
}

TEST_F(ServerTest, AnswersHeadLikeGetWithoutTheBody) {
  start();
  Client client = connect();
  client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n" + get("/hello"));
  const Answer head = client.read_answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "6");
  EXPECT_EQ(client.read_answer().body, "hello\n");
}

TEST_F(ServerTest, SaysWhatAPathTakes) {
  start();
  const Answer options = ask("OPTIONS /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.header("allow"), "OPTIONS, POST");
  EXPECT_EQ(options.header("content-length"), "");
  const Answer wrong = ask(get("/echo"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("allow"), "OPTIONS, POST");
  EXPECT_EQ(ask(get("/echo/")).status, 404);
  EXPECT_EQ(ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").status, 204);
}

TEST_F(ServerTest, SpeaksHttp10) {
  start();
  Client client = connect();
  client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.read_answer().header("connection"), "keep-alive");
  client.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "hello\n");
  EXPECT_TRUE(client.ends());
}

TEST_F(ServerTest, KeepsGoodRequestIdsAndMakesOthers) {
  start();
  EXPECT_EQ(ask(get("/hello", "X-Request-Id: a.B_9-\r\n")).header("x-request-id"), "a.B_9-");
  const std::string made = ask(get("/hello", "X-Request-Id: not good\r\n")).header("x-request-id");
  EXPECT_THAT(made, Not(HasSubstr(" ")));
  EXPECT_NE(made, ask(get("/hello")).header("x-request-id"));
  EXPECT_LE(
      ask(get("/hello", "X-Request-Id: " + std::string(129, 'a') + "\r\n")).header("x-request-id").size(),
      64U);
}

TEST_F(ServerTest, MakesProblemsOfWhatHandlersThrow) {
  start();
  const Answer input = ask(get("/fail?how=input", "X-Request-Id: r1\r\n"));
  EXPECT_EQ(input.status, 400);
  EXPECT_EQ(input.header("content-type"), "application/problem+json");
  EXPECT_THAT(input.body, AllOf(HasSubstr("'x' is no number"), HasSubstr(R"("instance":"r1")")));
  const Answer busy = ask(get("/fail?how=busy"));
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.header("retry-after"), "5");
  for (const char* target : {"/fail", "/fail?how=other"}) {
    const Answer other = ask(get(target));
    EXPECT_EQ(other.status, 500);
    EXPECT_THAT(other.body, Not(HasSubstr("secret")));
  }
  EXPECT_EQ(ask(get("/bad-header")).status, 500);
  EXPECT_EQ(ask(get("/hello")).status, 200);
}

TEST_F(ServerTest, AnswersClientsThatCloseTheirHalf) {
  start();
  Client client = connect();
  client.send(post("/echo", "all I say"));
  client.half_close();
  EXPECT_EQ(client.read_answer().body, "all I say");
  EXPECT_TRUE(client.ends());
}

TEST_F(ServerTest, GivesParametersDecoded) {
  start();
  EXPECT_EQ(ask(get("/parts/a%2Fb%20c")).body, "a/b c");
  EXPECT_EQ(ask(get("http://host:1/parts/x?y")).body, "x");
}

TEST_F(ServerTest, WritesDownEachRequestWithoutSecrets) {
  start();
  ask(post("/echo?token=s3cret&page=2", "12345", "X-Request-Id: r7\r\n"));
  ask(get("/nowhere"));
  const auto records = wait_for_records(2);
  EXPECT_EQ(records[0].request_id, "r7");
  EXPECT_EQ(records[0].method, "POST");
  EXPECT_EQ(records[0].target, "/echo?token&page");
  EXPECT_EQ(records[0].status, 200);
  EXPECT_EQ(records[0].body_bytes, 5U);
  EXPECT_EQ(records[0].peer.address, "127.0.0.1");
  EXPECT_TRUE(records[0].complete);
  EXPECT_GT(records[0].duration.count(), 0);
  EXPECT_EQ(records[1].status, 404);
}

TEST_F(ServerTest, WritesDownTheRouteOfEachRequestAndNotOfTheOneBefore) {
  start();
  Client client = connect();
  client.send(get("/parts/secret-name"));
  EXPECT_EQ(client.read_answer().status, 200);
  client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer(true).status, 200);
  client.send("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 405);
  client.send(get("/parts/again"));
  EXPECT_EQ(client.read_answer().status, 200);
  client.send("no request\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 400);
  std::vector<std::string_view> routes;
  for (const auto& record : wait_for_records(5)) routes.push_back(record.route);
  EXPECT_THAT(routes, ElementsAre("/parts/{name}", "/hello", "", "/parts/{name}", ""));
}

TEST_F(ServerTest, TellsHowManyRequestsAreUnderWay) {
  start();
  EXPECT_EQ(server->stats().in_flight, 0U);
  const auto before = std::chrono::steady_clock::now();
  Client waits = connect();
  waits.send(get("/wait"));
  ASSERT_TRUE(gate.wait_for(1));
  EXPECT_EQ(server->stats().in_flight, 1U);
  EXPECT_GE(server->stats().last_request, before);
  Client follows = connect();
  follows.send(get("/stream"));
  EXPECT_EQ(follows.read_head().status, 200);
  EXPECT_EQ(server->stats().in_flight, 2U);
  follows.reset();
  EXPECT_TRUE(eventually([&] { return server->stats().in_flight == 1; })) << "a client that went away";
  Client begun = connect();
  begun.send("GET /hel");
  gate.open();
  EXPECT_EQ(waits.read_answer().status, 200);
  EXPECT_TRUE(eventually([&] { return server->stats().in_flight == 0; }));
}

TEST_F(ServerTest, RunsAFastRouteInThePoolForTheRequestsItNames) {
  router.add({.method = "GET",
              .pattern = "/mostly-fast",
              .name = "mostly_fast",
              .handler =
                  [this](const Request& request) {
                    if (request.headers.find("X-Slow") != nullptr) gate.pass();
                    return text_response(200, "done");
                  },
              .body_limit = {},
              .fast = true,
              .unless = [](const Request& request) { return request.headers.find("X-Slow") != nullptr; }});
  start();
  Client slow = connect();
  slow.send(get("/mostly-fast", "X-Slow: 1\r\n"));
  ASSERT_TRUE(gate.wait_for(1));
  EXPECT_EQ(ask(get("/mostly-fast")).body, "done") << "the reactor waits for nobody";
  gate.open();
  EXPECT_EQ(slow.read_answer().body, "done");
}

TEST_F(ServerTest, SurvivesClientsThatVanish) {
  write_file_atomic(file, std::string(4U << 20U, 'f'), 0644, false);
  start();
  for (int i = 0; i < 20; ++i) {
    Client client = connect();
    client.send(i % 2 == 0 ? get("/file") : post("/echo", "x") + "POST /echo HTT");
    if (i % 4 < 2) {
      client.read_bytes(10);
      client.reset();
    }
  }
  EXPECT_EQ(ask(get("/hello")).status, 200);
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
}

TEST_F(ServerTest, AnswersAThousandRequestsInARow) {
  start();
  Client client = connect();
  for (int i = 0; i < 1000; ++i) {
    client.send(post("/echo", std::to_string(i)));
    ASSERT_EQ(client.read_answer().body, std::to_string(i));
  }
  EXPECT_TRUE(eventually([&] { return server->stats().requests == 1000; }));
}

TEST_F(ServerTest, AnswersSixtyFourClientsAtOnce) {
  start({.handler_threads = 64});
  std::vector<Client> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(connect());
    clients.back().send(get("/wait"));
  }
  ASSERT_TRUE(gate.wait_for(64));
  EXPECT_EQ(ask(get("/fast")).body, "fast");
  gate.open();
  for (Client& client : clients) EXPECT_EQ(client.read_answer().body, "waited");
}

}  // namespace
}  // namespace runner::http
