#pragma once
// Bodies that other threads feed while they are sent: event streams and logs that are followed.
//
//   auto [handle, body] = make_stream({.events = true});
//   feed.subscribe(handle);                      // writes from whatever thread it likes, from now on
//   return stream_response(std::move(body));
//
// A writer never waits for a reader. Between them is a bounded buffer; when it would overflow, the reader is
// too slow and is disconnected. Who has much to say at once (the log so far) writes what there is room for
// and goes on when told that there is room.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace runner::http {

struct StreamOptions {
  std::size_t buffer_bytes = std::size_t{1} << 20U;
  bool events = false;                          // text/event-stream; only these have heartbeats
  std::chrono::milliseconds heartbeat{15'000};  // of silence, then a comment is sent; 0 = none
};

/// Why nobody reads any more.
enum class GoneReason : std::uint8_t {
  client,  // it went away (also: it closed its sending half, which cannot be told from going away)
  slow,    // it read too slowly, and was disconnected
  server,  // the server stops, or the answer was never sent (a HEAD request)
};
std::string_view to_string(GoneReason reason) noexcept;

struct StreamState;

/// The writer's end. Copies write to the same stream; when the last one goes, the stream ends as by close().
/// Any thread, several at once. Nothing blocks, nothing calls back from inside a lock.
class StreamHandle {
 public:
  /// All of `bytes` or nothing. False when nobody reads any more: the reader is gone, close() was called, or
  /// there is no room, in which case the reader is disconnected.
  bool write(std::string_view bytes);
  /// How much write() would take now; 0 when nobody reads any more.
  std::size_t room() const;
  /// The end: what was written is still sent. Twice: ok.
  void close();
  /// `call` runs once when the reader is gone before close(); at once when it is gone already. It runs in the
  /// thread that noticed, maybe in the writer's own write(), maybe in the reactor: it must not block or
  /// throw.
  void on_gone(std::function<void(GoneReason)> call);
  /// `call` runs in the reactor each time all that was written has been taken: it must not block or throw,
  /// but tell the thread that writes. Not called before the first write.
  void on_room(std::function<void()> call);

 private:
  friend std::pair<StreamHandle, class StreamBody> make_stream(const StreamOptions& options);
  struct Writer;                    // closes the stream when the last handle goes
  std::shared_ptr<Writer> writer_;  // shared: copies are the point, see above
};

/// The server's end, and that of tests. Move-only; when it goes, the reader is gone. One thread at a time.
class StreamBody {
 public:
  struct Taken {
    std::string bytes;
    bool ended = false;  // nothing comes after `bytes`
    bool gone = false;   // by overflow: the connection is to be cut
  };

  StreamBody(StreamBody&&) noexcept = default;
  StreamBody& operator=(StreamBody&& other) noexcept;
  StreamBody(const StreamBody&) = delete;
  StreamBody& operator=(const StreamBody&) = delete;
  ~StreamBody();

  const StreamOptions& options() const noexcept;
  /// All that is there. Never blocks.
  Taken take();
  /// The writer overflowed it.
  bool is_gone() const;
  /// `wake` runs in a writer's thread, once after each take(), when there is something to take. It must not
  /// throw.
  void wake_by(std::function<void()> wake);
  /// Nobody reads any more. Twice: ok, the first reason stays.
  void gone(GoneReason reason) noexcept;

 private:
  friend std::pair<StreamHandle, StreamBody> make_stream(const StreamOptions& options);
  StreamBody() = default;
  std::shared_ptr<StreamState> state_;  // shared with the handles, which may outlive the connection
};

std::pair<StreamHandle, StreamBody> make_stream(const StreamOptions& options = {});

/// One server-sent event (HTML standard, section 9.2). `type` and `id` hold no line breaks (they are left out
/// then); empty ones are left out; each line of `data` becomes a line of its own.
std::string format_event(std::string_view type, std::string_view data, std::string_view id = {});

}  // namespace runner::http
