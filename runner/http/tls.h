#pragma once
// TLS on a connection: OpenSSL by way of Asio.

#include <filesystem>
#include <memory>

#include "runner/base/fd.h"
#include "runner/http/reactor.h"

namespace runner::http {

struct TlsFiles {
  std::filesystem::path certificate_chain;  // PEM: the server's certificate first
  std::filesystem::path private_key;        // PEM, without a passphrase
};

/// A certificate with its key, read. Shared by the connections that began with it, which outlive a reload.
class TlsContext;

/// TLS 1.2 and later. Any thread. Throws Error{invalid_input} that names the file when it cannot be read, is
/// no PEM, or the key is of another certificate.
std::shared_ptr<TlsContext> load_tls(const TlsFiles& files);

/// `fd`: a connected stream socket, whose first bytes are the client's hello.
std::unique_ptr<Transport> tls_transport(Reactor& reactor, UniqueFd fd, std::shared_ptr<TlsContext> context);

}  // namespace runner::http
