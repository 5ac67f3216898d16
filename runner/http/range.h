#pragma once
// Conditional and range requests for files (RFC 9110, sections 13 and 14). Pure; any thread.

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "runner/http/message.h"

namespace runner::http {

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

enum class RangeKind : std::uint8_t { whole, part, unsatisfiable };
struct RangeChoice {
  RangeKind kind = RangeKind::whole;
  ByteRange part = {};  // of kind part
  friend bool operator==(const RangeChoice&, const RangeChoice&) = default;
};
/// What "Range: bytes=a-b", "a-" or "-n" asks of `size` bytes. Anything else (other units, several ranges,
/// nonsense) is answered with the whole, as the standard allows.
RangeChoice choose_range(std::string_view header, std::uint64_t size);

/// "Sun, 06 Nov 1994 08:49:37 GMT". nullopt for other forms; senders of the old ones died out.
std::string format_http_date(std::time_t time);
std::optional<std::time_t> parse_http_date(std::string_view text);

struct Validators {
  std::string etag;  // with its quotes, maybe W/; empty: none
  std::optional<std::time_t> modified;
};
/// Does the client have it already (If-None-Match; without one, If-Modified-Since)? For GET and HEAD.
bool is_not_modified(const Headers& request, const Validators& current);
/// The range to send: Range, unless If-Range names another version than the current one (strong comparison).
RangeChoice range_of(const Headers& request, const Validators& current, std::uint64_t size);

}  // namespace runner::http
