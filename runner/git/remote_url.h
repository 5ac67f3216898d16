#pragma once
// What a remote's URL says. Pure; any thread.

#include <cstdint>
#include <string>
#include <string_view>

namespace runner::git {

/// The URL without what must not be shown: no password, and for http(s) no user either (it may be a token).
std::string without_credentials(std::string_view url);

/// The text with "user:password@" of each URL in it replaced by "***@": for what servers and libraries say.
std::string mask_urls(std::string_view text);

/// "group/sub/name" of "https://host/group/sub/name.git", "git@host:group/sub/name.git" and the like; of a
/// plain directory its last part. Empty when there is none.
std::string project_path_of(std::string_view url);

enum class Scheme : std::uint8_t { local, http, https, ssh };

struct RemoteUrl {
  Scheme scheme = Scheme::local;
  std::string user, password;  // what was in it, decoded
  std::string host;            // lower case, an IPv6 address without brackets
  std::uint16_t port = 0;      // the scheme's own when none is named
  std::string path;            // of a directory; or with the query, as it goes to the server
  std::string shown;           // for people and for files: without credentials

  /// "host", "host:8443", "[::1]:8443": the port when it is not the scheme's own.
  std::string authority() const;
};

/// Throws Error{invalid_input} for another scheme, and for what no server may be told: line ends, a host or a
/// path that begins with '-'.
RemoteUrl parse_remote_url(std::string_view url);

}  // namespace runner::git
