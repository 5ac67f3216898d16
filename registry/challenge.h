#pragma once
// What a registry wants of whoever asks. Sources: RFC 9110 section 11 and the Docker Registry v2 token
// authentication specification. Internal to this folder. Pure.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/logins.h"
#include "runner/base/http_transfer.h"

namespace runner::registry {

struct Challenge {
  std::string scheme;                             // lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  // names in lower case

  std::string parameter(const std::string& name) const;
};

/// All challenges of fields WWW-Authenticate. What cannot be read ends its field.
std::vector<Challenge> parse_challenges(const std::vector<std::string>& fields);
/// The one that we follow: Bearer with a realm, else Basic. nullopt: none of them.
std::optional<Challenge> choose_challenge(const std::vector<std::string>& fields);

/// The question for a token: GET with Basic, or nobody's; POST with an identity token. `realm` of the
/// challenge must be checked before.
HttpRequest token_request(const Challenge& challenge, const std::vector<std::string>& scopes,
                          const std::optional<Login>& login);

struct TokenAnswer {
  std::string token;
  std::chrono::seconds lifetime{60};  // at least that, as the specification has it
};
/// nullopt for what is no such answer.
std::optional<TokenAnswer> parse_token(std::string_view json);

}  // namespace runner::registry
