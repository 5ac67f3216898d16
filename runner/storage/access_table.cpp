#include "runner/storage/access_table.h"

#include <algorithm>
#include <chrono>

#include "runner/base/error.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

constexpr auto kRoles = {Role::none, Role::viewer, Role::developer, Role::admin};
constexpr std::chrono::minutes kUseInterval{1};
constexpr std::size_t kMaxTokenName = 255;
constexpr std::size_t kHashSize = 64;

#define RUNNER_USER_COLUMNS "id, name, role, created_at, disabled_at"
#define RUNNER_TOKEN_COLUMNS "id, user_id, name, hash, role, created_at, expires_at, last_used_at, revoked_at"

constexpr std::string_view kUserById = "SELECT " RUNNER_USER_COLUMNS " FROM users WHERE id = $1";
constexpr std::string_view kUserByName = "SELECT " RUNNER_USER_COLUMNS " FROM users WHERE name = $1";
constexpr std::string_view kUsers =
    "SELECT " RUNNER_USER_COLUMNS " FROM users WHERE name > $1 ORDER BY name LIMIT $2";
constexpr std::string_view kInsertUser =
    "INSERT INTO users (" RUNNER_USER_COLUMNS ") VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING";
constexpr std::string_view kTokenById = "SELECT " RUNNER_TOKEN_COLUMNS " FROM tokens WHERE id = $1";
constexpr std::string_view kTokenByHash = "SELECT " RUNNER_TOKEN_COLUMNS " FROM tokens WHERE hash = $1";
constexpr std::string_view kTokensOfUser =
    "SELECT " RUNNER_TOKEN_COLUMNS " FROM tokens WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3";
constexpr std::string_view kInsertToken =
    "INSERT INTO tokens (" RUNNER_TOKEN_COLUMNS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (hash) DO NOTHING";

#undef RUNNER_TOKEN_COLUMNS
#undef RUNNER_USER_COLUMNS

UserRecord to_user(const Row& row) {
  return {as_integer(row[0]), as_text(row[1]), as_enumerator(row[2], kRoles, "role"), as_time(row[3]),
          as_optional_time(row[4])};
}

TokenRecord to_token(const Row& row) {
  TokenRecord token;
  token.id = as_integer(row[0]);
  token.user = as_integer(row[1]);
  token.name = as_text(row[2]);
  token.hash = as_text(row[3]);
  token.role = as_enumerator(row[4], kRoles, "role");
  token.created_at = as_time(row[5]);
  token.expires_at = as_optional_time(row[6]);
  token.last_used_at = as_optional_time(row[7]);
  token.revoked_at = as_optional_time(row[8]);
  return token;
}

Value role_value(Role role) {
  return std::string(to_string(role));
}

}  // namespace

std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::none:
      return "none";
    case Role::viewer:
      return "viewer";
    case Role::developer:
      return "developer";
    case Role::admin:
      return "admin";
  }
  return "viewer";
}

std::optional<Role> parse_role(std::string_view text) noexcept {
  for (const Role role : kRoles) {
    if (text == to_string(role)) return role;
  }
  return std::nullopt;
}

std::optional<Role> role_now(const TokenRecord& token, const UserRecord& user, TimePoint now) {
  if (token.user != user.id || token.revoked_at || user.disabled_at) return std::nullopt;
  if (token.expires_at && *token.expires_at <= now) return std::nullopt;
  return std::min(token.role, user.role);
}

bool is_use_written(const TokenRecord& token, TimePoint now) {
  return !token.last_used_at || *token.last_used_at + kUseInterval <= now || *token.last_used_at > now;
}

std::int64_t Users::insert(const UserRecord& record) {
  if (const auto problem = user_name_problem(record.name)) throw Error(ErrorCode::invalid_input, *problem);
  const std::int64_t id = tx_.take_ids("users", 1);
  if (tx_.sql().exec(kInsertUser, {id, record.name, role_value(record.role), to_value(record.created_at),
                                   to_value(record.disabled_at)}) != 1) {
    throw Error(ErrorCode::conflict, "there is a user '" + record.name + "' already; choose another name");
  }
  return id;
}

