#pragma once
// Secrets at rest: sealed with one data key, each bound to the place where it lies.
//
// AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits: at most 2^32 values with one key, which is
// far more than a server of this kind ever writes. A sealed value is
//
//   version (1 byte, 1) | key id (8) | nonce (12) | ciphertext | tag (16)
//
// Version, key id, table, column and row are authenticated too: what was moved to another row, or is of
// another column, does not open. It is as long as the secret and kSealOverhead.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runner/storage/secret.h"

namespace runner::storage {

inline constexpr std::size_t kDataKeySize = 32;
inline constexpr std::size_t kSealOverhead = 1 + 8 + 12 + 16;

/// Where a sealed value lies.
struct SealPlace {
  std::string_view table, column;  // names of ours, without zeros
  std::int64_t row = 0;
};

using Sealed = std::vector<std::byte>;

/// Any thread; does not change once made. Blocks never.
class Sealer {
 public:
  /// `key` has kDataKeySize bytes: data_key.h. Throws Error{invalid_input} for another size.
  explicit Sealer(Secret key);

  /// The same text gives another value each time. Throws Error{invalid_input} over 1 GiB.
  Sealed seal(std::string_view secret, const SealPlace& place) const;
  /// Throws Error{conflict} when it was sealed with another key, or by a newer program, and Error{internal}
  /// when it is cut short, changed or from another place. Not Error{corrupt}: that is what a damaged database
  /// file says, and its mend would be the wrong one here.
  Secret open(std::span<const std::byte> sealed, const SealPlace& place) const;
  /// Hex; tells keys apart and says nothing about them.
  const std::string& key_id() const noexcept { return key_id_; }

 private:
  Secret key_;
  std::array<char, 9> head_{};  // version and key id, as they begin each value
  std::string key_id_;
};

}  // namespace runner::storage
