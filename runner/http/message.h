#pragma once
// The HTTP server of the daemon, one folder: messages as values (here), routes (router.h), errors as answers
// (problem.h), bodies that others feed (stream.h), and the server itself (server.h).
//
// What a handler gets and gives. Plain values, so that handlers are functions `Response handle(const
// Request&)` that are tested without sockets. One thread at a time.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runner/base/fd.h"
#include "runner/http/stream.h"

namespace runner::http {

/// Fields in the order they came or were added; names are equal whatever their case.
class Headers {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  void add(std::string name, std::string value);
  /// In place of all fields of that name.
  void set(std::string name, std::string value);
  void erase(std::string_view name);
  /// The value of the first field of that name; nullptr when there is none. Valid until the next change.
  const std::string* find(std::string_view name) const noexcept;
  std::size_t count(std::string_view name) const noexcept;

  auto begin() const noexcept { return fields_.begin(); }
  auto end() const noexcept { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

/// Who is at the other end of a unix socket, as the kernel says (SO_PEERCRED, unix(7)).
struct Credentials {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int32_t pid = 0;
};

struct Peer {
  std::string address;  // "127.0.0.1", "::1"; empty for a unix socket
  std::uint16_t port = 0;
  bool tls = false;
  std::optional<Credentials> credentials;  // of a unix socket

  bool is_local_socket() const noexcept { return credentials.has_value(); }
};

struct Request {
  std::string id;      // of the client (X-Request-Id) or made; goes into logs and problem answers
  std::string method;  // "GET"; of a HEAD that a GET route answers: "HEAD"
  std::string path;    // as it came, still encoded, without the query
  std::vector<std::string> segments;  // of the path, decoded: "/a/b%2Fc/" is "a", "b/c", ""
  std::multimap<std::string, std::string, std::less<>> query;  // decoded
  std::map<std::string, std::string, std::less<>> parameters;  // what the route's pattern names, decoded
  Headers headers;
  std::string body;  // whole; not longer than the route allows
  Peer peer;

  /// nullptr when the route has no such parameter, or the query none of that name (the first then).
  const std::string* parameter(std::string_view name) const noexcept;
  const std::string* query_value(std::string_view name) const noexcept;
};

/// A part of a regular file. The server answers Range, If-Range, If-None-Match and If-Modified-Since for it
/// (RFC 9110), adds ETag (of size and time of change) and Last-Modified where the handler gave none, and
/// reads it piece by piece. A file that gets shorter while it is sent ends the connection.
struct FileBody {
  UniqueFd fd;                          // wins over `path`
  std::filesystem::path path;           // opened after the handler; missing is answered with 404
  std::uint64_t offset = 0;             // where the content begins in the file
  std::optional<std::uint64_t> length;  // default: up to the end
};

using Body = std::variant<std::string, FileBody, StreamBody>;

/// Move-only. Content-Length, Date, Connection, Transfer-Encoding and X-Request-Id are the server's; those of
/// a handler are replaced.
struct Response {
  int status = 200;
  Headers headers;
  Body body;
};

Response text_response(int status, std::string text, std::string content_type = "text/plain; charset=utf-8");
/// What the handle that belongs to `stream` writes, as it comes. An event stream gets its content type by
/// itself.
Response stream_response(StreamBody stream, std::string content_type = "text/plain; charset=utf-8");

/// "Not Found"; "Status" for one that RFC 9110 does not name.
std::string_view reason_phrase(int status) noexcept;

}  // namespace runner::http
