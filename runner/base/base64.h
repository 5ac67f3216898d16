#pragma once
// Base64 of RFC 4648. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>

namespace runner {

/// Padded, with '+' and '/'.
std::string to_base64(std::string_view bytes);
/// Padded, with '-' and '_': for URLs and fields of HTTP.
std::string to_base64_url(std::string_view bytes);
/// Of either alphabet, padded or not. nullopt for anything else.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace runner
