#pragma once
// Who may deploy to an environment, when, and who has to agree: set by administrators on the server, never
// by the branch that is deployed. Values; pure; any thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/rights.h"

namespace runner::deployments {

/// "role:developer" (and those above it), "group:ops", "permission:rollback", "user:ada".
struct Who {
  enum class Kind : std::uint8_t { user, role, group, permission } kind = Kind::user;
  std::string name;
  auto operator<=>(const Who&) const = default;
};
/// nullopt for what is none of the four.
std::optional<Who> parse_who(std::string_view text);
std::string to_string(const Who& who);

/// Somebody, as the server knows them at this moment.
struct Person {
  std::string name, role;
  std::set<std::string> groups, permissions;  // permissions: in this environment
  std::set<std::string> mails;                // by which commits name them
  bool enabled = true;
  std::set<std::string> roles = {};  // that admins made
  storage::Rights rights = {};       // wherever that is
  /// With role and permissions as they are in an environment.
  Person in(const std::string& project, const std::string& environment) const;
};
bool matches(const std::vector<Who>& who, const Person& person);

struct ApprovalRule {
  std::string name;
  int count = 1;
  std::vector<Who> who;
};

/// Each week, or once. Local times of a zone: "Fri 16:00", or "2026-12-23 18:00".
struct FreezeWindow {
  std::string from, to, zone = "UTC";
};

enum class QueueMode : std::uint8_t {
  latest,  // the newest that may; older ones are superseded
  fifo,    // in the order of their making
  manual,  // a person says which
};

struct Protection {
  std::vector<std::string> refs;  // globs; empty: every ref
  std::vector<Who> deployers;     // empty: everybody who may deploy at all
  std::vector<ApprovalRule> rules;
  bool self_approval = false;                    // whoever triggered it may approve
  bool exclude_commit_authors = false;           // authors of what is new in it may not
  std::chrono::milliseconds expires_after{0};    // of waiting; 0: never
  std::chrono::milliseconds reapprove_after{0};  // approvals are void then; 0: never
  bool start_by_hand = false;                    // the last approval does not start it
  std::vector<Who> break_glass;                  // may pass over approvals and freezes, with a reason
  std::vector<Who> rollback;                     // empty: who has the permission
  int rollback_approvals = 0;
  QueueMode queue = QueueMode::latest;
  bool refuse_older = true;
  std::vector<FreezeWindow> freeze;
  std::chrono::milliseconds wait{0};  // between approval and start
  std::string secrets;                // scope; "" = the environment's name

  bool needs_approval() const noexcept { return !rules.empty(); }
};

/// JSON with the keys of docs/deployments.md. "" is no protection. Throws Error{invalid_input} that names the
/// key, what is wrong with it, and the nearest key for an unknown one.
Protection parse_protection(std::string_view json);
std::string protection_text(const Protection& protection);

/// Whether a ref may be deployed there.
bool allows_ref(const Protection& protection, std::string_view ref);

/// When what is frozen at `now` opens again; nullopt: nothing is frozen. A time that clocks skip is the
/// moment after it; of a time there twice, a freeze begins with the first and ends with the second. Throws
/// Error for a window or a zone that cannot be read.
std::optional<TimePoint> frozen_until(const std::vector<FreezeWindow>& windows, TimePoint now);

}  // namespace runner::deployments
