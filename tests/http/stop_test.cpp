#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runner/base/error.h"
#include "tests/http/harness.h"

namespace runner::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::Client;
using testing::get;
using StopTest = testing::ServerTest;

TEST_F(StopTest, LetsRequestsInFlightEnd) {
  start();
  Client idle = connect();
  idle.send(get("/hello"));
  EXPECT_EQ(idle.read_answer().status, 200);
  Client busy = connect();
  busy.send(get("/wait") + get("/hello"));
  ASSERT_TRUE(gate.wait_for(1));
  server->request_stop(seconds(20));
  EXPECT_TRUE(idle.ends());
  EXPECT_TRUE(eventually([&] {
    try {
      connect();
      return false;
    } catch (const Error&) {
      return true;  // nobody listens any more
    }
  }));
  gate.open();
  const auto answer = busy.read_answer();
  EXPECT_EQ(answer.body, "waited");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(busy.ends());
  busy.close();
  EXPECT_TRUE(server->stop(seconds(20)));
  EXPECT_TRUE(server->stop(seconds(20)));
}

TEST_F(StopTest, ReadsTheRestOfARequestThatHasBegun) {
  start();
  Client client = connect();
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  server->request_stop(seconds(20));
  client.send("body");
  EXPECT_EQ(client.read_answer().body, "body");
  EXPECT_TRUE(client.ends());
}

TEST_F(StopTest, EndsStreamsInGoodOrder) {
  start();
  Client client = connect();
  client.send(get("/stream"));
  client.read_head();
  StreamHandle handle = stream(0);
  std::atomic<int> gone = -1;
  handle.on_gone([&](GoneReason reason) { gone = static_cast<int>(reason); });
  handle.write("last words");
  EXPECT_EQ(client.read_chunk(), "last words");
  server->request_stop(seconds(20));
  EXPECT_EQ(client.read_chunk(), "");
  EXPECT_TRUE(client.ends());
  client.close();
  EXPECT_TRUE(server->stop(seconds(20)));
  EXPECT_EQ(gone, static_cast<int>(GoneReason::server));
  EXPECT_FALSE(handle.write("x"));
}

TEST_F(StopTest, CutsWhatIsThereAfterTheGrace) {
  write_file_atomic(file, std::string(64U << 20U, 'x'), 0644, false);
  start();
  Client reader = connect();
  reader.send(get("/file"));
  reader.read_head();
  Client half = connect();
  half.send("GET /hello HT");
  Client busy = connect();
  busy.send(get("/wait"));
  ASSERT_TRUE(gate.wait_for(1));
  const auto begin = steady_clock::now();
  EXPECT_FALSE(server->stop(milliseconds(50)));  // the handler still runs
  EXPECT_LT(steady_clock::now() - begin, seconds(10));
  EXPECT_EQ(busy.read_answer().status, 0);
  EXPECT_TRUE(half.ends());
  gate.open();
  EXPECT_TRUE(server->stop(milliseconds(5000)));
}

TEST_F(StopTest, DoesNotWaitForAFollowerThatDoesNotRead) {
  stream_options.buffer_bytes = 4U << 20U;
  const auto path = directory.path() / "socket";  // whose buffers in the kernel are small
  start({.unix_sockets = {{.path = path}}});
  Client client = Client::unix_socket(path);
  client.send(get("/stream"));
  client.read_head();
  StreamHandle handle = stream(0);
  std::atomic<int> gone = -1;
  handle.on_gone([&](GoneReason reason) { gone = static_cast<int>(reason); });
  EXPECT_TRUE(handle.write(std::string(4U << 20U, 'x')));
  server->request_stop(milliseconds(50));
  EXPECT_TRUE(server->stop(seconds(20)));  // which makes the grace no longer
  EXPECT_EQ(gone, static_cast<int>(GoneReason::server));
}

TEST_F(StopTest, DropsAnswersThatComeTooLate) {
  std::optional<StreamHandle> handle;
  std::atomic<int> gone = -1;
  router.add({"GET", "/late", "late", [&](const Request&) {
                auto made = make_stream();
                handle = made.first;
                handle->on_gone([&](GoneReason reason) { gone = static_cast<int>(reason); });
                gate.pass();
                return stream_response(std::move(made.second));
              }});
  start();
  Client client = connect();
  client.send(get("/late"));
  ASSERT_TRUE(gate.wait_for(1));
  EXPECT_FALSE(server->stop(milliseconds(0)));  // the handler still runs
  server->request_stop(milliseconds(0));        // waits before the answer in a reactor that has ended
  gate.open();
  server.reset();
  EXPECT_EQ(gone, static_cast<int>(GoneReason::server));
}

TEST_F(StopTest, ComesFromAnyThread) {
  start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_TRUE(server->stop(seconds(20))); });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(StopTest, DoesNotWaitInAHandler) {
  std::atomic<int> said = -1;
  router.add({"POST", "/stop", "stop", [&](const Request&) {
                said = server->stop(seconds(20)) ? 1 : 0;
                return text_response(202, "stopping");
              }});
  start();
  Client client = connect();
  client.send("POST /stop HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 202);
  EXPECT_EQ(said, 0);
  client.close();
  EXPECT_TRUE(server->stop(seconds(20)));
}

TEST_F(StopTest, IsNothingForAServerThatWasNotStarted) {
  ServerOptions options;
  options.tcp.push_back({});
  Server fresh(options, Router());
  EXPECT_TRUE(fresh.stop(seconds(1)));
}

TEST_F(StopTest, LeavesStreamsToWritersThatGoOn) {
  start();
  Client client = connect();
  client.send(get("/stream"));
  client.read_head();
  StreamHandle handle = stream(0);
  std::atomic<bool> end = false;
  std::thread writer([&, handle]() mutable {
    while (!end) {
      if (!handle.write("x")) std::this_thread::yield();
    }
  });
  EXPECT_EQ(client.read_chunk().value_or("")[0], 'x');
  server.reset();
  end = true;
  writer.join();
  EXPECT_FALSE(handle.write("x"));
}

}  // namespace
}  // namespace runner::http
