// Tokens: made, shown once, listed, revoked.
#include "runner/api/audit.h"
#include "runner/api/json_input.h"
#include "runner/api/json_output.h"
#include "runner/api/query.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/access_token.h"
#include "runner/storage/role_table.h"

namespace runner::api {
namespace {

using storage::Role;

constexpr std::int64_t kMostDays = 3650;

JsonObject token_object(const storage::TokenRecord& token, const std::string& user) {
  JsonObject json;
  json.number("id", token.id)
      .text("user", user)
      .text("name", token.name)
      .text("role", to_string(token.role))
      .time("created_at", token.created_at)
      .time("expires_at", token.expires_at)
      .time("last_used_at", token.last_used_at)
      .time("revoked_at", token.revoked_at);
  return json;
}

/// Throws Refusal: 403 for others' but admins, who hear of what is missing.
storage::UserRecord get_user(storage::Tx& tx, const Call& call) {
  const std::string& name = call.request.parameters.at("name");
  auto user = storage::Users(tx).find(name);
  check_own(call.caller, user);
  if (!user) {
    const std::string who = in_quotes(to_utf8(name));
    // Who comes by the local socket has all rights, and no row.
    refuse(404, "there is no user " + who + " to give a token to; 'runner user add " + to_utf8(name) +
                    "' makes one");
  }
  return *std::move(user);
}

/// With a token of somebody who may more, whoever manages users would be that somebody. Throws Refusal (403).
void check_lends_nothing(storage::Tx& tx, const Caller& caller, const storage::UserRecord& user) {
  if (caller.user == user.id) return;
  const storage::Rights theirs = storage::rights_now(tx, user);
  for (const storage::Permission one : storage::kPermissions)
    if (theirs.may_somewhere(one))
      check_permission(caller, one, "", "", "a token for " + in_quotes(user.name) + ", who may that,");
}

struct Wish {
  std::string name;
  std::optional<Role> role;
  std::optional<std::chrono::days> lifetime;
};

/// Throws Refusal.
Wish read_wish(std::string_view body) {
  JsonInput input(body);
  Wish wish;
  wish.name = input.text("name", storage::kMaxName).value_or("");
  input.require("name");
  if (input.has("name") && trim(wish.name).empty()) input.complain("name", "must say what the token is for");
  if (const auto text = input.text("role", storage::kMaxName)) {
    wish.role = storage::parse_role(*text);
    if (!wish.role)
      input.complain("role", "there is no role " + in_quotes(*text) +
                                 " for tokens; there are viewer, developer and admin");
  }
  if (const auto days = input.integer("expires_in_days", 1, kMostDays))
    wish.lifetime = std::chrono::days(*days);
  input.finish();
  return wish;
}

}  // namespace

http::Response list_tokens(Context& context, const Call& call) {
  const Page page = page_of(call.request, "tokens");
  const std::int64_t after = after_id(page);
  std::vector<std::string> items;
  std::optional<std::string> next;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    const storage::UserRecord user = get_user(tx, call);
    auto tokens = storage::Tokens(tx).of_user(user.id, after, page.limit + 1);
    next = cut_page(tokens, page, "tokens", [](const auto& token) { return std::to_string(token.id); });
    for (const auto& token : tokens) items.push_back(token_object(token, user.name).take());
  });
  return list_response(items, next);
}

http::Response add_token(Context& context, const Call& call) {
  // Rights come before what is wrong with a wish.
  context.parts.store.read([&](storage::Tx& tx) { get_user(tx, call); });
  const Wish wish = read_wish(call.request.body);
  const storage::NewToken made = storage::make_token();
  storage::TokenRecord token;
  storage::UserRecord user;
  context.parts.store.write([&](storage::Tx& tx) {
    user = get_user(tx, call);
    check_lends_nothing(tx, call.caller, user);
    // Nobody makes more for themselves than what they came with.
    const bool own = call.caller.user == user.id;
    const Role limit = own ? call.caller.limit : Role::none;
    const Role most = limit != Role::none ? limit : own ? std::min(user.role, call.caller.role) : user.role;
    // Whose rights are all granted may still want a token that only looks; one without a role has them all.
    const bool granted = user.role == Role::none && limit == Role::none;
    const bool unlimited = limit != Role::none && wish.role == Role::none;
    if (wish.role && !granted && (*wish.role > most || unlimited))
      refuse_field("role", "may be " + in_quotes(to_string(most)) + " at most, as that is what " +
                               (own ? "this token may" : "the user may"));
    const TimePoint now = context.parts.clock.now();
    token = {.id = 0,
             .user = user.id,
             .name = wish.name,
             .hash = made.hash,
             .role = wish.role.value_or(most),
             .created_at = now,
             .expires_at = {},
             .last_used_at = {},
             .revoked_at = {}};
    if (wish.lifetime) token.expires_at = now + *wish.lifetime;
    token.id = storage::Tokens(tx).insert(token);
    write_down(context, tx, call.caller,
               {.action = "token.created",
                .object = "token " + std::to_string(token.id) + " of " + user.name,
                .reason = token.name,
                .after = std::string(to_string(token.role))});
  });
  log_info("api", in_quotes(call.caller.name) + " made token " + std::to_string(token.id) + " for " +
                      in_quotes(user.name));
  JsonObject json = token_object(token, user.name);
  json.text("token", made.text.text());
  return json_response(201, std::move(json).take());
}

http::Response revoke_token(Context& context, const Call& call) {
  const auto id = parse_integer(call.request.parameters.at("id")).value_or(0);
  context.parts.store.write([&](storage::Tx& tx) {
    storage::Tokens tokens(tx);
    const auto token = tokens.find(id);
    // Who may not revoke it does not learn whether it is there.
    check_own(call.caller, token ? storage::Users(tx).find(token->user) : std::nullopt);
    if (!token) refuse_missing("token " + std::to_string(id));
    tokens.revoke(id, context.parts.clock.now());
    const auto owner = storage::Users(tx).find(token->user);
    write_down(context, tx, call.caller,
               {.action = "token.revoked",
                .object = "token " + std::to_string(id) + (owner ? " of " + owner->name : "")});
  });
  log_info("api", in_quotes(call.caller.name) + " revoked token " + std::to_string(id));
  http::Response response;
  response.status = 204;
  return response;
}

}  // namespace runner::api
