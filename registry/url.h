#pragma once
// Addresses that registries give. Source: RFC 3986, as far as HTTP needs it. Internal to this folder. Pure.

#include <string>
#include <string_view>

namespace runner::registry {

struct Url {
  std::string scheme;  // "http", "https"
  std::string host;    // lower case, with the port when it is not the scheme's own
  std::string target;  // path and query, begins with '/'

  std::string text() const { return scheme + "://" + host + target; }
  bool has_origin_of(const Url& other) const { return scheme == other.scheme && host == other.host; }
};

/// Throws Error{unavailable} for what is no address of http or https, holds a user, or what HTTP cannot send.
Url parse_url(std::string_view text);
/// What `location`, whole or in part, means beside `base`. Throws the same.
Url resolve_url(const Url& base, std::string_view location);
/// With one more parameter in its query, whose value is encoded.
Url with_parameter(Url url, std::string_view name, std::string_view value);

/// Of this machine: "localhost", 127.0.0.0/8, "[::1]", with any port.
bool is_local(std::string_view host);

}  // namespace runner::registry
