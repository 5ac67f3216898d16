#pragma once
// Text helpers used by several folders. Pure; any thread.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace runner {

/// Without blanks (space, tab, CR, LF, VT, FF) at both ends. A view into `text`.
std::string_view trim(std::string_view text) noexcept;
/// The parts between separators, empty ones included; "" gives one empty part. Views into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);
/// The parts of a text that is about to go would dangle.
template <typename Text>
requires std::is_same_v<Text, std::string>
void split(Text&& text, char separator) = delete;
/// Non-empty runs between blanks. Views into `text`.
std::vector<std::string_view> split_words(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string to_lower(std::string_view ascii);
/// Every `from` replaced by `to`; `from` is not empty.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// The candidate nearest to `word` by edit distance (with transpositions), when it is near enough to be
/// offered as "did you mean". A view into `candidates`. The first of equals wins.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

/// "850 ms", "3.2 s", "4 m 07 s", "2 h 05 m": for people.
std::string format_duration(std::chrono::milliseconds duration);
/// "312 B", "4.0 KiB", "1.2 MiB": for people.
std::string format_bytes(std::uint64_t bytes);
/// "1 file", "40,000 files": for people. `noun` takes an "s"; without one it is the number alone.
std::string format_count(std::uint64_t count, std::string_view noun);

/// The other way round, from people: "500MB", "5 GiB", "1.5g", "0". KB, MB, GB and TB count in thousands, all
/// else in 1024s; upper and lower case alike. nullopt for anything else.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// A name as messages show it: 'text'.
std::string in_quotes(std::string_view text);
/// One word of POSIX shell: unchanged when harmless, else in single quotes.
std::string shell_quote(std::string_view text);

/// A whole decimal number, optionally signed, nothing else; nullopt when it is none or does not fit.
std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;

/// Without terminal escape sequences (CSI, OSC, two-character ones).
std::string strip_ansi(std::string_view text);

bool is_utf8(std::string_view text) noexcept;
/// Each byte that belongs to no well-formed character replaced by U+FFFD.
std::string to_utf8(std::string_view text);

}  // namespace runner
