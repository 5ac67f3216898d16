#pragma once
// What signatures of webhooks are made of (OpenSSL behind). Pure; any thread.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace runner::triggers {

/// 32 raw bytes over all parts, one behind the other. The key is not empty. Throws Error{internal} when
/// OpenSSL fails.
std::string hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts);

/// Takes as long whatever the difference is. Texts of different length are different at once: say how long a
/// secret is with same_secret() only.
bool same_bytes(std::string_view one, std::string_view other) noexcept;
/// Tells nothing of the secret by the time it takes, not even its length.
bool same_secret(std::string_view given, std::string_view secret);

/// nullopt for an odd count, or anything that is no hex digit. Upper and lower case alike.
std::optional<std::string> from_hex(std::string_view hex);
/// With padding, standard alphabet. nullopt for anything else.
std::optional<std::string> from_base64(std::string_view text);
std::string to_base64(std::string_view bytes);

}  // namespace runner::triggers
