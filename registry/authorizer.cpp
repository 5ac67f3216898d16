#include "registry/authorizer.h"

#include <algorithm>

#include "registry/answer.h"
#include "registry/shown.h"
#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::size_t kLongestAnswer = 1U << 20U;
constexpr std::size_t kMostTokens = 1000;

std::string key_of(const Reference& image, const std::vector<std::string>& scopes) {
  return image.repository() + ' ' + join(scopes, " ");
}

}  // namespace

Authorizer::Authorizer(const Logins& logins, const ClientOptions& options, Hosts& hosts, const Clock& clock)
    : logins_(logins), options_(options), hosts_(hosts), clock_(clock) {}

std::optional<Login> Authorizer::login_of(const Reference& image, const std::stop_token& stop) {
  const std::string repository = image.repository();
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_logins_.find(repository); found != known_logins_.end()) return found->second;
  }
  std::optional<Login> login = logins_.find(image, stop);  // may run a program
  const std::lock_guard lock(mutex_);
  known_logins_[repository] = login;
  return login;
}

Grant Authorizer::grant(const Url& base, const Reference& image, const std::vector<std::string>& scopes,
                        const std::stop_token& stop) {
  std::optional<Challenge> challenge;
  std::optional<Token> token;
  const std::string key = key_of(image, scopes);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = challenges_.find(base.host); found != challenges_.end()) challenge = found->second;
    if (const auto found = tokens_.find(key); found != tokens_.end()) {
      if (clock_.steady_now() < found->second.until) token = found->second;
    }
  }
  Grant grant;
  if (!challenge) return grant;
  const std::optional<Login> login = login_of(image, stop);
  grant.has_login = login.has_value();
  if (login) grant.secrets = {login->password, login->identity_token};
  if (challenge->scheme == "basic") {
    if (!login || login->username.empty())
      throw Error(ErrorCode::invalid_input,
                  "the registry " + shown(base.host) + " wants a user name and a password" +
                      (login ? ", and takes no identity tokens" : "") +
                      "; give a login for it in DOCKER_AUTH_CONFIG, or with 'docker login'");
    grant.secrets.push_back(to_base64(login->username + ':' + login->password));
    grant.field = "Authorization: Basic " + grant.secrets.back();
    return grant;
  }
  if (!token) {
    token = fetch(base, *challenge, scopes, login, stop);
    const std::lock_guard lock(mutex_);
    if (tokens_.size() >= kMostTokens) tokens_.clear();
    tokens_[key] = *token;
  }
  grant.secrets.push_back(token->text);
  grant.field = "Authorization: Bearer " + token->text;
  return grant;
}

void Authorizer::challenged(const Url& base, const Reference& image, const std::vector<std::string>& scopes,
                            const std::vector<std::string>& fields) {
  const std::optional<Challenge> wanted = choose_challenge(fields);
  if (!wanted)
    throw Error(ErrorCode::invalid_input,
                "the registry " + shown(base.host) +
                    " answers 401 and wants a kind of login that we do not know" +
                    (fields.empty() ? std::string() : " (" + harmless(fields.front(), 60) + ")") +
                    "; it must take Basic or Bearer tokens");
  const std::lock_guard lock(mutex_);
  challenges_[base.host] = *wanted;
  tokens_.erase(key_of(image, scopes));
}

Authorizer::Token Authorizer::fetch(const Url& base, const Challenge& challenge,
                                    const std::vector<std::string>& scopes, const std::optional<Login>& login,
                                    const std::stop_token& stop) const {
  // A login goes where the registry says, but never where others read along.
  const Url realm = parse_url(challenge.parameter("realm"));
  try {
    hosts_.check_way(base, realm);
    HttpRequest request = token_request(challenge, scopes, login);
    hosts_.set_trust(request, realm);
    Grant shows;
    shows.has_login = login.has_value();
    if (login)
      shows.secrets = {login->password, login->identity_token,
                       to_base64(login->username + ':' + login->password)};
    Answer answer(std::move(request), realm, std::move(shows), options_.waits, stop);
    if (answer.head().status != 200) answer.refuse();
    const SteadyPoint now = clock_.steady_now();
    const std::optional<TokenAnswer> given = parse_token(answer.body(kLongestAnswer));
    if (!given) throw Error(ErrorCode::unavailable, "it answers with what is no token; look at its log");
    // Given up a little early, as the way takes time, too.
    return {given->token, now + given->lifetime - given->lifetime / 10};
  } catch (Error& error) {
    // A refused login is no matter of the network.
    error.add_context("while asking " + shown(realm.host) + " for a token");
    throw;
  }
}

}  // namespace runner::registry
