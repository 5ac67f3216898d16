#pragma once
// Secrets at rest, each bound to the place where it lies, in envelopes: a value is sealed with a random key
// of its own, and that key with the server's data key, so that another data key is put in place (renew())
// without opening a value.
//
// Both are AES-256-GCM (NIST SP 800-38D) with random nonces of 96 bits. A sealed value is
//
//   version (1 byte, 2) | id of the data key (8) | nonce (12) | its key, sealed (32) | tag (16)
//                                                | nonce (12) | ciphertext | tag (16)
//
// Version, table, column and row are authenticated in both parts, the id of the data key in the first: what
// was moved to another row, or is of another column, does not open. It is as long as the secret and
// kSealOverhead.
//
// Version 1, which is read and not written any more, has no key of its own:
//
//   version (1 byte, 1) | id of the data key (8) | nonce (12) | ciphertext | tag (16)

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/synchronized.h"
#include "runner/storage/secret.h"

namespace runner::storage {

inline constexpr std::size_t kDataKeySize = 32;
inline constexpr std::size_t kSealOverhead = 1 + 8 + 12 + kDataKeySize + 16 + 12 + 16;

/// Where a sealed value lies.
struct SealPlace {
  std::string_view table, column;  // names of ours, without zeros
  std::int64_t row = 0;
};

using Sealed = std::vector<std::byte>;

/// Hex; tells keys apart and says nothing about them. Pure.
std::string data_key_id(const Secret& key);
/// The id of the data key that a value is sealed with; "" = it is none. Pure.
std::string data_key_of(std::span<const std::byte> sealed);

/// Any thread, also while the key is changed. Blocks never.
class Sealer {
 public:
  /// Keys have kDataKeySize bytes: data_key.h. Those in `older` open and do not seal. Throws
  /// Error{invalid_input} for another size.
  explicit Sealer(Secret key, std::vector<Secret> older = {});

  /// The same text gives another value each time. Throws Error{invalid_input} over 1 GiB.
  Sealed seal(std::string_view secret, const SealPlace& place) const;
  /// Throws Error{conflict} when it was sealed with a key that is not here, or by a newer program, and
  /// Error{internal} when it is cut short, changed or from another place. Not Error{corrupt}: that is what a
  /// damaged database file says, and its mend would be the wrong one here.
  Secret open(std::span<const std::byte> sealed, const SealPlace& place) const;
  /// The same value with the newest data key; nullopt: it has that. The value itself is not opened, unless it
  /// is of version 1. Throws as open().
  std::optional<Sealed> renew(std::span<const std::byte> sealed, const SealPlace& place) const;

  /// Of the key that seals.
  std::string key_id() const;
  /// Of all others.
  std::vector<std::string> older_ids() const;
  /// From now on this one seals, and those before open. Throws Error{invalid_input} as the constructor.
  void use_key(Secret key);
  /// An older one; what it sealed does not open any more.
  void forget_key(const std::string& id);

 private:
  struct Key {
    Secret bytes;
    std::string id;
  };
  using KeyPtr = std::shared_ptr<const Key>;
  using Ring = std::vector<KeyPtr>;  // the first seals

  static KeyPtr make_key(Secret bytes);
  KeyPtr current() const { return keys_.lock()->front(); }
  KeyPtr key_for(std::span<const std::byte> sealed, const SealPlace& place) const;

  mutable Synchronized<Ring> keys_;
};

}  // namespace runner::storage
