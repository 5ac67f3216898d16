#pragma once
// What a request to a registry shows of who we are: tokens and their cache, or Basic. Sources: the Docker
// Registry v2 token authentication and OAuth2 specifications. Internal to this folder. Any thread.

#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "registry/challenge.h"
#include "registry/hosts.h"
#include "registry/logins.h"
#include "runner/base/clock.h"

namespace runner::registry {

/// What one request shows.
struct Grant {
  std::string field;                 // "Authorization: ..."; "" nothing
  std::vector<std::string> secrets;  // of it: what no message may hold
  bool has_login = false;
};

class Authorizer {
 public:
  /// All outlive it.
  Authorizer(const Logins& logins, const ClientOptions& options, Hosts& hosts, const Clock& clock);

  /// Nothing as long as the host at `base` asked for nothing; else a token for `scopes`, kept while it is
  /// good, or Basic. Blocks for both. Throws Error: invalid_input when a login is missing or refused.
  Grant grant(const Url& base, const Reference& image, const std::vector<std::string>& scopes,
              const std::stop_token& stop);
  /// The host answered 401 with these fields: takes what it wants, and forgets the token for `scopes`. Throws
  /// Error{invalid_input} when it wants what we do not know.
  void challenged(const Url& base, const Reference& image, const std::vector<std::string>& scopes,
                  const std::vector<std::string>& fields);

 private:
  struct Token {
    std::string text;
    SteadyPoint until;
  };
  std::optional<Login> login_of(const Reference& image, const std::stop_token& stop);
  Token fetch(const Url& base, const Challenge& challenge, const std::vector<std::string>& scopes,
              const std::optional<Login>& login, const std::stop_token& stop) const;

  const Logins& logins_;
  const ClientOptions& options_;
  Hosts& hosts_;
  const Clock& clock_;
  std::mutex mutex_;                                          // never held while something is waited for
  std::map<std::string, Challenge> challenges_;               // by host
  std::map<std::string, std::optional<Login>> known_logins_;  // by repository
  std::map<std::string, Token> tokens_;                       // by repository of the login and scopes
};

}  // namespace runner::registry
