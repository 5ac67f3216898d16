#include "runner/http/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <optional>
#include <thread>

#include "tests/http/harness.h"

namespace runner::http {
namespace {

using testing::Client;
using testing::get;
using StreamServerTest = testing::ServerTest;

TEST(Stream, HandsOverWhatWasWritten) {
  auto [handle, body] = make_stream({.buffer_bytes = 10});
  int wakes = 0;
  body.wake_by([&] { ++wakes; });
  EXPECT_TRUE(handle.write("abc"));
  EXPECT_TRUE(handle.write("def"));
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(handle.room(), 4U);
  int rooms = 0;
  handle.on_room([&] { ++rooms; });
  EXPECT_EQ(body.take().bytes, "abcdef");
  EXPECT_EQ(rooms, 1);
  EXPECT_FALSE(body.take().ended);
  EXPECT_EQ(rooms, 1);
  EXPECT_TRUE(handle.write("g"));
  EXPECT_EQ(wakes, 2);
  handle.close();
  EXPECT_FALSE(handle.write("h"));
  const auto last = body.take();
  EXPECT_EQ(last.bytes, "g");
  EXPECT_TRUE(last.ended);
  EXPECT_FALSE(last.gone);
}

TEST(Stream, DropsAReaderThatIsTooSlow) {
  auto [handle, body] = make_stream({.buffer_bytes = 10});
  int wakes = 0;
  body.wake_by([&] { ++wakes; });
  std::optional<GoneReason> gone;
  handle.on_gone([&](GoneReason reason) { gone = reason; });
  EXPECT_TRUE(handle.write("0123456789"));
  EXPECT_FALSE(gone);
  EXPECT_FALSE(handle.write("x"));
  EXPECT_EQ(gone, GoneReason::slow);
  EXPECT_EQ(wakes, 2);
  EXPECT_EQ(handle.room(), 0U);
  EXPECT_TRUE(body.is_gone());
  EXPECT_TRUE(body.take().gone);
}

TEST(Stream, TellsOnceThatTheReaderIsGone) {
  std::optional<StreamBody> body;
  auto made = make_stream();
  StreamHandle handle = made.first;
  body.emplace(std::move(made.second));
  int calls = 0;
  handle.on_gone([&](GoneReason) { ++calls; });
  body->gone(GoneReason::client);
  body.reset();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(handle.write("x"));
  std::optional<GoneReason> late;
  handle.on_gone([&](GoneReason reason) { late = reason; });
  EXPECT_EQ(late, GoneReason::client);
}

TEST(Stream, EndsWithTheLastHandle) {
  auto made = make_stream();
  StreamBody body = std::move(made.second);
  {
    const StreamHandle handle = std::move(made.first);
    const StreamHandle copy = handle;  // NOLINT(performance-unnecessary-copy-initialization)
    EXPECT_FALSE(body.take().ended);
  }
  EXPECT_TRUE(body.take().ended);
}

TEST(Stream, FormatsEventsSoThatNothingBreaksOutOfThem) {
  EXPECT_EQ(format_event("job", "a\nb\r\nc\rd", "7"),
            "id: 7\nevent: job\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
  EXPECT_EQ(format_event("bad\ntype", "", "bad\rid"), "data: \n\n");
}

TEST_F(StreamServerTest, SendsEventsAsTheyComeAndGoesOnWithTheConnection) {
  stream_options.events = true;
  start();
  Client client = connect();
  client.send(get("/stream"));
  const auto head = client.read_head();
  EXPECT_EQ(head.header("content-type"), "text/event-stream");
  EXPECT_EQ(head.header("transfer-encoding"), "chunked");
  StreamHandle handle = stream(0);
  EXPECT_TRUE(handle.write(format_event("a", "1")));
  EXPECT_EQ(client.read_chunk(), "event: a\ndata: 1\n\n");
  EXPECT_EQ(server->stats().streams, 1U);
  EXPECT_TRUE(handle.write(format_event("a", "2")));
  EXPECT_EQ(client.read_chunk(), "event: a\ndata: 2\n\n");
  handle.close();
  EXPECT_EQ(client.read_chunk(), "");
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().body, "hello\n");
  EXPECT_EQ(server->stats().streams, 0U);
}

// As a browser does when it connects again; the events come from a thread that outlives the handler.
TEST_F(StreamServerTest, GoesOnBehindTheLastEventThatAClientSaw) {
  std::vector<std::thread> writers;
  router.add({"GET", "/events", "events", [&](const Request& request) {
                auto made = make_stream({.events = true});
                const std::string* last = request.headers.find("Last-Event-ID");
                const int seen = last == nullptr ? 0 : std::stoi(*last);
                writers.emplace_back([this, handle = std::move(made.first), seen]() mutable {
                  gate.pass();
                  for (int id = seen + 1; id <= 3; ++id)
                    handle.write(format_event("", "e", std::to_string(id)));
                });
                return stream_response(std::move(made.second));
              }});
  start();
  Client client = connect();
  client.send(get("/events", "Last-Event-ID: 1\r\n"));
  EXPECT_EQ(client.read_head().status, 200);
  gate.open();
  std::string got;
  for (auto chunk = client.read_chunk(); chunk && !chunk->empty(); chunk = client.read_chunk()) got += *chunk;
  EXPECT_EQ(got, "id: 2\ndata: e\n\nid: 3\ndata: e\n\n");
  client.send(get("/hello"));
  EXPECT_EQ(client.read_answer().body, "hello\n");
  for (std::thread& writer : writers) writer.join();
}

TEST_F(StreamServerTest, SendsHeartbeatsInSilence) {
  stream_options = {.events = true, .heartbeat = std::chrono::milliseconds(20)};
  start();
  Client client = connect();
  client.send(get("/stream"));
  client.read_head();
  EXPECT_EQ(client.read_chunk(), ": heartbeat\n\n");
  EXPECT_EQ(client.read_chunk(), ": heartbeat\n\n");
}

TEST_F(StreamServerTest, GivesHttp10TheBytesAlone) {
  start();
  Client client = connect();
  client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.read_head().header("connection"), "close");
  StreamHandle handle = stream(0);
  handle.write("plain ");
  handle.write("bytes");
  handle.close();
  EXPECT_EQ(client.read_all(), "plain bytes");
}

TEST_F(StreamServerTest, NoticesAClientThatVanishes) {
  start();
  for (const bool reset : {false, true}) {
    Client client = connect();
    client.send(get("/stream"));
    client.read_head();
    StreamHandle handle = stream(reset ? 1 : 0);
    std::atomic<int> gone = -1;
    handle.on_gone([&](GoneReason reason) { gone = static_cast<int>(reason); });
    handle.write("x");
    EXPECT_EQ(client.read_chunk(), "x");
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    EXPECT_TRUE(eventually([&] { return gone == static_cast<int>(GoneReason::client); }));
    EXPECT_FALSE(handle.write("y"));
  }
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0 && server->stats().streams == 0; }));
}

