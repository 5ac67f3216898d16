#pragma once
// Who may do what: users, and the tokens they show.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/names.h"
#include "runner/storage/store.h"

namespace runner::storage {

/// Roles that are always there: each may what those before it may, for all projects (rights.h). `none` may
/// nothing but what its user is granted.
enum class Role : std::uint8_t { none, viewer, developer, admin };
/// The text that is stored and shown: the enumerator's name.
std::string_view to_string(Role role) noexcept;
std::optional<Role> parse_role(std::string_view text) noexcept;

struct UserRecord {
  std::int64_t id = 0;
  std::string name;  // unique; user_name_problem()
  Role role = Role::viewer;
  TimePoint created_at{};
  std::optional<TimePoint> disabled_at;
};

struct TokenRecord {
  std::int64_t id = 0;
  std::int64_t user = 0;
  std::string name;  // what it is for
  std::string hash;  // access_token.h
  Role role = Role::viewer;
  TimePoint created_at{};
  std::optional<TimePoint> expires_at, last_used_at, revoked_at;
};

/// What role a token has now: the lesser of its own and its user's; nullopt when it is expired or revoked, or
/// its user is disabled. Pure.
std::optional<Role> role_now(const TokenRecord& token, const UserRecord& user, TimePoint now);

/// Whether a use at `now` is to be written down: once a minute at most, so that requests do not become
/// writes; at once when the clock was set back. Pure.
bool is_use_written(const TokenRecord& token, TimePoint now);

class Users {
 public:
  explicit Users(Tx& tx) noexcept : tx_(tx) {}
  /// The id is not looked at. Returns the id. Throws Error{invalid_input} for a name that cannot be,
  /// Error{conflict} when there is a user of that name.
  std::int64_t insert(const UserRecord& record);
  std::optional<UserRecord> find(std::int64_t id);
  std::optional<UserRecord> find(const std::string& name);
  /// By name, those after `after`; "" begins.
  std::vector<UserRecord> list(const std::string& after = {}, std::size_t limit = kMaxPage);
  /// False when there is no such user.
  bool set_role(std::int64_t id, Role role);
  /// nullopt enables again. False when there is no such user.
  bool set_disabled(std::int64_t id, std::optional<TimePoint> at);
  /// Users who may work, of this role; one who takes the last admin away may want to know.
  std::int64_t count_enabled(Role role);

 private:
  Tx& tx_;
};

class Tokens {
 public:
  explicit Tokens(Tx& tx) noexcept : tx_(tx) {}
  /// The id is not looked at. Returns the id. Throws Error{invalid_input} for a name or hash that cannot be,
  /// Error{not_found} without the user, Error{conflict} when this token is there.
  std::int64_t insert(const TokenRecord& record);
  std::optional<TokenRecord> find(std::int64_t id);
  std::optional<TokenRecord> find_by_hash(const std::string& hash);
  /// By id, those after `after`.
  std::vector<TokenRecord> of_user(std::int64_t user, std::int64_t after = 0, std::size_t limit = kMaxPage);
  /// Fine when it is revoked already; the first time stays. False when there is no such token.
  bool revoke(std::int64_t id, TimePoint at);
  /// Writes the use down when is_use_written() says so. Returns whether it did.
  bool touch(std::int64_t id, TimePoint now);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
