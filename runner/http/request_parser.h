#pragma once
// Bytes → requests (RFC 9112). Beast's parser is behind it. No sockets; one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runner/http/message.h"

namespace runner::http {

struct RequestHead {
  std::string method;
  std::string target;
  int minor = 1;  // of HTTP/1.x
  Headers headers;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
};

/// For one connection: reads one request after another.
class RequestParser {
 public:
  enum class Step : std::uint8_t {
    need_more,  // of the bytes from the first unconsumed one on
    head,       // head() is there; go on for the body
    body,       // some of it came; go on
    complete,   // take_head(), take_body(), reset()
    error,      // error_status() and error_text() say what to answer; the connection cannot be used further
  };

  RequestParser(std::size_t max_head_bytes, std::size_t max_fields);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// One step. `consumed`: how many of `bytes` are done with; the rest is to be given again, with more behind
  /// it when need_more is said. That is never more than `max_head_bytes`.
  Step feed(std::string_view bytes, std::size_t& consumed);

  const RequestHead& head() const noexcept;
  RequestHead take_head() noexcept;
  /// All of the body that came so far.
  std::string take_body() noexcept;
  std::size_t body_bytes() const noexcept;
  int error_status() const noexcept;
  const std::string& error_text() const noexcept;
  /// For the next request.
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::http
