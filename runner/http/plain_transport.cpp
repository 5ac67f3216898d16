#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include "runner/http/reactor.h"

namespace runner::http {
namespace {

namespace asio = boost::asio;

class PlainTransport final : public Transport {
 public:
  // The protocol's numbers are for opening sockets; this one is open.
  PlainTransport(Reactor& reactor, UniqueFd fd)
      : reactor_(reactor), socket_(reactor.context(), asio::generic::stream_protocol(0, 0), fd.get()) {
    fd.release();
  }

  void handshake(std::function<void(std::error_code)> done) override {
    reactor_.post([done = std::move(done)] { done({}); });
  }

  void read(std::span<char> into, IoDone done) override {
    socket_.async_read_some(
        asio::buffer(into.data(), into.size()),
        [done = std::move(done)](const boost::system::error_code& error, std::size_t count) {
          done(error == asio::error::eof ? std::error_code() : std::error_code(error), count);
        });
  }

  void write(std::string_view bytes, IoDone done) override {
    socket_.async_write_some(asio::buffer(bytes.data(), bytes.size()),
                             [done = std::move(done)](const boost::system::error_code& error,
                                                      std::size_t count) { done(error, count); });
  }

  void goodbye(std::function<void()> done) override {
    boost::system::error_code gone;  // the other side went first
    socket_.shutdown(asio::socket_base::shutdown_send, gone);
    reactor_.post(std::move(done));
  }

  void close() noexcept override {
    boost::system::error_code ignored;  // the descriptor is closed whatever close(2) says
    socket_.close(ignored);
  }

 private:
  Reactor& reactor_;
  asio::generic::stream_protocol::socket socket_;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(Reactor& reactor, UniqueFd fd) {
  return std::make_unique<PlainTransport>(reactor, std::move(fd));
}

}  // namespace runner::http
