#include "runner/api/access.h"

#include <unistd.h>

#include "runner/api/refusal.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/access_token.h"

namespace runner::api {
namespace {

[[noreturn]] void refuse_unknown(std::string detail) {
  throw Refusal({.status = 401, .detail = std::move(detail)}, {{"WWW-Authenticate", "Bearer"}});
}

/// What the client shows; nullopt: nothing. Throws Refusal.
std::optional<std::string> shown_token(Context& context, const http::Headers& headers) {
  const auto refuse_form = [&](const char* why) {
    context.counts.attempt(AuthMethod::token, AuthResult::failure);
    refuse_unknown(why);
  };
  if (headers.count("Authorization") > 1 || headers.count("PRIVATE-TOKEN") > 1)
    refuse_form("more than one token is shown; show one");
  if (const std::string* authorization = headers.find("Authorization")) {
    const auto words = split_words(*authorization);
    if (words.size() == 2 && to_lower(words[0]) == "bearer") return std::string(words[1]);
    refuse_form("the header 'Authorization' must be 'Bearer' and a token");
  }
  const std::string* token = headers.find("PRIVATE-TOKEN");
  return token == nullptr ? std::optional<std::string>() : std::string(trim(*token));
}

/// nullopt when nobody may anything with it.
std::optional<Caller> caller_of(Context& context, const std::string& token) {
  if (!storage::is_token(token)) return {};
  const std::string hash = storage::token_hash(token);
  const TimePoint now = context.parts.clock.now();
  std::optional<Caller> caller;
  std::int64_t use = 0;  // to be written down
  context.parts.store.read([&](storage::Tx& tx) {
    caller.reset();
    use = 0;
    const auto record = storage::Tokens(tx).find_by_hash(hash);
    const auto user = record ? storage::Users(tx).find(record->user) : std::nullopt;
    const auto role = user ? storage::role_now(*record, *user, now) : std::nullopt;
    if (!role) return;
    caller = {.name = user->name, .role = *role, .user = user->id, .token = record->id};
    if (storage::is_use_written(*record, now)) use = record->id;
  });
  if (use != 0) {
    try {
      context.parts.store.write([&](storage::Tx& tx) { storage::Tokens(tx).touch(use, now); });
    } catch (const Error& error) {  // who only reads must not suffer from a full disk
      log_warn("api", "the use of token " + std::to_string(use) + " is not written down: " + error.what());
    }
  }
  return caller;
}

/// Throws Refusal: 401, or 429 when this address failed too often.
[[noreturn]] void refuse_token(Context& context, const http::Request& request) {
  const auto verdict =
      context.failures.lock()->take("token " + request.peer.address, context.parts.clock.steady_now());
  context.counts.attempt(AuthMethod::token, verdict.allowed ? AuthResult::failure : AuthResult::limited);
  if (!verdict.allowed)
    refuse_for_now("too many bad tokens came from this address; try again later", verdict.retry_after);
  refuse_unknown("this token is unknown, expired or revoked, or its user is disabled; ask an admin for one");
}

Caller at_socket(const http::Credentials& peer) {
  if (peer.uid == 0) return {.name = "root", .role = storage::Role::admin, .user = {}};
  return {.name = std::to_string(peer.uid), .role = storage::Role::admin, .user = {}};
}

Caller identify(Context& context, const http::Request& request) {
  const auto& peer = request.peer.credentials;
  if (peer && peer->uid != 0 && peer->uid != ::geteuid()) {
    context.counts.attempt(AuthMethod::socket, AuthResult::failure);
    refuse(403, "user " + std::to_string(peer->uid) +
                    " may not use this socket; root and the server's own user may, others come by network");
  }
  const auto token = shown_token(context, request.headers);
  if (!token) {
    context.counts.attempt(peer ? AuthMethod::socket : AuthMethod::none,
                           peer ? AuthResult::success : AuthResult::failure);
    if (peer) return at_socket(*peer);
    refuse_unknown("show a token: 'Authorization: Bearer rnr_...'");
  }
  auto caller = caller_of(context, *token);
  if (!caller) refuse_token(context, request);
  context.counts.attempt(AuthMethod::token, AuthResult::success);
  return *std::move(caller);
}

}  // namespace

Caller authenticate(Context& context, const http::Request& request, Access access) {
  if (access == Access::open || access == Access::signature) return {};
  Caller caller = identify(context, request);
  caller.source = request.peer.address;
  caller.request = request.id;
  return caller;
}

void check_role(const Caller& caller, Access access) {
  if (access == Access::open || access == Access::signature) return;
  const storage::Role needed = access == Access::admin       ? storage::Role::admin
                               : access == Access::developer ? storage::Role::developer
                                                             : storage::Role::viewer;
  if (caller.role < needed)
    refuse_role(needed, "this needs the role " + in_quotes(to_string(needed)) + ", and " +
                            in_quotes(caller.name) + " has " + in_quotes(to_string(caller.role)) +
                            " with this token");
}

void check_own(const Caller& caller, const std::optional<storage::UserRecord>& user) {
  if (caller.role == storage::Role::admin) return;
  if (!user || caller.user != user->id)
    refuse_role(storage::Role::admin, "tokens of others need the role 'admin', and " +
                                          in_quotes(caller.name) + " has " +
                                          in_quotes(to_string(caller.role)));
}

}  // namespace runner::api
