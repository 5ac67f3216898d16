// The HTTP client against a server that does as it is told. That of git's tests has redirects, TLS and ends.
#include "runner/base/http_transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <future>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/support/scripted_server.h"

namespace runner {
namespace {

using namespace std::chrono_literals;
using test::scripted_answer;
using test::ScriptedReply;
using test::ScriptedRequest;
using test::ScriptedServer;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "";
}

HttpRequest request_to(const ScriptedServer& server, const std::string& method = "GET") {
  HttpRequest request;
  request.method = method;
  request.url = "http://" + server.host() + "/x";
  return request;
}

std::string read_all(HttpTransfer& transfer) {
  std::string all;
  std::array<char, 4096> piece{};
  while (const std::size_t got = transfer.read_some(piece.data(), piece.size()))
    all.append(piece.data(), got);
  return all;
}

/// Of a text, a few bytes at a time.
HttpSource source_of(const std::string& text, bool can_rewind = false) {
  auto at = std::make_shared<std::size_t>(0);
  HttpSource source;
  source.read = [at, text](char* buffer, std::size_t size) {
    const std::size_t count = text.copy(buffer, std::min<std::size_t>(size, 1000), *at);
    *at += count;
    return count;
  };
  if (can_rewind) source.rewind = [at] { *at = 0; };
  return source;
}

void answer_ok(const ScriptedRequest&, ScriptedReply& reply) {
  reply.send(scripted_answer(200, "ok"));
}

TEST(HttpTransfer, SendsEachMethodWithItsBody) {
  ScriptedServer server(answer_ok);
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    Patience patience({}, {});
    HttpRequest request = request_to(server, method);
    request.body = "the body";
    request.fields = {"Content-Type: text/x"};
    HttpTransfer transfer(std::move(request), patience);
    EXPECT_EQ(transfer.head().status, 200);
    EXPECT_EQ(read_all(transfer), "ok");
    const ScriptedRequest seen = server.requests().back();
    EXPECT_EQ(seen.method, method);
    EXPECT_EQ(seen.body, "the body");
    EXPECT_EQ(seen.field("content-type"), "text/x");
    EXPECT_EQ(seen.field("content-length"), "8");
    EXPECT_EQ(seen.field("expect"), "");
  }
  EXPECT_EQ(server.requests().back().connection, 1);
}

TEST(HttpTransfer, AnEmptyBodyHasALengthAndNoType) {
  ScriptedServer server(answer_ok);
  Patience patience({}, {});
  HttpTransfer transfer(request_to(server, "POST"), patience);
  transfer.head();
  EXPECT_EQ(server.requests().back().field("content-length"), "0");
  EXPECT_EQ(server.requests().back().field("content-type"), "");
}

TEST(HttpTransfer, HeadHasFieldsAndNoBody) {
  ScriptedServer server([](const ScriptedRequest&, ScriptedReply& reply) {
    reply.send(
        "HTTP/1.1 200 x\r\nContent-Length: 7000\r\nX-Y: z\r\nWWW-Authenticate: Basic\r\n"
        "WWW-Authenticate: Bearer realm=\"r\"\r\n\r\n");
  });
  Patience patience({}, {});
  HttpTransfer transfer(request_to(server, "HEAD"), patience);
  const HttpHead head = transfer.head();
  EXPECT_EQ(head.fields.at("content-length"), "7000");
  EXPECT_EQ(head.fields.at("x-y"), "z");
  EXPECT_THAT(head.challenges, ElementsAre("Basic", "Bearer realm=\"r\""));
  EXPECT_EQ(read_all(transfer), "");
  EXPECT_EQ(server.lines().back(), "HEAD /x");
}

