#pragma once
// What somebody may: permissions, each for all projects, for one, or for one environment of it. Values; pure;
// any thread.

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runner/storage/access_table.h"

namespace runner::storage {

enum class Permission : std::uint8_t {
  monitor,       // see pipelines, jobs, environments, deployments
  view_logs,     // of jobs
  view_metrics,  // and the state of the server
  deploy,        // start, retry and cancel pipelines and jobs; deploy; agree to what is deployed
  rollback,      // go back, end what others started, unlock, pass over a protection that names one
  manage_users,  // users, and tokens of others
  manage_roles,  // roles and groups; projects, secrets, protections of environments
};
inline constexpr std::array kPermissions{
    Permission::monitor,  Permission::view_logs,    Permission::view_metrics, Permission::deploy,
    Permission::rollback, Permission::manage_users, Permission::manage_roles};
/// The text that is stored and shown: the enumerator's name.
std::string_view to_string(Permission permission) noexcept;
std::optional<Permission> parse_permission(std::string_view text) noexcept;

/// Some of the permissions.
class PermissionSet {
 public:
  PermissionSet() = default;
  PermissionSet(std::initializer_list<Permission> all) {
    for (const Permission one : all) add(one);
  }
  PermissionSet& add(Permission one) {
    bits_.set(static_cast<std::size_t>(one));
    return *this;
  }
  bool has(Permission one) const { return bits_.test(static_cast<std::size_t>(one)); }
  bool empty() const { return bits_.none(); }
  PermissionSet& operator|=(PermissionSet other) {
    bits_ |= other.bits_;
    return *this;
  }
  PermissionSet& operator&=(PermissionSet other) {
    bits_ &= other.bits_;
    return *this;
  }
  bool operator==(const PermissionSet& other) const { return bits_ == other.bits_; }
  /// In the order of the enumeration.
  std::vector<std::string> names() const;

 private:
  std::bitset<kPermissions.size()> bits_;
};
/// Of the roles that are always there.
PermissionSet permissions_of(Role role) noexcept;

/// What a user was granted beside their role: "RIGHT", "RIGHT@PROJECT" or "RIGHT@PROJECT/ENVIRONMENT", where
/// RIGHT is a permission or a role, also one that admins made. In the name of the environment '*' is any
/// text.
struct Grant {
  std::string right, project, environment;         // "" = all
  auto operator<=>(const Grant&) const = default;  // NOLINT(modernize-use-nullptr): sees one in it
};
/// Throws Error{invalid_input} with what is wrong and the mend. Whether there is such a role is not looked
/// at.
Grant parse_grant(std::string_view text);
std::string to_string(const Grant& grant);

/// Roles that admins made.
using CustomRoles = std::map<std::string, PermissionSet>;
/// Of a right's name; nullopt: there is no such permission or role.
std::optional<PermissionSet> permissions_of(const std::string& right, const CustomRoles& roles);

class Rights {
 public:
  Rights() = default;
  /// Of a role, everywhere.
  explicit Rights(Role role);

  /// A grant whose right is not there any more grants nothing.
  void add(const Grant& grant, const CustomRoles& roles);
  /// To what a token may.
  void limit(PermissionSet most);

  /// "" = all projects, or the project as a whole: what is granted for one environment is not for that.
  bool may(Permission permission, std::string_view project = {}, std::string_view environment = {}) const;
  /// Whether there is any place where it may.
  bool may_somewhere(Permission permission) const;
  PermissionSet in(std::string_view project, std::string_view environment) const;
  /// The highest of the roles that are always there, and the names of those that admins made: for what asks
  /// for a role.
  Role role_in(std::string_view project, std::string_view environment) const;
  std::set<std::string> roles_in(std::string_view project, std::string_view environment) const;
  /// Of nobody: not even a role that may nothing.
  bool empty() const noexcept { return rights_.empty(); }

 private:
  struct Right {
    PermissionSet permissions;
    Role role = Role::none;
    std::string custom;  // role; "" = none
    std::string project, environment;
    bool covers(std::string_view project, std::string_view environment) const;
  };
  std::vector<Right> rights_;
};

/// Of a user, or of a token of theirs: a token of a lower role than its user's is limited to what that role
/// may.
Rights rights_of(Role user, const std::set<Grant>& grants, const CustomRoles& roles,
                 std::optional<Role> token = {});

}  // namespace runner::storage
