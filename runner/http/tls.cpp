#include "runner/http/tls.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl.hpp>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::http {

namespace asio = boost::asio;

class TlsContext {
 public:
  asio::ssl::context ssl{asio::ssl::context::tls_server};
};

namespace {

/// The one protocol we speak, for clients that ask (RFC 7301).
int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* offered, unsigned int offered_length, void* /*unused*/) {
  static constexpr unsigned char kOurs[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, length, kOurs, sizeof kOurs, offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

[[noreturn]] void refuse(const std::string& what, const boost::system::error_code& error) {
  throw Error(ErrorCode::invalid_input, what + ": " + error.message());
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(Reactor& reactor, UniqueFd fd, std::shared_ptr<TlsContext> context)
      : context_(std::move(context)),
        stream_(asio::generic::stream_protocol::socket(reactor.context(),
                                                       asio::generic::stream_protocol(0, 0), fd.get()),
                context_->ssl) {
    fd.release();
  }

  void handshake(std::function<void(std::error_code)> done) override {
    stream_.async_handshake(
        asio::ssl::stream_base::server,
        [done = std::move(done)](const boost::system::error_code& error) { done(error); });
  }

  void read(std::span<char> into, IoDone done) override {
    stream_.async_read_some(
        asio::buffer(into.data(), into.size()),
        [done = std::move(done)](const boost::system::error_code& error, std::size_t count) {
          // A client that cuts the connection without a goodbye ends it too: what it sends us has
          // a length of its own, so nothing is cut short unseen.
          const bool end = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
          done(end ? std::error_code() : std::error_code(error), count);
        });
  }

  void write(std::string_view bytes, IoDone done) override {
    stream_.async_write_some(asio::buffer(bytes.data(), bytes.size()),
                             [done = std::move(done)](const boost::system::error_code& error,
                                                      std::size_t count) { done(error, count); });
  }

  void goodbye(std::function<void()> done) override {
    // Ends when the client said goodbye too, or closed; who calls has a deadline.
    stream_.async_shutdown([done = std::move(done)](const boost::system::error_code&) { done(); });
  }

  void close() noexcept override {
    boost::system::error_code ignored;  // the descriptor is closed whatever close(2) says
    stream_.next_layer().close(ignored);
  }

 private:
  std::shared_ptr<TlsContext> context_;
  asio::ssl::stream<asio::generic::stream_protocol::socket> stream_;
};

}  // namespace

std::shared_ptr<TlsContext> load_tls(const TlsFiles& files) {
  auto context = std::make_shared<TlsContext>();
  SSL_CTX* ssl = context->ssl.native_handle();
  SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
  SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, nullptr);
  boost::system::error_code error;
  context->ssl.use_certificate_chain_file(files.certificate_chain.string(), error);
  if (error) refuse("cannot use the certificate chain " + in_quotes(files.certificate_chain.string()), error);
  context->ssl.set_password_callback(
      [](std::size_t, asio::ssl::context::password_purpose) { return std::string(); });
  context->ssl.use_private_key_file(files.private_key.string(), asio::ssl::context::pem, error);
  if (error)
    refuse("cannot use the private key " + in_quotes(files.private_key.string()) + " with the certificate " +
               in_quotes(files.certificate_chain.string()),
           error);
  return context;
}

std::unique_ptr<Transport> tls_transport(Reactor& reactor, UniqueFd fd, std::shared_ptr<TlsContext> context) {
  return std::make_unique<TlsTransport>(reactor, std::move(fd), std::move(context));
}

}  // namespace runner::http