TEST(HttpTransfer, SendsWhatASourceGivesWithItsLengthOrInChunks) {
  ScriptedServer server(answer_ok);
  const std::string text(300'000, 'z');
  for (const bool is_known : {true, false}) {
    Patience patience({}, {});
    HttpRequest request = request_to(server, "PUT");
    request.source = source_of(text);
    if (is_known) request.source.size = text.size();
    HttpTransfer transfer(std::move(request), patience);
    EXPECT_EQ(transfer.head().status, 200);
    const ScriptedRequest seen = server.requests().back();
    EXPECT_EQ(seen.body, text);
    EXPECT_EQ(seen.field("content-length"), is_known ? "300000" : "");
    EXPECT_EQ(seen.field("transfer-encoding"), is_known ? "" : "chunked");
  }
}

TEST(HttpTransfer, ASourceThatEndsEarlyOrThrowsEndsTheTransfer) {
  ScriptedServer server(answer_ok);
  Patience patience({}, {});
  HttpRequest request = request_to(server, "PUT");
  request.source = source_of("short");
  request.source.size = 10;
  HttpTransfer early(request, patience);
  EXPECT_THAT(error_of([&] { early.head(); }),
              AllOf(StartsWith("corrupt: "), HasSubstr("after 5 of 10 bytes")));
  request.source.read = [](char*, std::size_t) -> std::size_t {
    throw Error(ErrorCode::not_found, "it is gone");
  };
  HttpTransfer throws(request, patience);
  EXPECT_EQ(error_of([&] { throws.head(); }), "not_found: it is gone");
}

/// A kept connection that the server ends when it is used again.
std::string send_on_a_dead_connection(HttpSource source) {
  ScriptedServer server([](const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.method == "PUT" && request.connection == 1) return reply.close();
    reply.send(scripted_answer(200, request.body));
  });
  Patience patience({}, {});
  {
    HttpTransfer first(request_to(server), patience);
    first.head();
  }
  HttpRequest request = request_to(server, "PUT");
  request.source = std::move(source);
  request.source.size = 3000;
  HttpTransfer second(std::move(request), patience);
  second.head();
  return read_all(second);
}

TEST(HttpTransfer, AKeptConnectionThatIsDeadIsReplacedWhenTheSourceCanBeginAgain) {
  const std::string text(3000, 't');
  EXPECT_EQ(send_on_a_dead_connection(source_of(text, true)), text);
  EXPECT_THAT(error_of([&] { send_on_a_dead_connection(source_of(text)); }),
              AllOf(StartsWith("unavailable: "), HasSubstr("broke while the request was sent")));
}

TEST(HttpTransfer, TheHeadIsThereBeforeTheBodyBegins) {
  std::promise<void> go;
  ScriptedServer server([&](const ScriptedRequest&, ScriptedReply& reply) {
    reply.send("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n");
    go.get_future().wait();
    reply.send("3\r\none\r\n0\r\nHTTP/1.1: x\r\nX-Late: y\r\n\r\n");
  });
  Patience patience({0ms, 0ms, 0ms}, {});
  HttpTransfer transfer(request_to(server), patience);
  EXPECT_EQ(transfer.head().status, 200);
  go.set_value();
  EXPECT_EQ(read_all(transfer), "one");
  EXPECT_EQ(transfer.head().fields.count("x-late"), 0U);  // trailers are no part of the head
}

TEST(HttpTransfer, ItIsReadAsItComes) {
  std::promise<void> seen;
  ScriptedServer server([&](const ScriptedRequest&, ScriptedReply& reply) {
    reply.send("HTTP/1.1 200 x\r\n\r\nfirst");
    seen.get_future().wait();
    reply.send("second");
    reply.close();
  });
  Patience patience({0ms, 0ms, 0ms}, {});
  HttpTransfer transfer(request_to(server), patience);
  transfer.head();
  std::array<char, 100> piece{};
  EXPECT_EQ(std::string(piece.data(), transfer.read_some(piece.data(), piece.size())), "first");
  seen.set_value();
  EXPECT_EQ(read_all(transfer), "second");
}

TEST(HttpTransfer, WhatNobodyReadsIsLeftToTheServer) {
  const std::string block(1U << 20U, 'b');
  std::atomic<int> blocks{0};
  ScriptedServer server([&](const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.target == "/x") return answer_ok(request, reply);
    reply.send("HTTP/1.1 200 x\r\n\r\n");
    while (blocks < 200 && reply.send(block)) ++blocks;
    reply.close();
  });
  Patience patience({}, {});
  HttpRequest request = request_to(server);
  request.url += "/endless";
  HttpTransfer endless(std::move(request), patience);
  endless.head();
  std::uint64_t count = 0;
  std::array<char, 65536> piece{};
  count += endless.read_some(piece.data(), piece.size());
  // Transfers of a thread go on together; this one may not fill the memory meanwhile.
  for (int i = 0; i < 300; ++i) {
    HttpTransfer other(request_to(server), patience);
    other.head();
    EXPECT_EQ(read_all(other), "ok");
  }
  EXPECT_LT(blocks, 100);
  while (const std::size_t got = endless.read_some(piece.data(), piece.size())) count += got;
  EXPECT_EQ(count, 200ULL << 20U);
}