TEST_F(StreamServerTest, SendsNothingForHead) {
  start();
  Client client = connect();
  client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" + get("/hello"));
  EXPECT_EQ(client.read_answer(true).status, 200);
  EXPECT_EQ(client.read_answer().body, "hello\n");
  EXPECT_FALSE(stream(0).write("x"));
}

TEST_F(StreamServerTest, ReplaysMoreThanTheBufferHoldsWhenThereIsRoom) {
  stream_options.buffer_bytes = 1000;
  start();
  Client client = connect();
  client.send(get("/stream"));
  client.read_head();
  StreamHandle handle = stream(0);
  std::mutex mutex;
  std::condition_variable changed;
  handle.on_room([&] {
    const std::lock_guard lock(mutex);
    changed.notify_one();
  });
  std::string all;
  for (int i = 0; i < 20'000; ++i) all += std::to_string(i) + "\n";
  std::thread writer([&, handle]() mutable {
    for (std::string_view rest = all; !rest.empty();) {
      const std::string_view piece = rest.substr(0, handle.room());
      if (piece.empty()) {
        std::unique_lock lock(mutex);
        changed.wait_for(lock, std::chrono::milliseconds(50), [&] { return handle.room() > 0; });
        continue;
      }
      if (!handle.write(piece)) break;
      rest.remove_prefix(piece.size());
    }
    handle.close();
  });
  std::string got;
  for (auto chunk = client.read_chunk(); chunk && !chunk->empty(); chunk = client.read_chunk()) got += *chunk;
  writer.join();
  EXPECT_EQ(got.size(), all.size());
  EXPECT_TRUE(got == all);
}

// One writer, 200 followers, of which one never reads. All others keep up, as the writer is paced by what
// they got.
TEST_F(StreamServerTest, DropsTheOneFollowerThatNeverReads) {
  constexpr std::size_t kFollowers = 200;
  constexpr std::size_t kPieces = 200;
  stream_options.buffer_bytes = std::size_t{64} << 10U;
  const auto path = directory.path() / "socket";  // whose buffers in the kernel are small
  start({.unix_sockets = {{.path = path}}});
  std::vector<Client> clients;
  std::vector<StreamHandle> handles;
  for (std::size_t i = 0; i < kFollowers; ++i) {
    clients.push_back(Client::unix_socket(path));
    clients.back().send(get("/stream"));
    handles.push_back(stream(i));
    if (i > 0) clients.back().read_head();
  }
  std::atomic<int> gone = -1;
  std::atomic<std::size_t> lost = 0;
  handles[0].on_gone([&](GoneReason reason) { gone = static_cast<int>(reason); });
  for (std::size_t i = 1; i < kFollowers; ++i) handles[i].on_gone([&](GoneReason) { ++lost; });
  bool dropped = false;
  for (std::size_t piece = 0; piece < kPieces; ++piece) {
    const std::string bytes(4096, static_cast<char>('a' + piece % 26));
    dropped = !handles[0].write(bytes);
    for (std::size_t i = 1; i < kFollowers; ++i) ASSERT_TRUE(handles[i].write(bytes));
    for (std::size_t i = 1; i < kFollowers; ++i)
      ASSERT_EQ(clients[i].read_chunk(), bytes) << piece << " of " << i;
  }
  EXPECT_TRUE(dropped);
  EXPECT_EQ(gone, static_cast<int>(GoneReason::slow));
  EXPECT_EQ(lost, 0U);
  for (std::size_t i = 1; i < kFollowers; ++i) {
    handles[i].close();
    EXPECT_EQ(clients[i].read_chunk(), "");
  }
  EXPECT_TRUE(eventually([&] { return server->stats().connections == kFollowers - 1; }));
  EXPECT_LT(clients[0].read_all().size(), kPieces * 4096);
}

TEST_F(StreamServerTest, TakesManyWritersAtOnce) {
  start();
  Client client = connect();
  client.send(get("/stream"));
  client.read_head();
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([handle = stream(0)]() mutable {
      for (int i = 0; i < 500; ++i) handle.write("line\n");
    });
  }
  std::size_t got = 0;
  while (got < std::size_t{4} * 500 * 5) {
    const auto chunk = client.read_chunk();
    ASSERT_TRUE(chunk);
    got += chunk->size();
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(got, 4U * 500 * 5);
}

}  // namespace
}  // namespace runner::http
