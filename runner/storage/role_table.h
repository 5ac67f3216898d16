#pragma once
// Roles that admins made, and what users were granted beside their role.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "runner/storage/rights.h"
#include "runner/storage/store.h"

namespace runner::storage {

inline constexpr std::size_t kMostGrants = 100;  // of a user
inline constexpr std::size_t kMostRoles = 200;

/// Why a role cannot be called so, as a sentence; nullopt: it can. Pure.
std::optional<std::string> role_name_problem(std::string_view name);

class Roles {
 public:
  explicit Roles(Tx& tx) noexcept : tx_(tx) {}
  CustomRoles all();
  std::optional<PermissionSet> find(const std::string& name);
  /// In place of what it was. Throws Error{invalid_input} for a name that cannot be, and without permissions;
  /// Error{conflict} when there are kMostRoles.
  void put(const std::string& name, PermissionSet permissions);
  /// False when it was gone already. Throws Error{conflict} while somebody has it.
  bool remove(const std::string& name);

 private:
  Tx& tx_;
};

class Grants {
 public:
  explicit Grants(Tx& tx) noexcept : tx_(tx) {}
  std::set<Grant> of(std::int64_t user);
  /// By user; those without any are not in it.
  std::map<std::int64_t, std::set<Grant>> all();
  /// In place of those the user had. Throws Error{invalid_input} for a right that is not there, and for more
  /// than kMostGrants; Error{not_found} without the user.
  void put(std::int64_t user, const std::set<Grant>& grants);

 private:
  Tx& tx_;
};

/// What a user may now, or with a token of this role.
Rights rights_now(Tx& tx, const UserRecord& user, std::optional<Role> token = {});

}  // namespace runner::storage
