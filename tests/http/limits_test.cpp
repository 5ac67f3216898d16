#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "tests/http/harness.h"

namespace runner::http {
namespace {

using std::chrono::milliseconds;
using testing::Client;
using testing::get;
using LimitsTest = testing::ServerTest;

/// All time-outs long but for the one that a test sets.
Limits patient() {
  Limits limits;
  limits.header_timeout = limits.body_timeout = limits.idle_timeout = limits.write_timeout =
      milliseconds(60'000);
  return limits;
}

TEST_F(LimitsTest, TurnSlowHeadersAway) {
  Limits limits = patient();
  limits.header_timeout = milliseconds(100);
  start({.limits = limits});
  Client silent = connect();
  Client slow = connect();
  slow.send("GET /hello HTTP/1.1\r\nHost:");
  EXPECT_EQ(slow.read_answer().status, 408);
  EXPECT_TRUE(slow.ends());
  EXPECT_TRUE(silent.ends());
  EXPECT_EQ(wait_for_records(1)[0].status, 408);
}

TEST_F(LimitsTest, CountTheWholeHeadAndNotEachByte) {
  Limits limits = patient();
  limits.header_timeout = milliseconds(300);
  start({.limits = limits});
  Client client = connect();
  const auto begin = std::chrono::steady_clock::now();
  client.send("GET /hello HTTP/1.1\r\nHost: x\r\nA: ");
  // A byte now and then keeps nothing alive: so many bytes would last for ten seconds.
  for (int i = 0; i < 1000 && server->stats().requests == 0 && client.send("a"); ++i) ::poll(nullptr, 0, 10);
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

TEST_F(LimitsTest, TurnSlowBodiesAway) {
  Limits limits = patient();
  limits.body_timeout = milliseconds(100);
  start({.limits = limits});
  Client client = connect();
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_TRUE(client.ends());
}

TEST_F(LimitsTest, EndIdleConnections) {
  Limits limits = patient();
  limits.idle_timeout = milliseconds(100);
  start({.limits = limits});
  Client client = connect();
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(client.ends());
}

TEST_F(LimitsTest, TakeLineEndsBetweenRequestsForNoRequest) {
  Limits limits = patient();
  limits.idle_timeout = milliseconds(100);
  start({.limits = limits});
  Client client = connect();
  client.send(get("/hello") + "\r\n\n");
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(client.ends());  // as an idle one, without a word
}

TEST_F(LimitsTest, CutClientsThatDoNotRead) {
  write_file_atomic(file, std::string(64U << 20U, 'x'), 0644, false);
  Limits limits = patient();
  limits.write_timeout = milliseconds(200);
  start({.limits = limits});
  Client client = connect();
  client.send(get("/file"));
  const auto records = wait_for_records(1);
  EXPECT_FALSE(records[0].complete);
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
}

TEST_F(LimitsTest, CutClientsThatReadTooSlowlyOnTheWhole) {
  write_file_atomic(file, "", 0644, false);
  std::filesystem::resize_file(file, std::uint64_t{4} << 30U);
  Limits limits = patient();
  limits.write_timeout = milliseconds(500);
  limits.body_bytes_per_second = std::uint64_t{4} << 30U;
  const auto path = directory.path() / "socket";  // whose buffers in the kernel are small
  start({.unix_sockets = {{.path = path}}, .limits = limits});
  Client client = Client::unix_socket(path);
  client.send(get("/file"));
  // It reads all the time, but all of it would take a minute or so.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (records().empty() && std::chrono::steady_clock::now() < deadline) {
    ASSERT_FALSE(client.read_bytes(64U << 10U).empty());
    ::poll(nullptr, 0, 1);
  }
  ASSERT_EQ(records().size(), 1U) << "it may go on";
  EXPECT_FALSE(records()[0].complete);
}

TEST_F(LimitsTest, CutFollowersThatDoNotRead) {
  Limits limits = patient();
  limits.write_timeout = milliseconds(200);
  stream_options.buffer_bytes = 64U << 20U;
  start({.limits = limits});
  Client client = connect();
  client.send(get("/stream"));
  client.read_head();
  StreamHandle handle = stream(0);
  std::atomic<int> gone = -1;
  handle.on_gone([&](GoneReason reason) { gone = static_cast<int>(reason); });
  EXPECT_TRUE(handle.write(std::string(32U << 20U, 'x')));
  EXPECT_TRUE(eventually([&] { return gone == static_cast<int>(GoneReason::slow); }));
}

TEST_F(LimitsTest, WaitLongerThanAnyTimeOutForAHandler) {
  Limits limits;
  limits.header_timeout = limits.body_timeout = limits.idle_timeout = limits.write_timeout = milliseconds(50);
  start({.limits = limits});
  Client client = connect();
  client.send(get("/wait"));
  ASSERT_TRUE(gate.wait_for(1));
  Client other = connect();
  EXPECT_TRUE(other.ends());  // so much time passed
  gate.open();
  EXPECT_EQ(client.read_answer().body, "waited");
}

TEST_F(LimitsTest, HoldForAllConnectionsAndForEachAddress) {
  Limits limits = patient();
  limits.connections = 4;
  limits.connections_per_address = 3;
  start({.tcp = {{.address = "127.0.0.1", .port = 0}, {.address = "::1", .port = 0}}, .limits = limits});
  std::vector<Client> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(connect());
    held.back().send(get("/hello"));
    EXPECT_EQ(held.back().read_answer().status, 200);
  }
  EXPECT_EQ(connect().read_answer().status, 503);
  held.push_back(Client::tcp(server->port(1), "::1"));
  held.back().send(get("/hello"));
  EXPECT_EQ(held.back().read_answer().status, 200);
  EXPECT_EQ(Client::tcp(server->port(1), "::1").read_answer().status, 503);
  EXPECT_EQ(server->stats().refused, 2U);
  held.clear();
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
  EXPECT_EQ(ask(get("/hello")).status, 200);
}

TEST_F(LimitsTest, HoldForAllBodiesTogether) {
  Limits limits = patient();
  limits.all_bodies_bytes = 3U << 20U;
  start({.limits = limits});
  const std::string head = "PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: 2500000\r\n\r\n";
  Client first = connect();
  first.send(head + std::string(2'000'000, 'x'));
  ASSERT_TRUE(eventually([&] { return server->stats().bodies_bytes == 2'000'000; }));
  Client second = connect();
  second.send(head + std::string(2'499'999, 'x'));
  EXPECT_EQ(second.read_answer().status, 503);
  first.send(std::string(500'000, 'x'));
  EXPECT_EQ(first.read_answer().body.size(), 2'500'000U);
  second.close();
  ASSERT_TRUE(eventually([&] { return server->stats().bodies_bytes == 0; }));
  Client third = connect();
  third.send(head + std::string(2'500'000, 'x'));
  EXPECT_EQ(third.read_answer().status, 200);
}

TEST_F(LimitsTest, EndAConnectionThatTalksDuringAStream) {
  start();
  Client client = connect();
  client.send(get("/stream"));
  client.read_head();
  client.send(std::string(64U << 10U, 'x'));
  client.read_all();
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
  EXPECT_FALSE(stream(0).write("x"));
}

}  // namespace
}  // namespace runner::http
