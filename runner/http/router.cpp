#include "runner/http/router.h"

#include <algorithm>
#include <exception>
#include <set>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/http/problem.h"
#include "runner/http/target.h"

namespace runner::http {
namespace {

constexpr std::string_view kMethods[] = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};

/// One segment deep. Owns what is below.
struct Node {
  struct Leaf {
    std::unique_ptr<Route> route;
    std::vector<std::string> names;  // of the parameters, from left to right
  };

  std::map<std::string, Node, std::less<>> words;
  std::unique_ptr<Node> any;
  std::map<std::string, Leaf, std::less<>> leaves;       // by method, of the pattern that ends here
  std::map<std::string, Leaf, std::less<>> rest_leaves;  // of the one that ends with "{name...}" here
};

/// What a walk through the tree looks for, and what it found.
struct Search {
  std::string_view method;
  const std::vector<std::string>& segments;
  std::vector<std::string> values;  // of the parameters on the way here
  std::set<std::string> methods;
  Match match;

  void offer(const std::map<std::string, Node::Leaf, std::less<>>& leaves) {
    for (const auto& [name, leaf] : leaves) methods.insert(name);
    if (match.route != nullptr) return;
    auto found = leaves.find(method);
    if (found == leaves.end() && method == "HEAD") found = leaves.find("GET");
    if (found == leaves.end()) return;
    match.route = found->second.route.get();
    for (std::size_t i = 0; i < values.size(); ++i) match.parameters[found->second.names[i]] = values[i];
  }

  void walk(const Node& node, std::size_t at) {
    if (at == segments.size()) {
      offer(node.leaves);
      return;
    }
    const std::string& segment = segments[at];
    if (const auto word = node.words.find(segment); word != node.words.end()) walk(word->second, at + 1);
    if (segment.empty()) return;
    if (node.any) {
      values.push_back(segment);
      walk(*node.any, at + 1);
      values.pop_back();
    }
    if (!node.rest_leaves.empty()) {
      const std::vector<std::string> rest(segments.begin() + static_cast<std::ptrdiff_t>(at), segments.end());
      values.push_back(join(rest, "/"));
      offer(node.rest_leaves);
      values.pop_back();
    }
  }
};

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

[[noreturn]] void refuse(const Route& route, std::string_view why) {
  throw Error(ErrorCode::invalid_input,
              "route " + in_quotes(route.method + " " + route.pattern) + ": " + std::string(why));
}

}  // namespace

struct Router::Impl {
  Node root;
  std::vector<RouteInfo> table;
};

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::Router(Router&& other) noexcept = default;
Router& Router::operator=(Router&& other) noexcept = default;
Router::~Router() = default;

void Router::add(Route route) {
  if (std::find(std::begin(kMethods), std::end(kMethods), route.method) == std::end(kMethods))
    refuse(route, "unknown method; allowed are " +
                      join(std::vector<std::string>(std::begin(kMethods), std::end(kMethods)), ", "));
  if (!route.handler) refuse(route, "it has no handler");
  if (!is_name(replace_all(to_lower(route.name), ".", "_")))
    refuse(route, "its name is no word: " + in_quotes(route.name));
  if (!route.pattern.starts_with('/')) refuse(route, "a pattern begins with '/'");
  for (const RouteInfo& other : impl_->table) {
    if (other.name == route.name)
      throw Error(ErrorCode::conflict, "two routes are named " + in_quotes(route.name));
  }

  Node* node = &impl_->root;
  std::vector<std::string> names;
  auto* leaves = &node->leaves;
  const std::vector<std::string_view> segments = split(std::string_view(route.pattern).substr(1), '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    std::string_view segment = segments[i];
    if (!segment.starts_with('{')) {
      if (segment.find_first_of("{}%?#") != std::string_view::npos)
        refuse(route, "segment " + in_quotes(segment) + " is neither a word nor '{name}'");
      node = &node->words[std::string(segment)];
      leaves = &node->leaves;
      continue;
    }
    const bool rest = segment.ends_with("...}");
    if (!segment.ends_with('}')) refuse(route, "segment " + in_quotes(segment) + " lacks its '}'");
    if (rest && i + 1 != segments.size()) refuse(route, "'{name...}' stands at the end only");
    segment = segment.substr(1, segment.size() - (rest ? 5 : 2));
    if (!is_name(segment)) refuse(route, "parameter " + in_quotes(segment) + " is not of a-z, 0-9 and '_'");
    if (std::find(names.begin(), names.end(), segment) != names.end())
      refuse(route, "parameter " + in_quotes(segment) + " is there twice");
    names.emplace_back(segment);
    if (rest) {
      leaves = &node->rest_leaves;
    } else {
      if (!node->any) node->any = std::make_unique<Node>();
      node = node->any.get();
      leaves = &node->leaves;
    }
  }
  Node::Leaf& leaf = (*leaves)[route.method];
  if (leaf.route)
    throw Error(ErrorCode::conflict, "route " + in_quotes(route.method + " " + route.pattern) +
                                         " answers the same as " + in_quotes(leaf.route->pattern));
  impl_->table.push_back({route.method, route.pattern, route.name});
  leaf.names = std::move(names);
  leaf.route = std::make_unique<Route>(std::move(route));
}

Match Router::match(std::string_view method, const std::vector<std::string>& segments) const {
  Search search{method, segments, {}, {}, {}};
  search.walk(impl_->root, 0);
  if (!search.methods.empty()) {
    if (search.methods.contains("GET")) search.methods.insert("HEAD");
    search.methods.insert("OPTIONS");
  }
  search.match.allow.assign(search.methods.begin(), search.methods.end());
  return std::move(search.match);
}

std::vector<RouteInfo> Router::table() const {
  return impl_->table;
}

Response without_route(const Request& request, const Match& match) {
  const bool whole_server = request.path == "*" && request.method == "OPTIONS";
  if (match.allow.empty() && !whole_server)
    return problem_response(request, {.status = 404, .detail = "there is nothing at this path"});
  const std::string allow =
      whole_server ? join(std::vector<std::string>(std::begin(kMethods), std::end(kMethods)), ", ")
                   : join(match.allow, ", ");
  Response response;
  if (request.method == "OPTIONS") {
    response.status = 204;
  } else {
    response = problem_response(request, {.status = 405, .detail = "this path takes " + allow});
  }
  response.headers.set("Allow", allow);
  return response;
}

Response call_handler(const Route& route, const Request& request) {
  const std::string where = "request " + in_quotes(request.id) + ", " + request.method + " " + request.path;
  try {
    return route.handler(request);
  } catch (const Error& error) {
    Response response = problem_of(request, error);
    log(response.status >= 500 ? LogLevel::error : LogLevel::debug, "http", where + ": " + error.what());
    return response;
  } catch (const std::exception& error) {
    log_error("http", where + ": " + error.what());
  } catch (...) {
    log_error("http", where + ": an unknown exception");
  }
  return problem_response(request, {.status = 500});
}

}  // namespace runner::http
