#pragma once
// One request over http or https, or over a socket of this machine, and its answer, by libcurl. The answer is
// read as it comes and as it is needed: while nobody reads, the server waits. A request that a kept
// connection took before it ended without a word is sent again at once on another, whatever its method. One
// thread for each transfer.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/patience.h"

namespace runner {

/// A body that is read while it is sent, on the thread of the transfer. What its functions throw ends the
/// transfer, and comes out of head() or read_some().
struct HttpSource {
  /// Gives at least one byte, or 0 at the end. It may block; that time counts for the whole only.
  std::function<std::size_t(char* buffer, std::size_t size)> read;
  /// Its length in bytes; sent in chunks when it is not known. A source that ends earlier: Error{corrupt}.
  std::optional<std::uint64_t> size;
  /// Back to its begin: a kept connection may turn out to be closed only when it is used. Empty: it cannot,
  /// and such a request fails with Error{unavailable}.
  std::function<void()> rewind;
};

struct HttpRequest {
  std::string url;                  // without credentials
  std::string method = "GET";       // or HEAD, POST, PUT, PATCH, DELETE
  std::string body;                 // of methods other than GET and HEAD
  HttpSource source;                // used in place of `body` when it has `read`
  std::vector<std::string> fields;  // "Name: value"; the caller lets no line end into a value
  std::string user, password;       // Basic, sent at once and to this host and port only; both empty: none
  /// PEM file of the only authorities that may have signed the server's certificate. Empty: this machine's,
  /// or those of GIT_SSL_CAINFO, SSL_CERT_FILE and SSL_CERT_DIR.
  std::filesystem::path authorities;
  bool insecure = false;              // any certificate will do: who reads along is not known
  std::filesystem::path unix_socket;  // connects there, whatever host `url` names, and by no proxy
  std::string agent = "runner";
  bool follow_redirects = false;  // of GET and HEAD, never from https to http; else redirects are answers
  bool compressed = false;        // the answer may be
};

struct HttpHead {
  long status = 0;
  std::string content_type;                   // lower case
  std::string url;                            // where redirects led
  long retry_after = 0;                       // seconds; 0 when it was not said
  std::map<std::string, std::string> fields;  // names in lower case; of several the last
  std::vector<std::string> challenges;        // all WWW-Authenticate
};

class HttpTransfer {
 public:
  /// Sends when head() is asked for. `patience` outlives it. Throws Error{internal} for a request that cannot
  /// be sent as it is.
  HttpTransfer(HttpRequest request, Patience& patience);
  /// Keeps the connection for the thread's next transfer when the answer was read to its end.
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  /// Waits for the head of the answer, not for its body; blocks as `patience` allows, its stop ends it at
  /// once. Throws Error: unavailable, timeout, cancelled; invalid_input for a certificate that is not
  /// trusted.
  HttpHead head();
  /// At least one byte, or 0 at the end of the answer. Blocks and throws the same.
  std::size_t read_some(char* buffer, std::size_t size);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner
