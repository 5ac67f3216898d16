#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/cli/event_stream.h"
#include "runner/http/problem.h"
#include "runner/http/stream.h"
#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLog =
    "section_start:1700000000:step_script\r\x1b[0K\x1b[36mRunning the script\x1b[0m\n"
    "\x1b[32mgreen\x1b[0m \x1b[2Jplain\n"
    "10 %\r50 %\r100 %\n"
    "section_end:1700000009:step_script\r\x1b[0Kdone";

/// A piece of a log from `offset`, as the server sends it.
std::string piece(std::size_t offset, const std::string& text) {
  return http::format_event(
      "log", R"({"offset":)" + std::to_string(offset) + R"(,"text":)" + http::json_text(text) + "}",
      std::to_string(offset + text.size()));
}

std::string end_of_log(const std::string& status = "success") {
  return http::format_event("end", R"({"status":")" + status + "\"}");
}

struct LogCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};

  /// One answer a connection.
  void follow(std::vector<std::pair<std::string, bool>> streams) {
    auto next = std::make_shared<std::atomic<std::size_t>>(0);
    server.on("GET /jobs/2/log/follow", [=](const http::Request&) {
      const auto& [bytes, cut] = streams[std::min(next->fetch_add(1), streams.size() - 1)];
      return event_stream(bytes, cut);
    });
  }
  std::vector<std::string> resumed_after() const {
    std::vector<std::string> ids;
    for (const Asked& one : server.asked()) ids.push_back(one.last_event_id);
    return ids;
  }
};

TEST_F(LogCommands, AFileGetsPlainText) {
  server.on("GET /jobs/2/log", [](const http::Request&) { return http::text_response(200, kLog); });
  const Ended ended = box.run({"job", "log", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "Running the script\ngreen plain\n100 %\ndone\n");
}

TEST_F(LogCommands, ATerminalKeepsColoursAndSeesWhereSectionsBegin) {
  server.on("GET /jobs/2/log", [](const http::Request&) { return http::text_response(200, kLog); });
  box.environment = {"TERM=xterm"};
  const Ended ended = box.start_program({"/usr/bin/script", "-qec", "runner job log 2", "/dev/null"})->wait();
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, HasSubstr("\x1b[1m\x1b[36mRunning the script"));
  EXPECT_THAT(ended.out, HasSubstr("\x1b[32mgreen\x1b[0m plain"));
  EXPECT_THAT(ended.out, Not(HasSubstr("section_")));
  EXPECT_THAT(ended.out, Not(HasSubstr("\x1b[2J")));
}

TEST_F(LogCommands, JsonHasTheWholeLog) {
  server.on("GET /jobs/2/log",
            [](const http::Request&) { return http::text_response(200, "a\"\x1b[1m\n\xff"); });
  EXPECT_EQ(box.run({"job", "log", "2", "--json"}).out,
            "{\"id\":2,\"log\":\"a\\\"\\u001b[1m\\n\xef\xbf\xbd\"}\n");
  follow({{piece(0, "ab\n") + end_of_log("failed"), false}});
  EXPECT_EQ(box.run({"job", "log", "2", "-f", "--json"}).out,
            "{\"id\":2,\"log\":\"ab\\n\",\"status\":\"failed\"}\n");
}

