#pragma once
// Tokens that people and programs show to the API. Pure but for the randomness; any thread.
//
//   rnr_ | 32 random bytes in base 62 (43 characters) | checksum (6 characters)
//
// The checksum (of SHA-256, in base 62) tells mistyped and cut ones without a look into the database, and
// lets scanners for leaked secrets be sure. Stored is only the SHA-256 of the whole text: with 256 random
// bits no salt and no slow hash is needed. A token is looked for by that hash, so what the time of a look-up
// says is about the hash, of which nobody can choose the beginning: comparing in constant time comes by
// itself.

#include <string>
#include <string_view>

#include "runner/storage/secret.h"

namespace runner::storage {

struct NewToken {
  Secret text;       // shown once, to the one it is for
  std::string hash;  // stored
};

/// Throws Error when the kernel has no random bytes.
NewToken make_token();

/// Whether it can be one at all: form and checksum.
bool is_token(std::string_view text);

/// What find_by_hash() takes.
std::string token_hash(std::string_view token);

}  // namespace runner::storage
