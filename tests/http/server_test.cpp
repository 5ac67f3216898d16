#include "runner/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runner/base/error.h"
#include "tests/http/harness.h"

namespace runner::http {
namespace {

using ::testing::AllOf;
using testing::Answer;
using testing::Client;
using testing::get;
using ::testing::HasSubstr;
using ::testing::Not;
using ServerTest = testing::ServerTest;

std::string post(const std::string& target, const std::string& body, const std::string& fields = {}) {
  return "POST " + target + " HTTP/1.1\r\nHost: x\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

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

TEST_F(ServerTest, TakesChunkedBodiesAndDropsTheirTrailers) {
  start();
  Client client = connect();
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4;x=y\r\nWiki\r\n6\r\npedia \r\n1\r\n!\r\n0\r\nX-Late: 1\r\n\r\n" +
      get("/hello"));
  EXPECT_EQ(client.read_answer().body, "Wikipedia !");
  EXPECT_EQ(client.read_answer().body, "hello\n");
}

TEST_F(ServerTest, TakesTheLastChunkInPieces) {
  start();
  Client client = connect();
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const char c : std::string("0\r\n\r\n")) client.send(std::string(1, c));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(ServerTest, SaysContinueOnlyWhenTheBodyIsWanted) {
  start();
  Client client = connect();
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("body");
  EXPECT_EQ(client.read_answer().body, "body");
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 413);
  EXPECT_TRUE(client.ends());
}

TEST_F(ServerTest, RefusesBodiesThatAreTooLongBeforeTheyCome) {
  start();
  Client told = connect();
  told.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
  const Answer answer = told.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("1.0 MiB"));
  EXPECT_EQ(answer.header("connection"), "close");

  Client chunked = connect();
  chunked.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (int i = 0; i < 40; ++i)
    chunked.send(chunk);  // it is read on, and thrown away, so that the answer arrives
  EXPECT_EQ(chunked.read_answer().status, 413);
}

TEST_F(ServerTest, LetsARouteTakeMore) {
  start();
  const std::string body(8U << 20U, 'b');
  Client client = connect();
  client.send("PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  std::thread writer([&] { client.send(body); });
  const Answer answer = client.read_answer();
  writer.join();
  EXPECT_EQ(answer.body.size(), body.size());
  EXPECT_EQ(ask(post("/echo", std::string(1U << 20U, 'b'))).status, 200);
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

struct Malformed {
  const char* name;
  std::string bytes;
  int status;
};

struct MalformedTest : testing::ServerTest, ::testing::WithParamInterface<Malformed> {};

TEST_P(MalformedTest, IsRefusedAndTheConnectionClosed) {
  start();
  Client client = connect();
  client.send(GetParam().bytes);
  EXPECT_EQ(client.read_answer().status, GetParam().status);
  EXPECT_TRUE(client.ends());
}

INSTANTIATE_TEST_SUITE_P(
    Requests, MalformedTest,
    ::testing::Values(
        Malformed{"NotHttp", "\x16\x03\x01\x02", 400}, Malformed{"NoVersion", "GET /hello\r\n\r\n", 400},
        Malformed{"BareLineFeeds", "GET /hello HTTP/1.1\nHost: x\n\n", 400},
        Malformed{"NoHost", "GET /hello HTTP/1.1\r\n\r\n", 400},
        Malformed{"TwoHosts", "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        Malformed{"BlankBeforeColon", "GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        Malformed{"ByteZero", std::string("GET /hello HTTP/1.1\r\nHost: x\r\nA: \0b\r\n\r\n", 41), 400},
        Malformed{"Http2", "PRI * HTTP/2.0\r\n\r\n", 505},
        Malformed{"BothLengths",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                  400},
        Malformed{"BothLengthsSwapped",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
                  400},
        Malformed{"TwoLengths",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
        Malformed{"NegativeLength", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n", 400},
        Malformed{"HugeLength",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        Malformed{"UnknownCoding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        Malformed{"CodingBeforeChunks",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        Malformed{"ChunksInHttp10", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Malformed{"BadChunk", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                  400},
        Malformed{"LongChunkHead",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                      std::string(20'000, 'a'),
                  400},
        Malformed{"LongHead", "GET /hello HTTP/1.1\r\nHost: x\r\nA: " + std::string(20'000, 'a'), 431},
        Malformed{"ManyFields",
                  [] {
                    std::string text = "GET /hello HTTP/1.1\r\nHost: x\r\n";
                    for (int i = 0; i < 5000; ++i) text += "A: b\r\n";
                    return text;
                  }(),
                  431},
        Malformed{"LongLine", "GET /" + std::string(20'000, 'a'), 414}),
    [](const ::testing::TestParamInfo<Malformed>& tested) { return tested.param.name; });

TEST_F(ServerTest, RefusesTargetsThatAreNone) {
  start();
  for (const char* target :
       {"/parts/%zz", "/parts/%00", "/parts/..", "/parts/%2e%2E", "hello", "/hello?a=%4"})
    EXPECT_EQ(ask(get(target)).status, 400) << target;
  EXPECT_EQ(ask(get("/" + std::string(9000, 'a'))).status, 414);
  EXPECT_EQ(ask(get("/hello", "Expect: the unexpected\r\n")).status, 417);
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

TEST_F(ServerTest, ListensOnIpv6Too) {
  start({.tcp = {{.address = "127.0.0.1", .port = 0}, {.address = "::1", .port = 0}}});
  Client client = Client::tcp(server->port(1), "::1");
  client.send(get("/peer"));
  EXPECT_EQ(client.read_answer().body, "::1");
  EXPECT_EQ(ask(get("/peer")).body, "127.0.0.1");
}

TEST_F(ServerTest, SaysThatAPortIsTaken) {
  start();
  ServerOptions options;
  options.tcp.push_back({.address = "127.0.0.1", .port = server->port()});
  EXPECT_THROW(Server(options, Router()), Error);
  options.tcp[0].address = "localhost";
  EXPECT_THROW(Server(options, Router()), Error);
}

}  // namespace
}  // namespace runner::http
