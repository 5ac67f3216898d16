#pragma once
// The one thread that waits for sockets and timers, and the transports it moves bytes with. Asio is behind
// it; what is above sees calls and callbacks only, which keeps Asio in three files, and connections free of
// templates.
//
// All of it belongs to the thread in Reactor::run(), where all callbacks run too, unless said otherwise. A
// callback is never called from inside the call that it was given to.

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

#include "runner/base/clock.h"
#include "runner/base/fd.h"

namespace boost::asio {
class io_context;
}

namespace runner::http {

class Reactor {
 public:
  Reactor();
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Any thread. `call` is dropped when run() has ended and drain() is not called any more.
  void post(std::function<void()> call);
  /// Blocks until stop(). What a callback throws is logged.
  void run() noexcept;
  /// Any thread. Twice: ok.
  void stop();
  /// After run(): the callbacks that are due, such as those of closed sockets. Does not wait.
  void drain() noexcept;

  boost::asio::io_context& context() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Calls once, at a time; not after it was destroyed, cancelled or set anew. Lives no longer than the
/// reactor.
class Timer {
 public:
  explicit Timer(Reactor& reactor);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Replaces what was set before.
  void set(SteadyPoint when, std::function<void()> call);
  void cancel() noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared, weakly, with what waits in the reactor
};

/// Waits for a descriptor, which it does not own, to be readable. Goes before the descriptor,
/// and does not call after that.
class Watch {
 public:
  Watch(Reactor& reactor, int fd);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void once(std::function<void(std::error_code)> call);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // as in Timer
};

/// How many bytes went; 0 without an error is the end of the stream (reading only).
using IoDone = std::function<void(std::error_code, std::size_t)>;

/// A connected stream socket. At most one read and one write at a time. The buffers stay until the callback;
/// so does the transport, after close() too: what was pending then ends with an error.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual void handshake(std::function<void(std::error_code)> done) = 0;
  /// Some bytes, as many as there are.
  virtual void read(std::span<char> into, IoDone done) = 0;
  /// Some of the bytes.
  virtual void write(std::string_view bytes, IoDone done) = 0;
  /// Tells the other side that nothing follows. Not while a read or write is pending.
  virtual void goodbye(std::function<void()> done) = 0;
  virtual void close() noexcept = 0;
};

/// `fd`: a connected stream socket.
std::unique_ptr<Transport> plain_transport(Reactor& reactor, UniqueFd fd);

}  // namespace runner::http