std::optional<UserRecord> Users::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kUserById, {id});
  if (rows.empty()) return std::nullopt;
  return to_user(rows[0]);
}

std::optional<UserRecord> Users::find(const std::string& name) {
  // Others cannot be there, and not every database takes every text.
  if (user_name_problem(name)) return std::nullopt;
  const auto rows = tx_.sql().query(kUserByName, {name});
  if (rows.empty()) return std::nullopt;
  return to_user(rows[0]);
}

std::vector<UserRecord> Users::list(const std::string& after, std::size_t limit) {
  check_text("the name to begin after", after, kMaxTokenName);
  std::vector<UserRecord> users;
  for (const Row& row : tx_.sql().query(kUsers, {after, limit_value(limit)})) users.push_back(to_user(row));
  return users;
}

bool Users::set_role(std::int64_t id, Role role) {
  return tx_.sql().exec("UPDATE users SET role = $2 WHERE id = $1", {id, role_value(role)}) == 1;
}

bool Users::set_disabled(std::int64_t id, std::optional<TimePoint> at) {
  return tx_.sql().exec("UPDATE users SET disabled_at = $2 WHERE id = $1", {id, to_value(at)}) == 1;
}

std::int64_t Users::count_enabled(Role role) {
  return as_integer(tx_.sql().query("SELECT COUNT(*) FROM users WHERE role = $1 AND disabled_at IS NULL",
                                    {role_value(role)})[0][0]);
}

std::int64_t Tokens::insert(const TokenRecord& record) {
  check_text("the name of the token", record.name, kMaxTokenName);
  const bool is_hash = record.hash.size() == kHashSize &&
                       record.hash.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_hash) throw Error(ErrorCode::invalid_input, "the hash of a token is a SHA-256 in lower-case hex");
  if (!Users(tx_).find(record.user)) {
    throw Error(ErrorCode::not_found, "there is no user " + std::to_string(record.user));
  }
  const std::int64_t id = tx_.take_ids("tokens", 1);
  if (tx_.sql().exec(kInsertToken, {id, record.user, record.name, record.hash, role_value(record.role),
                                    to_value(record.created_at), to_value(record.expires_at),
                                    to_value(record.last_used_at), to_value(record.revoked_at)}) != 1) {
    throw Error(ErrorCode::conflict, "this token is there already; make another one");
  }
  return id;
}

std::optional<TokenRecord> Tokens::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kTokenById, {id});
  if (rows.empty()) return std::nullopt;
  return to_token(rows[0]);
}

std::optional<TokenRecord> Tokens::find_by_hash(const std::string& hash) {
  const auto rows = tx_.sql().query(kTokenByHash, {hash});
  if (rows.empty()) return std::nullopt;
  return to_token(rows[0]);
}

std::vector<TokenRecord> Tokens::of_user(std::int64_t user, std::int64_t after, std::size_t limit) {
  std::vector<TokenRecord> tokens;
  for (const Row& row : tx_.sql().query(kTokensOfUser, {user, after, limit_value(limit)})) {
    tokens.push_back(to_token(row));
  }
  return tokens;
}

bool Tokens::revoke(std::int64_t id, TimePoint at) {
  return tx_.sql().exec("UPDATE tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1",
                        {id, to_value(at)}) == 1;
}

bool Tokens::touch(std::int64_t id, TimePoint now) {
  return tx_.sql().exec(
             "UPDATE tokens SET last_used_at = $2 WHERE id = $1 "
             "AND (last_used_at IS NULL OR last_used_at <= $3 OR last_used_at > $2)",
             {id, to_value(now), to_value(now - kUseInterval)}) == 1;
}

}  // namespace runner::storage
