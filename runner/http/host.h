#pragma once
// What the connections of one server share. Reactor only, but for the counters.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "runner/http/reactor.h"
#include "runner/http/router.h"
#include "runner/http/server.h"
#include "runner/http/worker_pool.h"

namespace runner::http {

class Connection;

struct Host {
  Router router;
  Limits limits;
  std::function<void(const AccessRecord&)> access_log;
  std::shared_ptr<Reactor> reactor;  // shared with the wake-ups of streams, which may outlive the server
  WorkerPool* handlers = nullptr;    // these two live until the reactor has ended
  WorkerPool* disk = nullptr;

  std::set<std::shared_ptr<Connection>> connections;  // a connection lives until it takes itself out
  std::function<void(const Peer&)> gone;              // it did
  bool stopping = false;

  std::atomic<std::size_t> connection_count = 0;
  std::atomic<std::size_t> streams = 0;
  std::atomic<std::uint64_t> bodies_bytes = 0;
  std::atomic<std::uint64_t> requests = 0;
  std::atomic<std::uint64_t> refused = 0;
  std::atomic<std::size_t> in_flight = 0;
  std::atomic<SteadyPoint::rep> last_request = 0;

  /// "5f2a9c1e77b0d3c4-1f": unlike those of other runs of the server, and short.
  std::string make_request_id();
  /// The current second as HTTP writes it.
  const std::string& date();

 private:
  std::string id_prefix_;
  std::uint64_t next_id_ = 0;
  std::int64_t date_second_ = -1;
  std::string date_;
};

/// For a message that moves without a pause longer than `pause`, but on the whole no slower than `rate`
/// (bytes a second): when to give up, now that so many bytes of it have moved since `began`.
SteadyPoint patience(SteadyPoint began, std::uint64_t bytes, std::chrono::milliseconds pause,
                     std::uint64_t rate);

/// When to give up. Setting it costs next to nothing: the timer behind it is left alone as long as it rings
/// early enough.
class Deadline {
 public:
  /// `expired` must keep alive what it needs.
  explicit Deadline(Reactor& reactor) : timer_(reactor) {}
  void on_expired(std::function<void()> expired) { expired_ = std::move(expired); }
  void in(std::chrono::milliseconds time);
  void at(SteadyPoint when);
  void never() noexcept { when_ = SteadyPoint::max(); }
  /// Lets go of the callback too.
  void close() noexcept;

 private:
  void ring();

  Timer timer_;
  std::function<void()> expired_;
  SteadyPoint when_ = SteadyPoint::max();
  SteadyPoint rings_ = SteadyPoint::max();  // when the timer is set for
};

}  // namespace runner::http
