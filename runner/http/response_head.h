#pragma once
// The head of an answer as bytes (RFC 9112). Pure; any thread.

#include <string>
#include <string_view>

#include "runner/http/message.h"

namespace runner::http {

/// How an answer is put on the connection.
struct Framing {
  bool keep_alive = true;
  bool http_1_0 = false;
  bool head_only = false;  // the answer to HEAD
  bool has_body = true;    // bytes follow; set by frame()
  bool chunked = false;    // set by frame()
};

/// Decides on the body: none for HEAD, 204 and 304; chunks for streams, which HTTP/1.0 gets up to the end of
/// the connection.
Framing frame(const Response& response, Framing framing);

/// Status line, fields, empty line. Throws Error{internal} for a status, a name or a value that would break
/// the head, as a line break would.
std::string format_head(const Response& response, const Framing& framing, std::string_view request_id,
                        std::string_view date);

/// One chunk; of no bytes: the last.
std::string format_chunk(std::string_view bytes);

/// A request id that may go into logs and heads: 1 to 128 of [A-Za-z0-9._-].
bool is_request_id(std::string_view id) noexcept;

}  // namespace runner::http