TEST(HttpTransfer, ASocketOfThisMachineIsAskedWhateverTheProxyIs) {
  const TempDir directory;
  ScriptedServer server(answer_ok, directory.path() / "engine.sock");
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  Patience patience({}, {});
  HttpRequest request;
  request.url = "http://engine/v1.41/info";
  request.unix_socket = directory.path() / "engine.sock";
  HttpTransfer transfer(request, patience);
  EXPECT_EQ(transfer.head().status, 200);
  ::unsetenv("http_proxy");
  EXPECT_EQ(server.lines().back(), "GET /v1.41/info");
  EXPECT_EQ(server.requests().back().field("host"), "engine");
  request.unix_socket = directory.path() / "nobody.sock";
  HttpTransfer nobody(request, patience);
  EXPECT_THAT(error_of([&] { nobody.head(); }), AllOf(StartsWith("unavailable: "), HasSubstr("reached")));
}

TEST(HttpTransfer, LimitsCountOnlyWhereTheyAreOn) {
  ScriptedServer server([](const ScriptedRequest&, ScriptedReply& reply) { reply.wait_for_end(); });
  Patience stalls({0ms, 50ms, 0ms}, {});
  HttpTransfer one(request_to(server), stalls);
  EXPECT_THAT(error_of([&] { one.head(); }), AllOf(StartsWith("timeout: "), HasSubstr("within 50 ms")));
  Patience whole({0ms, 0ms, 50ms}, {});
  HttpTransfer two(request_to(server), whole);
  EXPECT_THAT(error_of([&] { two.head(); }), AllOf(StartsWith("timeout: "), HasSubstr("longer than 50 ms")));
}

TEST(HttpTransfer, StopEndsAWaitWithoutLimits) {
  std::promise<void> asked;
  ScriptedServer server([&](const ScriptedRequest&, ScriptedReply& reply) {
    reply.send("HTTP/1.1 200 x\r\n\r\n");
    asked.set_value();
    reply.wait_for_end();
  });
  std::stop_source source;
  Patience patience({0ms, 0ms, 0ms}, source.get_token());
  HttpTransfer transfer(request_to(server), patience);
  transfer.head();
  std::thread stopper([&] {
    asked.get_future().wait();
    source.request_stop();
  });
  char byte = 0;
  EXPECT_EQ(error_of([&] { transfer.read_some(&byte, 1); }), "cancelled: it was stopped");
  stopper.join();
}

TEST(HttpTransfer, RedirectsAreAnswersUnlessAskedFor) {
  ScriptedServer server([](const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.target == "/there") return answer_ok(request, reply);
    reply.send(scripted_answer(307, "elsewhere", {{"Location", "/there"}}));
  });
  for (const bool follow : {false, true}) {
    Patience patience({}, {});
    HttpRequest request = request_to(server);
    request.follow_redirects = follow;
    HttpTransfer transfer(std::move(request), patience);
    const HttpHead head = transfer.head();
    EXPECT_EQ(head.status, follow ? 200 : 307);
    EXPECT_EQ(head.fields.count("location"), follow ? 0U : 1U);
    EXPECT_EQ(read_all(transfer), follow ? "ok" : "elsewhere");
  }
}

TEST(HttpTransfer, RequestsThatCannotBeSentAsTheyAreAreRefused) {
  Patience patience({}, {});
  const auto refused = [&](const std::function<void(HttpRequest&)>& change) {
    HttpRequest request;
    request.url = "http://127.0.0.1:1/";
    change(request);
    return error_of([&] { const HttpTransfer transfer(request, patience); });
  };
  EXPECT_THAT(refused([](HttpRequest& r) { r.method = "GET /\r\nX"; }), HasSubstr("no method"));
  EXPECT_THAT(refused([](HttpRequest& r) { r.body = "x"; }), HasSubstr("has no body"));
  EXPECT_THAT(refused([](HttpRequest& r) { r.fields = {"A: b\r\nC: d"}; }), HasSubstr("end of a line"));
  EXPECT_THAT(refused([](HttpRequest& r) {
                r.method = "PUT";
                r.follow_redirects = true;
              }),
              HasSubstr("follows no redirects"));
  EXPECT_EQ(refused([](HttpRequest&) {}), "");
}

}  // namespace
}  // namespace runner
