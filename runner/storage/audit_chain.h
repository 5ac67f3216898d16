#pragma once
// What makes an audit log one that shows when somebody has changed it. Pure; any thread.
//
//   hash of a record = SHA-256( hash of the record before | the record as canonical JSON )
//
// in lower-case hex, the first after 64 zeros. Canonical: keys sorted, no blanks, without `hash` and
// `prev_hash`. A chain alone does not show that its end was cut off, or that all of it was written anew by
// somebody who owns the database: for that there are checkpoints, which say what the chain was at a time,
// signed with a key (Ed25519, RFC 8032) that is not in the database, and which people keep elsewhere.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runner/base/clock.h"
#include "runner/storage/secret.h"

namespace runner::storage {

/// Before the first record.
inline constexpr std::string_view kNoAuditHash =
    "0000000000000000000000000000000000000000000000000000000000000000";

std::string audit_hash(std::string_view before, std::string_view canonical);

/// Where a chain stands: the number of its last record and the hash of that.
struct AuditHead {
  std::int64_t seq = 0;
  std::string hash = std::string(kNoAuditHash);
  bool operator==(const AuditHead&) const = default;
};

/// Follows a chain record by record.
class AuditChain {
 public:
  /// From the first record on, or from behind one whose number and hash are known.
  explicit AuditChain(AuditHead from = {}) : head_(std::move(from)) {}
  /// `line`: one record as JSON, as the API gives it. What is wrong with it, as a sentence that names its
  /// number; nullopt: it follows. After something wrong nothing more can be said.
  std::optional<std::string> add(std::string_view line);
  const AuditHead& head() const noexcept { return head_; }
  /// Of the last record; "" before the first.
  const std::string& time() const noexcept { return time_; }
  const std::string& action() const noexcept { return action_; }

 private:
  AuditHead head_;
  std::string time_, action_;
};

/// What signs checkpoints. Any thread; does not change once made.
class AuditKey {
 public:
  /// 32 random bytes: data_key.h makes and reads such files. Throws Error{invalid_input} for another size.
  explicit AuditKey(Secret seed);
  /// In base64; it tells keys apart, and checks what they signed.
  const std::string& public_key() const noexcept { return public_key_; }
  /// A checkpoint, as one line of JSON.
  std::string sign(const AuditHead& head, TimePoint at) const;

 private:
  Secret seed_;
  std::string public_key_;
};

struct AuditCheckpoint {
  AuditHead head;
  std::string at, key;  // key: what signed it
};

/// Throws Error{invalid_input}: it is none, or its signature is not of its key.
AuditCheckpoint read_checkpoint(std::string_view line);

}  // namespace runner::storage
