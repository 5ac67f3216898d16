#pragma once
// One record of the audit log, as it is written. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runner/base/clock.h"

namespace runner::storage {

enum class AuditResult : std::uint8_t { allow, deny };
/// The text that is stored and shown: the enumerator's name.
std::string_view to_string(AuditResult result) noexcept;

/// What is empty is left out. Never a value of a secret, nor anything made of one.
struct AuditRecord {
  TimePoint at{};
  std::string actor = {};                  // a user's name; kAuditSelf: the server
  std::string role = {};                   // of the actor, at the time
  std::string method = {};                 // how they showed who they are: token, socket
  std::optional<std::int64_t> token = {};  // its id
  std::string source = {};                 // the address they came from
  std::string action = {};                 // "variable.created"
  std::string object = {};                 // to what: "variable DEPLOY_KEY", "deployment 12"
  std::string project = {}, environment = {};
  AuditResult result = AuditResult::allow;
  std::string reason = {};              // people's words, or why it was denied
  std::string before = {}, after = {};  // states, or digests of what was changed
  std::optional<std::int64_t> deployment = {};
  std::string fingerprint = {};  // of what was approved or carried out
  std::string request = {};      // its id, as in the server's own log
  std::string details = {};      // more of it: a JSON object
};

inline constexpr std::string_view kAuditSelf = "runner";

/// The record as it is hashed, without `hash` and `prev_hash`.
std::string canonical_record(const AuditRecord& record, std::int64_t seq);

}  // namespace runner::storage
