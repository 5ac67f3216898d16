#pragma once
// The HTTP/1.1 server: sockets, threads, limits. It knows nothing of what its handlers do.
//
// Threads: one reactor, which moves all bytes; a pool for handlers; one for reading files. Plain callbacks,
// no coroutines. Not spoken: HTTP/2, upgrades, trailers (dropped), several ranges at once (the whole is
// sent).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/http/message.h"
#include "runner/http/router.h"
#include "runner/http/tls.h"

namespace runner::http {

/// What clients may cost. Who exceeds one is answered (408, 413, 414, 431, 503) or cut off, and nobody else
/// notices.
struct Limits {
  std::size_t header_bytes = 16U << 10U;  // request line and fields; that much each connection holds anyway
  std::size_t header_fields = 128;
  std::size_t target_bytes = 8U << 10U;
  std::uint64_t body_bytes = 1U << 20U;          // of a route without a limit of its own
  std::uint64_t all_bodies_bytes = 256U << 20U;  // that are in memory at once
  std::size_t connections = 1024;
  std::size_t connections_per_address = 256;  // not for unix sockets; a proxy before us is one address
  std::chrono::milliseconds header_timeout{
      10'000};  // from the first byte to the last one; TLS handshake likewise
  std::chrono::milliseconds body_timeout{30'000};  // without a byte of the body
  // Bodies of requests and answers, but streams, may not be slower on the whole, after the first body_timeout
  // or write_timeout.
  std::uint64_t body_bytes_per_second = 1024;
  std::chrono::milliseconds idle_timeout{60'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // without a byte that the client takes
  std::chrono::milliseconds linger_timeout{2'000};  // for the client to see the last answer and close
};

/// One answered request, or one that was refused or broken off (then some of it is empty).
struct AccessRecord {
  std::string request_id;
  std::string method;
  std::string target;      // without the values of the query
  std::string_view route;  // its pattern, of the server's router; empty when nothing answers this
  Peer peer;
  int status = 0;                         // 0: the connection broke before an answer
  std::uint64_t body_bytes = 0;           // sent; of chunks, with their heads
  std::chrono::microseconds duration{0};  // from the first byte of the request to the last of the answer
  bool complete = false;                  // the answer was sent whole
};

struct TcpListen {
  std::string address = "127.0.0.1";  // in digits, IPv4 or IPv6
  std::uint16_t port = 0;             // 0: any free one, see Server::port()
  std::optional<TlsFiles> tls = {};
};

struct UnixListen {
  std::filesystem::path path;
  unsigned mode = 0660;
};

struct ServerOptions {
  std::vector<TcpListen> tcp = {};
  std::vector<UnixListen> unix_sockets = {};
  Limits limits = {};
  std::size_t handler_threads = 4;
  /// Runs in the reactor after each request: it must not block. What it throws is logged.
  std::function<void(const AccessRecord&)> access_log = {};
};

struct ServerStats {
  std::size_t connections = 0;
  std::size_t streams = 0;
  std::uint64_t requests = 0;      // answered
  std::uint64_t refused = 0;       // connections beyond the limits
  std::uint64_t bodies_bytes = 0;  // of requests, in memory now
  std::size_t in_flight = 0;       // requests whose head has come, not yet answered whole; streams too
  SteadyPoint last_request{};      // when the reactor took notice of the newest one
};

/// Any thread, unless said otherwise.
class Server {
 public:
  /// Binds and listens, but answers nothing yet. Throws Error when a socket or a certificate cannot be used.
  Server(ServerOptions options, Router router);
  /// stop() without grace; blocks until the handlers that run have ended, as what they use may go next. Not
  /// in a handler.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Once. Throws Error.
  void start();
  /// Of options.tcp[index].
  std::uint16_t port(std::size_t index = 0) const;
  /// Reads all certificates and keys again, for connections from now on. Throws Error; the old ones stay
  /// then. Blocks on the disk.
  void reload_tls();
  ServerStats stats() const noexcept;

  /// Stops accepting and ends idle connections and streams; requests that have begun go on for `grace` at
  /// most, then their connections are cut. Does not block. A second call may shorten the grace.
  void request_stop(std::chrono::milliseconds grace);
  /// request_stop(), then blocks until all connections are closed and all handlers have ended, but no longer
  /// than `grace` and a second. False when something still runs then: a handler that does not end. In a
  /// handler or a callback it does not wait, and says false. Twice: ok.
  bool stop(std::chrono::milliseconds grace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::http
