#pragma once
// Which groups users are in. A group has no row of its own: it is its members.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "runner/storage/store.h"

namespace runner::storage {

inline constexpr std::size_t kMostGroups = 50;  // of a user

/// Why it cannot be one, as a sentence; nullopt: it can. What names of users may have. Pure.
std::optional<std::string> group_name_problem(std::string_view name);

class Groups {
 public:
  explicit Groups(Tx& tx) noexcept : tx_(tx) {}
  std::set<std::string> of(std::int64_t user);
  /// By user; those in none are not in it.
  std::map<std::int64_t, std::set<std::string>> all();
  /// In place of those the user was in. Throws Error{invalid_input} for one that
  /// cannot be, and for more than kMostGroups; Error{not_found} without the user.
  void put(std::int64_t user, const std::set<std::string>& groups);
  bool has_members(const std::string& group);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
