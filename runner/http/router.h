#pragma once
// Which handler answers a request. Filled at start, then only read: match() from any thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/http/message.h"

namespace runner::http {

/// Runs in a thread of the pool (or in the reactor, see Route::fast); several at once. It may block, but must
/// end: the server cannot be destroyed before. What it throws becomes a problem answer (problem.h).
using Handler = std::function<Response(const Request&)>;

struct Route {
  std::string method;
  /// Segments between slashes: a word stands for itself, "{name}" for any one that is not empty, "{name...}"
  /// at the end for one or more. "/a" and "/a/" are two things.
  std::string pattern;
  std::string name;  // stable, unique: the operation in the API's description
  Handler handler;
  /// The longest body; more is answered with 413. Default: what the server's limits say.
  std::optional<std::uint64_t> body_limit = {};
  /// Runs in the reactor, and everybody waits for it: only what neither blocks nor computes.
  bool fast = false;
  /// Requests of a fast route that run in a thread of the pool all the same. Quick. Empty: none.
  std::function<bool(const Request&)> unless = {};
};

struct RouteInfo {
  std::string method;
  std::string pattern;
  std::string name;
};

struct Match {
  const Route* route = nullptr;  // lives as long as the router; nullptr: nothing answers this
  std::map<std::string, std::string, std::less<>> parameters;
  std::vector<std::string> allow;  // methods of the path, sorted; empty: there is no such path
};

/// Move-only. A word is preferred to a "{name}", and this to a "{name...}", at the leftmost difference; but a
/// pattern without the method asked for is passed over when another has it.
class Router {
 public:
  Router();
  Router(Router&& other) noexcept;
  Router& operator=(Router&& other) noexcept;
  ~Router();

  /// Throws Error{invalid_input} when the pattern is none, Error{conflict} when method and pattern (whatever
  /// its names are) or the name are taken.
  void add(Route route);
  /// `segments` as in Request. A GET route answers HEAD, where there is no other for it.
  Match match(std::string_view method, const std::vector<std::string>& segments) const;
  /// In the order they were added.
  std::vector<RouteInfo> table() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What a server answers in place of a handler when `match` has no route: 404, 405, or the methods for
/// OPTIONS.
Response without_route(const Request& request, const Match& match);
/// Calls the handler, and makes a problem of what it throws; that is logged with the request's id.
Response call_handler(const Route& route, const Request& request);

}  // namespace runner::http
