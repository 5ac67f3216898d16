#pragma once
// Texts in frozen plans, and how messages name what lies in one. Pure; any thread. Internal to frozen plans.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace runner::pipelines {

/// Adds `text`, which is UTF-8, as a string of JSON.
void write_quoted(std::string& out, std::string_view text);

/// Each byte as the character of the same number, U+0000 to U+00FF: bytes as UTF-8.
std::string characters_of(std::string_view bytes);
/// The other way; `text` is UTF-8. nullopt when it holds another character.
std::optional<std::string> bytes_of(std::string_view text);

/// May stand in a message as an unknown key; anything else could be a secret value that slipped.
bool looks_like_key(std::string_view text);

/// Where a value lies: a key or an index, below another place. Lives on the stack of reading functions.
struct Place {
  const Place* above = nullptr;  // outlives it; null for the whole
  std::string_view key = {};
  std::size_t index = 0;  // when there is no key

  /// "jobs[3].variables[0].value"; empty for the whole.
  std::string text() const;
};

}  // namespace runner::pipelines
