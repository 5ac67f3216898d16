#pragma once
// Which texts from people the store takes. Pure; any thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace runner::storage {

inline constexpr std::size_t kMaxName = 64;

/// Why a project cannot be called so, as one sentence; nullopt when it can. Names are also names of
/// directories, parts of addresses and labels: 1 to 64 lower-case letters, digits, '-', '_' and '.', the
/// first a letter or a digit.
std::optional<std::string> project_name_problem(std::string_view name);
/// The same for users; '@' and '+' are allowed too.
std::optional<std::string> user_name_problem(std::string_view name);

/// Throws Error{invalid_input} unless `text` is UTF-8 without zeros, which is what every database takes, and
/// has `max_bytes` at most. `what` begins the message: "the description".
void check_text(std::string_view what, std::string_view text, std::size_t max_bytes);

/// A message of the machinery, such as what git said, as a database takes it: what is no UTF-8, and zeros,
/// replaced; cut between characters to 4 KiB.
std::string storable_text(std::string_view text);

}  // namespace runner::storage
