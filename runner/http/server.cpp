#include "runner/http/server.h"

#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/synchronized.h"
#include "runner/http/connection.h"
#include "runner/http/host.h"
#include "runner/http/listen_socket.h"

namespace runner::http {
namespace {

using std::chrono::steady_clock;

constexpr int kAcceptAtOnce = 64;  // then others have their turn
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

/// Beyond the limits: told so if it can be done without waiting. A TLS client sees the close only.
void turn_away(int fd, bool tls) noexcept {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n";
  if (tls) return;
  std::array<char, 4096> unread{};
  // What lies unread makes a reset of the close, and that may overtake the answer. Who sends faster than this
  // reads gets the reset.
  for (int i = 0; i < 16; ++i) {
    if (::recv(fd, unread.data(), unread.size(), MSG_DONTWAIT) < static_cast<ssize_t>(unread.size())) break;
  }
  if (::send(fd, kAnswer.data(), kAnswer.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) ::shutdown(fd, SHUT_WR);
}

/// Threads made while it lives take no signals: those are for who made the server.
class WithoutSignals {
 public:
  WithoutSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  WithoutSignals(const WithoutSignals&) = delete;
  WithoutSignals& operator=(const WithoutSignals&) = delete;
  ~WithoutSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

struct Listener {
  ListenSocket socket;
  std::size_t tls_index = SIZE_MAX;  // in Impl::tls; SIZE_MAX: plain
  std::unique_ptr<Watch> watch;      // goes before the socket
  std::unique_ptr<Timer> pause;
  bool failing = false;  // and it was logged
};

}  // namespace

struct Server::Impl {
  using Contexts = std::vector<std::shared_ptr<TlsContext>>;

  void watch(Listener& listener);
  void accept_some(Listener& listener);
  void admit(Accepted accepted, const Listener& listener);
  void begin_stop(SteadyPoint when);
  void end_if_idle();
  void run() noexcept;
  bool is_own_thread() const;
  void load_contexts();

  ServerOptions options;
  std::shared_ptr<Reactor> reactor = std::make_shared<Reactor>();
  std::shared_ptr<Host> host = std::make_shared<Host>();  // shared with the connections
  std::vector<std::unique_ptr<Listener>> listeners;       // once started: reactor only
  std::vector<std::uint16_t> ports;
  Synchronized<Contexts> tls;
  std::map<std::string, std::size_t> per_address;
  std::optional<SteadyPoint> stop_at;
  Timer stop_timer{*reactor};
  std::unique_ptr<WorkerPool> handlers;
  std::unique_ptr<WorkerPool> disk;
  std::mutex mutex;
  std::condition_variable ended_changed;
  bool ended = false;
  std::thread thread;
};

void Server::Impl::load_contexts() {
  Contexts loaded;
  for (const TcpListen& listen : options.tcp) {
    if (listen.tls) loaded.push_back(load_tls(*listen.tls));
  }
  tls.lock()->swap(loaded);
}

void Server::Impl::watch(Listener& listener) {
  listener.watch->once([this, &listener](std::error_code error) {
    if (!error) accept_some(listener);
  });
}

void Server::Impl::accept_some(Listener& listener) {
  try {
    for (int i = 0; i < kAcceptAtOnce; ++i) {
      auto accepted = listener.socket.accept();
      if (!accepted) break;
      listener.failing = false;
      admit(std::move(*accepted), listener);
    }
  } catch (const std::exception& error) {
    // Mostly no descriptors are left. They come back when connections end; until then nothing is gained by
    // trying.
    if (!std::exchange(listener.failing, true)) log_error("http", error.what());
    listener.pause->set(steady_clock::now() + kAcceptPause, [this, &listener] { watch(listener); });
    return;
  }
  watch(listener);
}

void Server::Impl::admit(Accepted accepted, const Listener& listener) {
  const bool secure = listener.tls_index != SIZE_MAX;
  const std::string& address = accepted.peer.address;
  const auto known = per_address.find(address);
  const bool too_many_here = !address.empty() && known != per_address.end() &&
                             known->second >= options.limits.connections_per_address;
  if (too_many_here || host->connections.size() >= options.limits.connections) {
    ++host->refused;
    turn_away(accepted.fd.get(), secure);
    return;
  }
  accepted.peer.tls = secure;
  std::unique_ptr<Transport> transport =
      secure ? tls_transport(*reactor, std::move(accepted.fd), (*tls.lock())[listener.tls_index])
             : plain_transport(*reactor, std::move(accepted.fd));
  auto connection = std::make_shared<Connection>(host, std::move(transport), accepted.peer);
  std::size_t* const of_address = address.empty() ? nullptr : &per_address[address];
  host->connections.insert(connection);
  ++host->connection_count;
  if (of_address != nullptr) ++*of_address;
  connection->start();
}

void Server::Impl::begin_stop(SteadyPoint when) {
  host->stopping = true;
  listeners.clear();
  if (!stop_at || when < *stop_at) {
    stop_at = when;
    stop_timer.set(when, [this] {
      const auto connections = host->connections;
      for (const auto& connection : connections) connection->cut(GoneReason::server);
      reactor->stop();
    });
  }
  const auto connections = host->connections;
  for (const auto& connection : connections) connection->drain();
  end_if_idle();
}

void Server::Impl::end_if_idle() {
  if (host->stopping && host->connections.empty()) reactor->stop();
}

void Server::Impl::run() noexcept {
  { const std::lock_guard wait_for_start(mutex); }  // `thread` is set: handlers may ask for it
  reactor->run();
  reactor->drain();
  {
    const std::lock_guard lock(mutex);
    ended = true;
  }
  ended_changed.notify_all();
}

bool Server::Impl::is_own_thread() const {
  return thread.get_id() == std::this_thread::get_id() || (handlers && handlers->contains_this_thread()) ||
         (disk && disk->contains_this_thread());
}

Server::Server(ServerOptions options, Router router) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->load_contexts();
  std::size_t secure = 0;
  for (const TcpListen& listen : impl_->options.tcp) {
    auto listener = std::make_unique<Listener>(
        Listener{ListenSocket::tcp(listen.address, listen.port), SIZE_MAX, {}, {}, false});
    if (listen.tls) listener->tls_index = secure++;
    impl_->ports.push_back(listener->socket.port());
    impl_->listeners.push_back(std::move(listener));
  }
  for (const UnixListen& listen : impl_->options.unix_sockets) {
    impl_->listeners.push_back(std::make_unique<Listener>(
        Listener{ListenSocket::unix_socket(listen.path, listen.mode), SIZE_MAX, {}, {}, false}));
  }
  Host& host = *impl_->host;
  host.router = std::move(router);
  host.limits = impl_->options.limits;
  host.access_log = impl_->options.access_log;
  host.reactor = impl_->reactor;
}

Server::~Server() {
  try {
    request_stop(std::chrono::milliseconds(0));
    if (impl_->thread.joinable()) impl_->thread.join();
    impl_->handlers.reset();
    impl_->disk.reset();
    // What handlers posted after the end holds connections, and those hold the reactor.
    impl_->reactor->drain();
  } catch (const std::exception& error) {
    log_error("http", std::string("at the end: ") + error.what());
  }
  impl_->host->gone = nullptr;
}

void Server::start() {
  Impl& impl = *impl_;
  const WithoutSignals without_signals;
  impl.handlers = std::make_unique<WorkerPool>(impl.options.handler_threads);
  impl.disk = std::make_unique<WorkerPool>(1);
  impl.host->handlers = impl.handlers.get();
  impl.host->disk = impl.disk.get();
  impl.host->gone = [&impl](const Peer& peer) {
    if (const auto known = impl.per_address.find(peer.address);
        known != impl.per_address.end() && --known->second == 0)
      impl.per_address.erase(known);
    impl.end_if_idle();
  };
  for (const auto& listener : impl.listeners) {
    listener->watch = std::make_unique<Watch>(*impl.reactor, listener->socket.fd());
    listener->pause = std::make_unique<Timer>(*impl.reactor);
    impl.watch(*listener);
  }
  const std::lock_guard lock(impl.mutex);
  impl.thread = std::thread([&impl] { impl.run(); });
}

std::uint16_t Server::port(std::size_t index) const {
  return impl_->ports.at(index);
}

void Server::reload_tls() {
  impl_->load_contexts();
}

ServerStats Server::stats() const noexcept {
  const Host& host = *impl_->host;
  return {host.connection_count,
          host.streams,
          host.requests,
          host.refused,
          host.bodies_bytes,
          host.in_flight,
          SteadyPoint(SteadyPoint::duration(host.last_request.load()))};
}

void Server::request_stop(std::chrono::milliseconds grace) {
  impl_->reactor->post([impl = impl_.get(), when = steady_clock::now() + grace] { impl->begin_stop(when); });
}

bool Server::stop(std::chrono::milliseconds grace) {
  Impl& impl = *impl_;
  const SteadyPoint deadline = steady_clock::now() + grace + std::chrono::seconds(1);
  request_stop(grace);
  if (!impl.thread.joinable()) return true;
  if (impl.is_own_thread()) return false;
  {
    std::unique_lock lock(impl.mutex);
    if (!impl.ended_changed.wait_until(lock, deadline, [&] { return impl.ended; })) return false;
  }
  const bool handlers_ended = impl.handlers->finish(deadline);
  return impl.disk->finish(deadline) && handlers_ended;
}

}  // namespace runner::http