TEST_F(LogCommands, ALogThatIsNotThereIsAnError) {
  const Ended ended = box.run({"job", "log", "2"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err, "runner: error: there is no such thing\n");
  EXPECT_EQ(box.run({"job", "log", "2", "--json"}).out, "");
  EXPECT_EQ(box.run({"job", "log", "-f", "2"}).code, 1);
}

TEST_F(LogCommands, FollowGoesOnUntilTheJobHasEnded) {
  follow({{piece(0, "one\ntw") + ": heartbeat\n\n" + http::format_event("other", "{}") + piece(6, "o\n") +
               end_of_log(),
           false}});
  const Ended ended = box.run({"job", "log", "-f", "2"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "one\ntwo\n");
  EXPECT_EQ(ended.err, "runner: job 2 ended: success\n");
}

TEST_F(LogCommands, FollowGoesOnWhereAConnectionBroke) {
  // Cut off; ended without an end of the log; then some of it again.
  follow({{piece(0, "one\ntw"), true},
          {piece(6, "o\nthr"), false},
          {piece(8, "three\n") + piece(14, "four\n") + end_of_log(), false}});
  const Ended ended = box.run({"job", "log", "-f", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "one\ntwo\nthree\nfour\n");
  EXPECT_EQ(resumed_after(), (std::vector<std::string>{"", "6", "11"}));
}

TEST_F(LogCommands, FollowWaitsForAServerThatIsRestarted) {
  auto count = std::make_shared<std::atomic<int>>(0);
  server.on("GET /jobs/2/log/follow", [count](const http::Request&) {
    const int at = (*count)++;
    if (at == 0) return event_stream(piece(0, "one\n"), true);
    if (at < 3) return http::text_response(503, R"({"detail":"not yet"})");
    return event_stream(piece(4, "two\n") + end_of_log(), false);
  });
  const Ended ended = box.run({"job", "log", "-f", "2"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "one\ntwo\n");
  EXPECT_THAT(ended.err, HasSubstr("runner: not yet; trying again\n"));
}

TEST_F(LogCommands, FollowStopsWhenTheServerRefusesLater) {
  auto count = std::make_shared<std::atomic<int>>(0);
  server.on("GET /jobs/2/log/follow", [count](const http::Request&) {
    return (*count)++ == 0 ? event_stream(piece(0, "one\n"), true)
                           : http::text_response(401, R"({"detail":"the token was revoked"})");
  });
  const Ended ended = box.run({"job", "log", "-f", "2"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.out, "one\n");
  EXPECT_THAT(ended.err, HasSubstr("the token was revoked"));
}

TEST_F(LogCommands, WhatIsMissingIsTold) {
  follow({{piece(0, "one\n") + piece(2052, "two\n") + end_of_log(), false}});
  const Ended ended = box.run({"job", "log", "-f", "2"});
  EXPECT_EQ(ended.out, "one\ntwo\n");
  EXPECT_THAT(ended.err, HasSubstr("runner: 2.0 KiB of the log are missing here\n"));
}

TEST_F(LogCommands, HostileEventsAreErrors) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {http::format_event("log", "no json"), "cannot read the server's answer: it is no JSON"},
      {http::format_event("log", R"({"text":5})"), "'text' of the piece of a log is no text"},
      {http::format_event("log", R"({"offset":0})"), "the piece of a log has no 'text'"},
      {http::format_event("log", R"({"text":"a","offset":-5})"), "ends before it begins"},
      {http::format_event("log", R"({"text":"a","offset":9})", "3"), "ends before it begins"},
      {http::format_event("end", "[]"), "it is no end of a log"},
      {"data: " + std::string(EventStream::kMaxEvent, 'x'), "an event is longer than 16.0 MiB"},
  };
  for (const auto& [bytes, says] : cases) {
    follow({{bytes, false}});
    const Ended ended = box.run({"job", "log", "-f", "2"});
    EXPECT_EQ(ended.code, 3) << bytes.substr(0, 80);
    EXPECT_THAT(ended.err, HasSubstr(says));
  }
}

TEST(EventStream, ReadsEventsHoweverTheyAreCut) {
  const std::string bytes =
      "\xef\xbb\xbf: hello\r\n"
      "event: log\r\ndata: a\r\ndata:b\r\nid: 5\r\n\r\n"
      "retry: 250\n\n"
      "event: nothing\n\n"
      "data\n\n"
      "id\ndata: c\rdata:  d\r\r"
      "data: unfinished";
  for (std::size_t size = 1; size <= bytes.size(); ++size) {
    std::vector<std::string> events;
    EventStream stream([&](const ServerEvent& event) {
      events.push_back(event.type + "|" + event.data + "|" + event.id);
      return true;
    });
    for (std::size_t at = 0; at < bytes.size(); at += size) EXPECT_TRUE(stream.feed(bytes.substr(at, size)));
    EXPECT_EQ(events, (std::vector<std::string>{"log|a\nb|5", "message||5", "message|c\n d|"})) << size;
    EXPECT_EQ(stream.retry(), std::chrono::milliseconds(250));
    EXPECT_EQ(stream.last_id(), "");
  }
}

TEST(EventStream, StopsWhenToldAndForgetsWhatABrokenConnectionLeft) {
  int count = 0;
  EventStream stream([&](const ServerEvent&) { return ++count < 2; });
  EXPECT_TRUE(stream.feed("id: 1\ndata: a\n\ndata: half"));
  stream.restart();
  EXPECT_FALSE(stream.feed("data: b\n\ndata: c\n\n"));
  EXPECT_FALSE(stream.feed("data: d\n\n"));
  EXPECT_EQ(count, 2);
  EXPECT_EQ(stream.last_id(), "1");
}

}  // namespace
}  // namespace runner::cli
