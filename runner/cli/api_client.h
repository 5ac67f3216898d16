#pragma once
// Requests to the API of a server (`runner serve`), over HTTP(S) or its unix socket.
//
// libcurl does the transport. It is initialised by the first ApiClient, so that commands which need no server
// pay nothing for it.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::cli {

struct ApiEndpoint {
  std::string url;                // "https://ci.example.com", no slash at the end
  std::filesystem::path socket;   // not empty: connect to this instead; `url` only names the host then
  std::string token;              // may be empty
  std::filesystem::path ca_file;  // empty: the certificates of the system
  std::string shown;              // as messages name it

  /// What requests begin with.
  std::string base() const { return url + "/api/v1"; }
};

struct ApiTimeouts {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds call{300'000};    // a whole request; a server may have to ask another one
  std::chrono::milliseconds silence{60'000};  // of a stream, without a byte; servers send more often
};

struct ApiResponse {
  int status = 0;
  std::string content_type, retry_after, location;
  std::string body;
};

/// What became of a stream.
enum class StreamEnd : unsigned char {
  complete,  // the server ended it
  stopped,   // the sink said so
  broken,    // the connection broke, or was silent for too long; what came before was handed out
};

/// One thread. Blocks.
class ApiClient {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  /// Gets the bytes of a successful answer (status 2xx) as they come. False stops it. What it throws passes
  /// through.
  using Sink = std::function<bool(std::string_view bytes)>;

  /// Throws Error when libcurl cannot be used.
  explicit ApiClient(ApiEndpoint endpoint, ApiTimeouts timeouts = {});
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;
  ~ApiClient();

  const ApiEndpoint& endpoint() const;

  /// `path` is below /api/v1, encoded, with its query. `json` goes as the body unless it is empty. Redirects
  /// are answers like others: the token goes to nobody else. A GET is tried once more when the connection is
  /// reset before an answer came.
  /// Throws Error{unavailable} when nobody answers, Error{timeout}, Error{corrupt} when the answer is longer
  /// than kMaxAnswer or no HTTP.
  ApiResponse call(std::string_view method, std::string_view path, std::string_view json = {});

  /// A GET whose answer goes to `sink`, however long it takes. The answer of another status comes back whole
  /// in `answer`, and nothing goes to the sink. Throws as call() does, as long as nothing was handed out.
  StreamEnd stream(std::string_view path, const Fields& fields, const Sink& sink, ApiResponse& answer);

  static constexpr std::size_t kMaxAnswer = std::size_t{32} << 20U;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One segment of a path or a value of a query, percent-encoded (RFC 3986).
std::string url_encode(std::string_view text);

}  // namespace runner::cli
